"""The same items under another model: new vectors grow beside the old ones, which answer until the change-over."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import islice

import numpy as np

from limner.collection.adding import BATCH, COMMIT_ROWS, COMMIT_SECONDS
from limner.collection.model import OpenModel, rows_of
from limner.collection.records import AddReport, OnProgress, Progress
from limner.collection.written import write_missing
from limner.core.errors import InputError, PictureError
from limner.core.types import Integers, Item, Representation, concatenate
from limner.data.content import read_bytes
from limner.data.pictures import read_picture
from limner.encode.stream import Encoded, Loaded, encode_stream
from limner.encode.words import FINGERPRINT
from limner.index.catalogue import Catalogue
from limner.index.records import Skipped

_Keyed = tuple[int, Item]


class Reindexing:
    """One run. The caller holds the writer's lock."""

    def __init__(self, catalogue: Catalogue, model: OpenModel, report: OnProgress | None) -> None:
        self._catalogue, self._model, self._report = catalogue, model, report
        self._keys: list[int] = []
        self._vectors: list[dict[str, Representation]] = []
        """Encoded and not yet committed, with `_keys`."""
        self._updated = self._total = 0
        self._skipped: list[Skipped] = []
        self._unusable: list[int] = []
        self._began = self._committed = time.perf_counter()

    def run(self) -> AddReport:
        """Give every item a vector of the model in each space, then make it the collection's model.

        Goes on where an interrupted run stopped. An item whose file cannot be used any more is marked
        as vanished with the change-over. Raises InputError, and changes nothing, if that is so of all.
        """
        job = self._catalogue.start_job("reindex", self._model.record.name)
        for store in (*self._model.stores.values(), self._model.words):
            store.drop_damaged()
        wanted = self._missing()
        self._total = len(wanted)
        items = _keyed(self._catalogue, wanted)
        for batch in encode_stream(self._model.encoder, "image", items, self._load, batch_size=BATCH):
            self._take(batch)
            if len(self._keys) >= COMMIT_ROWS or time.perf_counter() - self._committed > COMMIT_SECONDS:
                self._commit(job)
        self._commit(job)
        if self._skipped and not any(len(store.placed()) for store in self._model.stores.values()):
            first = self._skipped[0]
            raise InputError(f"none of the {self._total} pictures can be read ({first.uri}: {first.reason}); mend that")
        with self._catalogue.transaction():
            self._catalogue.vanish(self._unusable)
            self._catalogue.use_model(self._model.record, beside=[FINGERPRINT])
            write_missing(self._catalogue, self._model.words)
            self._catalogue.update_job(job, self._job_counts(), done=True)
        self._model.refresh()
        seconds = time.perf_counter() - self._began
        return AddReport(updated=self._updated, skipped=tuple(self._skipped), seconds=seconds)

    def _missing(self) -> Integers:
        """Keys of the items that lack a vector of the model in some space."""
        missing: Integers = np.unique(np.concatenate([store.missing() for store in self._model.stores.values()]))
        return missing

    def _load(self, keyed: _Keyed) -> Loaded[None]:
        uri = keyed[1].uri
        return Loaded(None, read_picture(read_bytes(uri), uri, shorter_side=self._model.encoder.picture_side)[0])

    def _take(self, batch: Encoded[_Keyed, None]) -> None:
        self._keys += [key for (key, _), _ in batch.encoded]
        self._vectors += rows_of(batch.features, len(batch.encoded))
        self._updated += len(batch.encoded)
        for (key, item), error in batch.failed:
            reason = error.reason if isinstance(error, PictureError) else str(error)
            self._skipped.append(Skipped(item.uri, reason, item.stamp))
            self._unusable.append(key)
        if self._report is not None:
            done = self._updated + len(self._skipped)
            rate = self._updated / (time.perf_counter() - self._began)
            left = (self._total - done) / rate if rate else None
            items = [item for (_, item), _ in batch.encoded] + [item for (_, item), _ in batch.failed]
            self._report(Progress(done, self._total, len(self._skipped), rate, left, items[-1].uri))

    def _commit(self, job: int) -> None:
        with self._catalogue.transaction():
            if self._keys:
                for space, store in self._model.stores.items():
                    rows = [row[space] for row in self._vectors]
                    store.add(np.array(self._keys, np.int64), concatenate(rows, store.space))
            self._catalogue.update_job(job, self._job_counts())
        self._keys, self._vectors = [], []
        self._committed = time.perf_counter()

    def _job_counts(self) -> dict[str, int]:
        return {"updated": self._updated, "skipped": len(self._skipped)}


def _keyed(catalogue: Catalogue, keys: Integers) -> Iterator[_Keyed]:
    """Items with their keys, a few hundred in memory at a time."""
    rest = iter(keys.tolist())
    while chunk := list(islice(rest, COMMIT_ROWS)):
        items = catalogue.get(chunk)
        yield from ((key, items[key]) for key in chunk)
