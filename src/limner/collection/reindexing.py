"""The same items under another model: new vectors grow beside the old ones, which answer until the change-over."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import islice

import numpy as np

from limner.collection.adding import BATCH, COMMIT_ROWS, COMMIT_SECONDS
from limner.collection.records import AddReport, Progress, Report
from limner.core.errors import PictureError
from limner.core.types import Dense, Integers, Item
from limner.data.content import read_bytes
from limner.data.pictures import read_picture
from limner.encode.onnx import OnnxEncoder
from limner.encode.stream import Loaded, encode_stream
from limner.index.catalogue import Catalogue
from limner.index.records import Model, Skipped
from limner.index.vectors import VectorStore

_Keyed = tuple[int, Item]


def reindex(
    catalogue: Catalogue,
    stores: dict[str, VectorStore],
    encoder: OnnxEncoder,
    name: str,
    report: Report | None,
) -> AddReport:
    """Give every item a vector of `encoder` in each space, then make that the collection's model.

    Goes on where an interrupted run stopped. An item whose file cannot be read any more stays in the
    catalogue, marked as vanished.
    """

    def load(keyed: _Keyed) -> Loaded[None]:
        uri = keyed[1].uri
        return Loaded(None, read_picture(read_bytes(uri), uri, shorter_side=encoder.picture_side)[0])

    def commit() -> None:
        with catalogue.transaction():
            for space, store in stores.items():
                if keys:
                    store.add(np.array(keys, np.int64), np.concatenate(vectors[space]))
            catalogue.vanish(gone)
            catalogue.update_job(job, {"updated": updated, "skipped": len(skipped)})
        for rows in (keys, gone, *vectors.values()):
            rows.clear()

    began = committed = time.perf_counter()
    job = catalogue.start_job("reindex", name)
    for store in stores.values():
        store.drop_damaged()
    wanted = np.unique(np.concatenate([catalogue.shards.missing(encoder.fingerprint, space) for space in stores]))
    updated, skipped = 0, list[Skipped]()
    keys, gone, vectors = list[int](), list[int](), {space: list[np.ndarray]() for space in stores}
    for batch in encode_stream(encoder, "image", _keyed(catalogue, wanted), load, batch_size=BATCH):
        keys += [key for (key, _), _ in batch.encoded]
        for space, values in batch.features.items():
            assert isinstance(values, Dense)
            vectors[space].append(values.values)
        for (key, item), error in batch.failed:
            reason = error.reason if isinstance(error, PictureError) else str(error)
            skipped.append(Skipped(item.uri, reason, item.stamp))
            gone.append(key)
        updated += len(batch.encoded)
        if report is not None:
            rate, done = updated / (time.perf_counter() - began), updated + len(skipped)
            left = (len(wanted) - done) / rate if rate else None
            report(Progress(done, len(wanted), len(skipped), rate, left, ""))
        if len(keys) >= COMMIT_ROWS or time.perf_counter() - committed > COMMIT_SECONDS:
            commit()
            committed = time.perf_counter()
    commit()
    with catalogue.transaction():
        catalogue.use_model(Model(name, encoder.fingerprint))
        catalogue.update_job(job, {"updated": updated, "skipped": len(skipped)}, done=True)
    return AddReport(updated=updated, skipped=tuple(skipped), seconds=time.perf_counter() - began)


def _keyed(catalogue: Catalogue, keys: Integers) -> Iterator[_Keyed]:
    """Items with their keys; one that was removed meanwhile is left out."""
    rest = iter(keys.tolist())
    while chunk := list(islice(rest, COMMIT_ROWS)):
        items = catalogue.get(chunk)
        yield from ((key, items[key]) for key in chunk if key in items)
