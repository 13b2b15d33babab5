"""Pictures into a collection: read what is new, encode it, commit it batch by batch.

    unchanged    size, time of change and what the source says are as known: nothing is read
    known bytes  the content hash is known: read, but not encoded, since vectors of it are there; where
                 the file of that content has gone, it is the same item, moved
    otherwise    decoded and encoded

Whatever was committed before a run ended, however it ended, is unchanged for the next run.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice

import numpy as np

from limner.collection.model import OpenModel, rows_of
from limner.collection.records import AddReport, OnProgress, Progress
from limner.collection.sources import spellings
from limner.collection.written import words_of_items
from limner.core.errors import InputError, PictureError
from limner.core.protocols import Source
from limner.core.types import FieldValue, Item, Representation, Stamp, concatenate
from limner.data.content import read_bytes, read_stamp
from limner.data.pictures import read_picture
from limner.encode.stream import Encoded, Loaded, encode_stream
from limner.index.catalogue import Catalogue
from limner.index.records import Entry, Known, Skipped, check_value, digest

BATCH = 32
"""Pictures that go through the model together; more brings no speed on a CPU and costs memory."""

COMMIT_ROWS, COMMIT_SECONDS = 512, 2.0
"""What a crash can cost at most: so many pictures, or so many seconds of work."""

_LOOKED_UP = 512
"""Items that are compared with the catalogue at once."""


@dataclass(frozen=True, slots=True)
class _Task:
    """An item that must be read, and what the catalogue knows of it."""

    item: Item
    digest: str
    known: Known | None
    """The item at this place."""
    named: bool
    """There is an item of the id that the source gives, here or elsewhere."""


@dataclass(frozen=True, slots=True, eq=False)
class _Twin:
    """An item with the same bytes."""

    key: int
    vectors: Mapping[str, Representation]
    """Space -> what the model made of it. Empty: it has none (they were damaged, say)."""


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    """What reading the bytes of an item brought, beside its pixels."""

    content_hash: str
    fields: Mapping[str, FieldValue]
    twin: _Twin | None


@dataclass(slots=True)
class _Pending:
    """Read and encoded, not yet committed. The first four go together."""

    entries: list[Entry] = field(default_factory=list)
    vectors: list[Mapping[str, Representation]] = field(default_factory=list)
    owners: list[int] = field(default_factory=list)
    """Key of the item that has these vectors already; 0: none has."""
    rewritten: list[bool] = field(default_factory=list)
    """Whether what is written about the item may have changed."""
    skipped: list[Skipped] = field(default_factory=list)
    taken_over: list[int] = field(default_factory=list)
    """Keys of unchanged items that another source gave before."""


class Adding:
    """One run over one source. The caller holds the writer's lock."""

    def __init__(
        self, catalogue: Catalogue, model: OpenModel, report: OnProgress | None, ray: str | None = None
    ) -> None:
        """`ray`: address of the Ray cluster that reads and encodes; None: this process does."""
        self._catalogue, self._model, self._report = catalogue, model, report
        self._ray = ray
        self._place = ""
        self._counts = {"added": 0, "updated": 0, "unchanged": 0, "moved": 0}
        self._skipped: list[Skipped] = []
        self._seen: set[int] = set()
        """Keys of the items that the source has given in this run."""
        self._ids: set[str] = set()
        """The ids that it has given."""
        self._origins: dict[str, list[Known]] = {}
        """By content hash: the items from which a file may have been moved, as far as not yet asked."""
        self._pending = _Pending()
        self._committing = threading.Lock()
        """Held while a batch is committed, and while a thread takes vectors that the commit might bury."""
        self._began = self._committed = time.perf_counter()
        self._read = self._total = 0

    def run(self, source: Source, place: str, prune: bool) -> AddReport:
        """`place`: the folder, archive or table that the source stands for; "" for loose items."""
        self._total = sum(1 for _ in source)  # an empty source ends here, before anything is noted
        self._place = place
        self._model.choose()
        job = self._catalogue.start_job("index", place)
        tasks = self._changed(source)
        for batch in self._encoded_here(tasks) if self._ray is None else self._encoded_there(tasks, self._ray):
            self._take(batch)
            waiting = len(self._pending.entries) + len(self._pending.skipped)
            if waiting >= COMMIT_ROWS or time.perf_counter() - self._committed > COMMIT_SECONDS:
                self._commit(job)
        self._commit(job)
        vanished, pruned = self._finish(job, prune)
        self._model.refresh()
        seconds = time.perf_counter() - self._began
        return AddReport(
            **self._counts, vanished=vanished, pruned=pruned, skipped=tuple(self._skipped), seconds=seconds
        )

    def _changed(self, source: Iterable[Item]) -> Iterator[_Task]:
        """The items that must be read; the others are counted."""
        items = iter(source)
        while chunk := [_stamped(item) for item in islice(items, _LOOKED_UP)]:
            known = self._catalogue.known(item.uri for item in chunk)
            named = self._catalogue.keys(item.id for item in chunk if item.id)
            skipped = self._catalogue.skipped([item.uri for item in chunk])
            for item in chunk:
                before, remembered = known.get(item.uri), skipped.get(item.uri)
                if before is not None:
                    self._seen.add(before.key)
                if reason := self._refusal(item, before, named):
                    self._skip(Skipped(item.uri, reason, source=self._place))
                    continue
                self._ids.add(item.id)
                said = digest(item)
                if before is not None and _same(before, item, said):
                    self._counts["unchanged"] += 1
                    if self._place not in ("", before.source):
                        self._pending.taken_over.append(before.key)
                elif remembered and item.stamp and remembered.stamp == item.stamp:
                    self._skipped.append(remembered)
                else:
                    yield _Task(item, said, before, item.id in named)
                    continue
                self._tell(item.uri)

    def _refusal(self, item: Item, before: Known | None, named: Mapping[str, int]) -> str:
        """Why an item cannot be kept, whatever its bytes are; "" if it can."""
        if item.modality != "image":
            return f"{item.modality}, but only pictures can be kept"
        if item.id and item.id in self._ids:
            return f"the id {item.id!r} occurs twice in the source"
        key = named.get(item.id)
        if key is not None and item.id == f"i{key}" and (before is None or before.key != key):
            return f"the id {item.id!r} is one that the collection gave to another item"
        try:
            for name, value in item.fields.items():
                check_value(value, name, item.uri)
        except InputError as error:
            return str(error).removeprefix(f"{item.uri}: ")
        return ""

    def _encoded_here(self, tasks: Iterable[_Task]) -> Iterator[Encoded[_Task, _Found]]:
        return encode_stream(self._model.encoder, "image", tasks, self._load, batch_size=BATCH)

    def _encoded_there(self, tasks: Iterable[_Task], address: str) -> Iterator[Encoded[_Task, _Found]]:
        from limner.collection.cluster import answers

        bundle, known = self._model.encoder.bundle.path, self._catalogue.shards.contents()
        for answer in answers(address, tasks, lambda task: task.item.uri, bundle, known):
            task = answer.task
            if answer.error is not None:
                yield Encoded([], {}, [], [(task, answer.error)])
                continue
            twin = self._twin(task.item.uri, answer.content_hash)
            found = _Found(answer.content_hash, answer.fields, twin)
            if answer.vectors:
                yield Encoded([(task, found)], answer.vectors, [], [])
            elif twin and twin.vectors:
                yield Encoded([], {}, [(task, found)], [])
            else:  # its content is known, but the vectors are lost
                yield from self._encoded_here([task])

    def _load(self, task: _Task) -> Loaded[_Found]:
        """Runs in the pool's threads: bytes, their hash, and pixels where there are no vectors of them."""
        content = read_bytes(task.item.uri)
        content_hash = hashlib.sha256(content).hexdigest()
        twin = self._twin(task.item.uri, content_hash)
        picture, fields = read_picture(content, task.item.uri, shorter_side=self._model.encoder.picture_side)
        return Loaded(_Found(content_hash, fields, twin), None if twin and twin.vectors else picture)

    def _twin(self, uri: str, content_hash: str) -> _Twin | None:
        """An item with these bytes, the one at this place if it is one, with its vectors."""
        if not self._catalogue.same_content(content_hash, most=1):
            return None
        with self._committing:
            here = self._catalogue.known([uri]).get(uri)
            if here is None or here.content_hash != content_hash:
                here = next(iter(self._catalogue.same_content(content_hash, most=1)), None)
            return None if here is None else _Twin(here.key, self._vectors(here.key))

    def _vectors(self, key: int) -> Mapping[str, Representation]:
        """What stands of the item in each space; nothing if one is missing."""
        vectors = {}
        for space, store in self._model.stores.items():
            found, rows = store.take(np.array([key], np.int64))
            if not len(found):
                return {}
            vectors[space] = rows
        return vectors

    def _take(self, batch: Encoded[_Task, _Found]) -> None:
        """What became of some items, into what is to be committed."""
        for (task, found), vectors in zip(batch.encoded, rows_of(batch.features, len(batch.encoded)), strict=True):
            self._put(task, found, vectors, 0)
        for task, found in batch.known:
            assert found.twin is not None
            self._put(task, found, found.twin.vectors, found.twin.key)
        for task, error in batch.failed:
            lasting = isinstance(error, PictureError) and not error.temporary
            reason = error.reason if isinstance(error, PictureError) else str(error)
            self._skip(Skipped(task.item.uri, reason, task.item.stamp if lasting else None, self._place))
        self._read += len(batch.encoded) + len(batch.known) + len(batch.failed)

    def _put(self, task: _Task, found: _Found, vectors: Mapping[str, Representation], owner: int) -> None:
        item, what = task.item, "updated"
        if task.known is None:
            what = "moved" if task.named else "added"
            if found.twin and not item.id and (origin := self._origin(found.content_hash)):
                item, what = item.replace(id=origin.id), "moved"
        self._counts[what] += 1
        item = item.replace(fields={**found.fields, **item.fields})
        self._pending.entries.append(Entry(item, found.content_hash, task.digest, self._place))
        self._pending.vectors.append(vectors)
        self._pending.owners.append(owner)
        known = task.known
        same = known is not None and (known.digest, known.content_hash) == (task.digest, found.content_hash)
        self._pending.rewritten.append(not same)
        self._tell(item.uri)

    def _origin(self, content_hash: str) -> Known | None:
        """An item with these bytes whose file has gone from where it was; each is found once only."""
        if content_hash not in self._origins:
            self._origins[content_hash] = self._catalogue.same_content(content_hash)[::-1]
        candidates = self._origins[content_hash]
        while candidates:
            known = candidates.pop()
            # One that a source named is recognised by that name alone.
            if known.id == f"i{known.key}" and not _exists(known.uri):
                return known
        return None

    def _skip(self, skipped: Skipped) -> None:
        self._skipped.append(skipped)
        self._pending.skipped.append(skipped)
        self._tell(skipped.uri)

    def _commit(self, job: int) -> None:
        pending, self._pending = self._pending, _Pending()
        with self._committing, self._catalogue.transaction():
            if pending.entries:
                keys = self._catalogue.put(pending.entries)
                self._seen.update(keys.tolist())
                new = np.flatnonzero(keys != np.array(pending.owners))
                rewritten = np.flatnonzero(pending.rewritten)
                self._model.words.add(keys[rewritten], words_of_items(pending.entries[row].item for row in rewritten))
                for space, store in self._model.stores.items():
                    if len(new):
                        store.add(keys[new], concatenate([pending.vectors[row][space] for row in new], store.space))
            unusable = self._catalogue.known(one.uri for one in pending.skipped)
            self._catalogue.vanish(known.key for known in unusable.values())
            self._catalogue.skip(pending.skipped)
            self._catalogue.move_to_source(pending.taken_over, self._place)
            self._catalogue.update_job(job, self._job_counts())
        self._committed = time.perf_counter()

    def _finish(self, job: int, prune: bool) -> tuple[int, int]:
        """Note what is at the place no more; returns how many items vanished and how many were forgotten."""
        with self._catalogue.transaction():
            gone: set[int] = set()
            for place in spellings(self._place) if self._place else ():
                gone.update(self._catalogue.under(place).tolist())
                left_out = self._catalogue.skipped_under(place) - {one.uri for one in self._skipped}
                self._catalogue.forget_skipped(left_out)
            gone -= self._seen.union(self._catalogue.vanished().tolist())
            self._catalogue.vanish(gone)
            pruned = self._catalogue.remove(self._catalogue.vanished()) if prune else 0
            self._catalogue.update_job(job, self._job_counts(), done=True)
        return len(gone), pruned

    def _job_counts(self) -> dict[str, int]:
        return {**self._counts, "skipped": len(self._skipped)}

    def _tell(self, uri: str) -> None:
        if self._report is None:
            return
        done = sum(self._counts.values()) + len(self._skipped)
        rate = self._read / max(time.perf_counter() - self._began, 1e-9)
        left = max(self._total - done, 0) / rate if rate else None
        self._report(Progress(done, self._total, len(self._skipped), rate, left, uri))


def _stamped(item: Item) -> Item:
    """The item with its stamp, also where the source does not give one."""
    return item if item.stamp is not None else item.replace(stamp=_stamp(item.uri))


def _stamp(uri: str) -> Stamp | None:
    try:
        return read_stamp(uri)
    except PictureError:
        return None


def _same(known: Known, item: Item, said: str) -> bool:
    stays = item.stamp is not None and known.stamp == item.stamp and known.digest == said
    return stays and not known.vanished


def _exists(uri: str) -> bool:
    try:
        read_stamp(uri)
    except PictureError as error:
        return error.reason != "vanished"
    return True
