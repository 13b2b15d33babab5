"""Vectors out of a collection and into one, as standard files.

    x.npy + x.jsonl    (n, d) float32; a line of JSON for what the file is, then one for each row
    x.parquet          one table: a column `vector`, the item in the others, what the file is in its metadata

Both carry the fingerprint of the model, so that vectors of two models never mix.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from limner.collection.records import AddReport
from limner.core.errors import InputError, MissingDependency, ModelMismatch, StorageError
from limner.core.types import Floats, Item, Stamp
from limner.encode.onnx import OnnxEncoder
from limner.index.catalogue import Catalogue
from limner.index.records import Entry, Known, regions_from_json, regions_to_json
from limner.index.vectors import VectorStore

FORMAT = 1
_ROWS = 4096

Row: TypeAlias = dict[str, Any]
Batch: TypeAlias = tuple[list[Row], Floats]


def export_vectors(catalogue: Catalogue, store: VectorStore, encoder: OnnxEncoder, path: Path) -> int:
    """Write all vectors of a space with their items; returns how many. Raises InputError, StorageError."""
    writers = {".npy": _write_npy, ".parquet": _write_parquet}
    if path.suffix not in writers:
        raise InputError(f"{path}: a name that ends in .npy or .parquet is needed")
    keys, _ = store.take(catalogue.select())
    if not len(keys):
        raise InputError("the collection holds no vectors: index some pictures first")
    about = {
        "limner": FORMAT,
        "model": encoder.bundle.manifest.name,
        "fingerprint": encoder.fingerprint,
        "space": store.space.name,
        "dimension": store.space.size,
        "count": len(keys),
    }
    try:
        writers[path.suffix](path, about, _batches(catalogue, store, keys.tolist()))
    except OSError as error:
        raise StorageError(f"{path}: cannot be written ({error.strerror}); mend that and export again") from error
    return len(keys)


def import_vectors(catalogue: Catalogue, stores: dict[str, VectorStore], encoder: OnnxEncoder, path: Path) -> AddReport:
    """Put the items of an exported file with their vectors; items at known places are updated."""
    readers = {".npy": _read_npy, ".parquet": _read_parquet}
    if path.suffix not in readers:
        raise InputError(f"{path}: give a .npy or .parquet file that limner export wrote")
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    began = time.perf_counter()
    job = catalogue.start_job("import", str(path.absolute()))
    added = updated = 0
    try:
        reading = readers[path.suffix](path)
        about = next(reading)
        store = _store_for(about, stores, encoder, path)
        for rows, vectors in reading:
            entries = [_entry(row) for row in rows]
            with catalogue.transaction():
                known = catalogue.known(entry.item.uri for entry in entries)
                store.add(catalogue.put(entries), vectors)
            added, updated = added + len(entries) - len(known), updated + len(known)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: not a whole file of limner export ({error}); export it again") from error
    catalogue.update_job(job, {"added": added, "updated": updated}, done=True)
    return AddReport(added=added, updated=updated, seconds=time.perf_counter() - began)


def _store_for(about: Row, stores: dict[str, VectorStore], encoder: OnnxEncoder, path: Path) -> VectorStore:
    if about["limner"] != FORMAT:
        raise InputError(f"{path}: export format {about['limner']} is unknown here; update limner")
    if about["fingerprint"] != encoder.fingerprint:
        raise ModelMismatch(
            f"{path}: vectors of model {about['model']} ({about['fingerprint'][:12]}), not of "
            f"{encoder.bundle.manifest.name} ({encoder.fingerprint[:12]}); index the pictures instead"
        )
    if set(stores) != {about["space"]}:
        raise InputError(f"{path}: holds space {about['space']}, the model needs {', '.join(stores)}; index instead")
    return stores[about["space"]]


def _batches(catalogue: Catalogue, store: VectorStore, keys: list[int]) -> Iterator[Batch]:
    rest = iter(keys)
    while chunk := list(islice(rest, _ROWS)):
        items = catalogue.get(chunk)
        known = {one.uri: one for one in catalogue.known(item.uri for item in items.values()).values()}
        _, vectors = store.take(np.array(chunk, np.int64))
        yield [_row(items[key], known[items[key].uri]) for key in chunk], vectors


def _row(item: Item, known: Known) -> Row:
    return {
        "id": item.id,
        "uri": item.uri,
        "modality": item.modality,
        "texts": json.dumps(item.texts, ensure_ascii=False),
        "fields": json.dumps(dict(item.fields), ensure_ascii=False),
        "regions": regions_to_json(item.regions),
        "size": item.stamp.size if item.stamp else None,
        "modified_ns": item.stamp.modified_ns if item.stamp else None,
        "content_hash": known.content_hash,
        "digest": known.digest,
    }


def _entry(row: Row) -> Entry:
    stamp = None if row["size"] is None else Stamp(row["size"], row["modified_ns"])
    item = Item(
        uri=row["uri"],
        # An id that the other collection gave is not ours to keep: it may be taken here.
        id="" if row["id"][:1] == "i" and row["id"][1:].isdecimal() else row["id"],
        modality=row["modality"],
        texts=tuple(json.loads(row["texts"])),
        fields=json.loads(row["fields"]),
        regions=regions_from_json(row["regions"]),
        stamp=stamp,
    )
    return Entry(item, row["content_hash"], row["digest"])


def _write_npy(path: Path, about: Row, batches: Iterator[Batch]) -> None:
    partial, beside = path.with_suffix(".part.npy"), path.with_suffix(".part.jsonl")
    vectors = np.lib.format.open_memmap(partial, "w+", np.float32, (about["count"], about["dimension"]))
    done = 0
    with beside.open("w", encoding="utf-8", errors="surrogateescape") as lines:
        lines.write(json.dumps(about) + "\n")
        for rows, values in batches:
            vectors[done : done + len(rows)] = values
            done += len(rows)
            lines.writelines(json.dumps(row) + "\n" for row in rows)
    vectors.flush()
    os.replace(beside, path.with_suffix(".jsonl"))
    os.replace(partial, path)


def _read_npy(path: Path) -> Iterator[Any]:
    vectors = np.load(path, mmap_mode="r", allow_pickle=False)
    with path.with_suffix(".jsonl").open(encoding="utf-8") as lines:
        about = json.loads(next(lines, "{}"))
        if vectors.shape != (about["count"], about["dimension"]):
            raise ValueError(f"{vectors.shape} vectors, {about['count']} announced")
        yield about
        done = 0
        while rows := [json.loads(line) for line in islice(lines, _ROWS)]:
            yield rows, np.array(vectors[done : done + len(rows)], np.float32)
            done += len(rows)
    if done != about["count"]:
        raise ValueError(f"{done} items, {about['count']} announced")


def _parquet() -> Any:
    try:
        import pyarrow.parquet as parquet
    except ImportError as error:
        raise MissingDependency("pyarrow", "a .parquet file", "parquet") from error
    return parquet


def _write_parquet(path: Path, about: Row, batches: Iterator[Batch]) -> None:
    parquet = _parquet()
    import pyarrow

    texts = ("id", "uri", "modality", "texts", "fields", "regions", "content_hash", "digest")
    columns = [(name, pyarrow.string()) for name in texts]
    columns += [("size", pyarrow.int64()), ("modified_ns", pyarrow.int64())]
    vector = pyarrow.list_(pyarrow.float32(), about["dimension"])
    schema = pyarrow.schema([*columns, ("vector", vector)], metadata={"limner": json.dumps(about)})
    partial = path.with_suffix(".part.parquet")
    with parquet.ParquetWriter(partial, schema) as writer:
        for rows, values in batches:
            arrays = [pyarrow.array([row[name] for row in rows], kind) for name, kind in columns]
            arrays.append(pyarrow.FixedSizeListArray.from_arrays(values.ravel(), about["dimension"]))
            writer.write_table(pyarrow.Table.from_arrays(arrays, schema=schema))
    os.replace(partial, path)


def _read_parquet(path: Path) -> Iterator[Any]:
    table = _parquet().ParquetFile(path)
    about = json.loads((table.schema_arrow.metadata or {})[b"limner"])
    yield about
    for batch in table.iter_batches(_ROWS):
        vectors = batch.column("vector").flatten().to_numpy(zero_copy_only=False)
        rows = batch.drop_columns(["vector"]).to_pylist()
        yield rows, vectors.reshape(len(rows), about["dimension"]).astype(np.float32)
