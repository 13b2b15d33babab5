"""Pictures into a collection: read what is new, encode it, commit it batch by batch.

    unchanged    size, time of change and what the source says are as known: nothing is read
    known bytes  the content hash is known: the vector is kept or copied, nothing is encoded; a file that
                 was moved keeps its id
    otherwise    decoded and encoded

Whatever was committed before a run ended, however it ended, is unchanged for the next run.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from urllib.parse import quote

import numpy as np

from limner.collection.records import AddReport, Progress, Report
from limner.core.errors import InputError, PictureError
from limner.core.protocols import Source
from limner.core.types import Dense, FieldValue, Item
from limner.data.content import read_bytes, read_stamp
from limner.data.pictures import read_picture
from limner.encode.onnx import OnnxEncoder
from limner.encode.stream import Encoded, Loaded, encode_stream
from limner.index.catalogue import Catalogue
from limner.index.records import Entry, Known, Skipped, digest
from limner.index.vectors import VectorStore

BATCH = 32
"""Pictures that go through the model together; more brings no speed on a CPU and costs memory."""

COMMIT_ROWS, COMMIT_SECONDS = 512, 2.0
"""What a crash can cost at most: so many pictures, or so many seconds of work."""

_LOOKED_UP = 512
"""Items that are compared with the catalogue at once."""


@dataclass(frozen=True, slots=True)
class _Task:
    """An item that must be read, with what is known of the item at its place."""

    item: Item
    digest: str
    known: Known | None


@dataclass(frozen=True, slots=True)
class _Found:
    """What reading the bytes of an item brought, beside its pixels."""

    content_hash: str
    fields: dict[str, FieldValue]
    twin: Known | None
    """An item with the same bytes, whose vectors will do."""
    moved: bool
    """The twin's file has gone from where it was: this is the same item at another place."""


@dataclass(slots=True)
class _Pending:
    """Read and encoded, not yet committed."""

    entries: list[Entry] = field(default_factory=list)
    vectors: list[tuple[range, dict[str, np.ndarray]]] = field(default_factory=list)
    """Places in `entries` with their vectors in each space."""
    twins: list[tuple[int, int]] = field(default_factory=list)
    """(place in `entries`, key of the item whose vectors are copied)."""
    skipped: list[Skipped] = field(default_factory=list)
    gone: list[int] = field(default_factory=list)
    """Keys of items whose bytes cannot be used any more."""

    def __len__(self) -> int:
        return len(self.entries) + len(self.skipped)


class Adding:
    """One run over one source. The caller holds the writer's lock."""

    def __init__(
        self,
        catalogue: Catalogue,
        stores: dict[str, VectorStore],
        encoder: OnnxEncoder,
        report: Report | None,
    ) -> None:
        self._catalogue, self._stores, self._encoder, self._report = catalogue, stores, encoder, report
        self._counts = {"added": 0, "updated": 0, "unchanged": 0, "moved": 0}
        self._skipped: list[Skipped] = []
        self._seen: set[int] = set()
        self._ids: set[str] = set()
        self._pending = _Pending()
        self._before = set(catalogue.vanished().tolist())
        self._placed = [store.placed() for store in stores.values()]
        """Keys, ascending, of the items that had a vector in each space when the run began."""
        self._written: set[int] = set()
        self._began = self._committed = time.perf_counter()
        self._read = 0
        self._total = 0

    def run(self, source: Source, place: str, prune: bool) -> AddReport:
        """`place`: the folder, archive or table that the source stands for; "" for loose items."""
        job = self._catalogue.start_job("index", place)
        self._total = sum(1 for _ in source)
        for batch in encode_stream(self._encoder, "image", self._changed(source), self._load, batch_size=BATCH):
            self._take(batch)
            if len(self._pending) >= COMMIT_ROWS or time.perf_counter() - self._committed > COMMIT_SECONDS:
                self._commit(job)
        self._commit(job)
        vanished, pruned = self._finish(job, place, prune)
        seconds = time.perf_counter() - self._began
        return AddReport(
            **self._counts, vanished=vanished, pruned=pruned, skipped=tuple(self._skipped), seconds=seconds
        )

    def _changed(self, source: Iterable[Item]) -> Iterator[_Task]:
        """The items that must be read; the others are counted."""
        items = iter(source)
        while chunk := list(islice(items, _LOOKED_UP)):
            known = self._catalogue.known(item.uri for item in chunk)
            skipped = self._catalogue.skipped([item.uri for item in chunk])
            for item in chunk:
                said, before = digest(item), known.get(item.uri)
                if before is not None:
                    self._seen.add(before.key)
                if item.id and item.id in self._ids:
                    self._skip(Skipped(item.uri, f"the id {item.id!r} occurs twice in the source", item.stamp))
                    continue
                self._ids.update({item.id} - {""})
                if before and not before.vanished and _same(before, item, said):
                    self._counts["unchanged"] += 1
                    self._tell(item.uri)
                elif item.uri in skipped and item.stamp is not None and skipped[item.uri].stamp == item.stamp:
                    self._skipped.append(skipped[item.uri])
                    self._tell(item.uri)
                else:
                    yield _Task(item, said, before)

    def _load(self, task: _Task) -> Loaded[_Found]:
        """Runs in the pool's threads: bytes, their hash, and pixels where the vectors are not known."""
        content = read_bytes(task.item.uri)
        content_hash = hashlib.sha256(content).hexdigest()
        twin, moved = self._twin(task, content_hash)
        picture, fields = read_picture(content, task.item.uri, shorter_side=self._encoder.picture_side)
        return Loaded(_Found(content_hash, fields, twin, moved), None if twin else picture)

    def _twin(self, task: _Task, content_hash: str) -> tuple[Known | None, bool]:
        """An item of the same content that has vectors, and whether it was moved here."""
        if task.known is not None and task.known.content_hash == content_hash and self._has_vectors(task.known.key):
            return task.known, False
        twins = self._catalogue.known_contents([content_hash]).get(content_hash, [])
        twins = [twin for twin in twins if self._has_vectors(twin.key)]
        if task.known is None and not task.item.id:
            for twin in twins:
                if twin.key not in self._seen and not _exists(twin.uri):
                    return twin, True
        return next((twin for twin in twins if not twin.vanished), None), False

    def _has_vectors(self, key: int) -> bool:
        if key in self._written:
            return True
        places = (np.searchsorted(keys, key) for keys in self._placed)
        return all(place < len(keys) and keys[place] == key for place, keys in zip(places, self._placed, strict=True))

    def _take(self, batch: Encoded[_Task, _Found]) -> None:
        start = len(self._pending.entries)
        for task, found in batch.encoded:
            self._put(task, found)
        if batch.encoded:
            features = {name: values.values for name, values in batch.features.items() if isinstance(values, Dense)}
            self._pending.vectors.append((range(start, len(self._pending.entries)), features))
        for task, found in batch.known:
            self._put(task, found)
        for task, error in batch.failed:
            reason = error.reason if isinstance(error, PictureError) else str(error)
            self._skip(Skipped(task.item.uri, reason, task.item.stamp))
            if task.known is not None:
                self._pending.gone.append(task.known.key)
        self._read += len(batch.encoded) + len(batch.known) + len(batch.failed)

    def _put(self, task: _Task, found: _Found) -> None:
        item, twin, known = task.item, found.twin, task.known
        if twin is not None and found.moved and twin.key not in self._seen:  # the first copy is the moved file
            item, known, what = item.replace(id=twin.id), twin, "moved"
            self._seen.add(twin.key)
        else:
            what = "added" if known is None else "updated"
        if twin is not None and (known is None or known.key != twin.key):
            self._pending.twins.append((len(self._pending.entries), twin.key))
        self._counts[what] += 1
        fields = {**found.fields, **item.fields}
        self._pending.entries.append(Entry(item.replace(fields=fields), found.content_hash, task.digest))
        self._tell(item.uri)

    def _skip(self, skipped: Skipped) -> None:
        self._skipped.append(skipped)
        self._pending.skipped.append(skipped)
        self._tell(skipped.uri)

    def _commit(self, job: int) -> None:
        pending, self._pending = self._pending, _Pending()
        with self._catalogue.transaction():
            if pending.entries:
                keys = self._catalogue.put(pending.entries)
                self._seen.update(keys.tolist())
                self._written.update(keys.tolist())
                for name, store in self._stores.items():
                    store.add(*_rows(pending, name, keys, store))
            self._catalogue.vanish(pending.gone)
            self._catalogue.skip(pending.skipped)
            self._catalogue.update_job(job, {**self._counts, "skipped": len(self._skipped)})
        self._committed = time.perf_counter()

    def _finish(self, job: int, place: str, prune: bool) -> tuple[int, int]:
        """Note what is under `place` no more; returns how many items vanished and how many were forgotten."""
        with self._catalogue.transaction():
            if place:
                places = (place, f"file://{quote(os.fsencode(place))}")  # the latter for names that are not text
                for one in places:
                    gone = set(self._catalogue.under(one).tolist()) - self._seen
                    self._catalogue.vanish(sorted(gone))
                still = {one.uri for one in self._skipped}
                beneath = tuple(f"{one}{mark}" for one in places for mark in (os.sep, "::"))
                old = [uri for uri in self._catalogue.skipped() if uri.startswith(beneath) and uri not in still]
                self._catalogue.forget_skipped(old)
            vanished = [key for key in self._catalogue.vanished().tolist() if key not in self._before]
            pruned = self._catalogue.remove(self._catalogue.vanished()) if prune else 0
            self._catalogue.update_job(job, {**self._counts, "skipped": len(self._skipped)}, done=True)
        return len(vanished), pruned

    def _tell(self, uri: str) -> None:
        if self._report is None:
            return
        done = sum(self._counts.values()) + len(self._skipped)
        rate = self._read / max(time.perf_counter() - self._began, 1e-9)
        left = (self._total - done) / rate if rate else None
        self._report(Progress(done, self._total, len(self._skipped), rate, left, uri))


def _rows(pending: _Pending, space: str, keys: np.ndarray, store: VectorStore) -> tuple[np.ndarray, np.ndarray]:
    """The new vectors of a space: keys (n,) and values (n, d)."""
    places = [np.fromiter(rows, np.int64) for rows, _ in pending.vectors]
    values = [features[space] for _, features in pending.vectors]
    if pending.twins:
        wanted = np.array([key for _, key in pending.twins], np.int64)
        have, vectors = store.take(np.unique(wanted))
        places.append(np.array([place for place, _ in pending.twins], np.int64))
        values.append(vectors[np.searchsorted(have, wanted)])
    if not places:
        return np.empty(0, np.int64), np.empty((0, store.space.size), np.float32)
    return keys[np.concatenate(places)], np.concatenate(values)


def _same(known: Known, item: Item, said: str) -> bool:
    return item.stamp is not None and known.stamp == item.stamp and known.digest == said


def _exists(uri: str) -> bool:
    try:
        read_stamp(uri)
    except PictureError:
        return False
    return True


def as_source(source: str | Path | Source | Sequence[Item] | Iterable[Item]) -> tuple[Source, str]:
    """What can be added, as a source and the place it stands for ("" for loose items).

    Raises SourceError for a path that is none, InputError for loose items that share a uri.
    """
    if isinstance(source, str | os.PathLike):
        from limner.data.sources import open_source

        return open_source(Path(source)), os.path.abspath(os.path.expanduser(source))
    if isinstance(source, Iterator):
        source = list(source)
    if isinstance(source, list | tuple) and len({item.uri for item in source}) < len(source):
        raise InputError("two of the items to add have the same uri: give each once")
    return source, ""
