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
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from limner.collection.model import OpenModel
from limner.collection.records import AddReport
from limner.collection.written import words_of_items
from limner.core.errors import InputError, MissingDependency, ModelMismatch, StorageError
from limner.core.types import Dense, Floats, Item, Stamp
from limner.index.catalogue import Catalogue
from limner.index.place import Vectors
from limner.index.records import Entry, Known, regions_from_json, regions_to_json

FORMAT = 1
_ROWS = 4096
_TEXTS = ("id", "uri", "modality", "texts", "fields", "regions", "content_hash", "digest")
_NUMBERS = ("size", "modified_ns")

Row: TypeAlias = dict[str, Any]
Written: TypeAlias = Iterator[tuple[list[Row], Floats]]
Read: TypeAlias = Iterator[tuple[list[Entry], Floats]]


def export_vectors(catalogue: Catalogue, model: OpenModel, store: Vectors, path: Path) -> int:
    """Write all vectors of a space with their items; returns how many.

    `store` is used by nobody else. Raises InputError for a name of another kind or nothing to write, StorageError.
    """
    write = {".npy": _write_npy, ".parquet": _write_parquet}.get(path.suffix)
    if write is None:
        raise InputError(f"{path}: a name that ends in .npy or .parquet is needed")
    if store.space.kind != "dense":
        raise InputError(f"space {store.space.name}: only spaces with one vector an item can be exported")
    with catalogue.reading():  # one moment of the collection, whoever writes meanwhile
        keys = np.intersect1d(catalogue.select(), store.placed(), assume_unique=True).tolist()
        if not keys:
            raise InputError("the collection holds no vectors: index some pictures first")
        about = {
            "limner": FORMAT,
            "model": model.encoder.bundle.manifest.name,
            "fingerprint": model.record.fingerprint,
            "space": store.space.name,
            "dimension": store.space.size,
            "count": len(keys),
        }
        try:
            write(path, about, _rows_to_write(catalogue, store, keys))
        except OSError as error:
            raise StorageError(f"{path}: cannot be written ({error.strerror}); mend that and export again") from error
    return len(keys)


def import_vectors(catalogue: Catalogue, model: OpenModel, path: Path) -> AddReport:
    """Put the items of an exported file with their vectors, all or none; items at known places are updated.

    Raises InputError for a file that is not whole, ModelMismatch for vectors of another model.
    """
    read = {".npy": _read_npy, ".parquet": _read_parquet}.get(path.suffix)
    if read is None:
        raise InputError(f"{path}: give a .npy or .parquet file that limner export wrote")
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    began = time.perf_counter()
    with _whole(path):
        about, batches = read(path)
        store = _store_for(about, model, path)
    added = updated = 0
    with catalogue.transaction():
        model.choose()
        job = catalogue.start_job("import", str(path.absolute()))
        for entries, vectors in _checked(path, batches):
            known = catalogue.known(entry.item.uri for entry in entries)
            keys = catalogue.put(entries)
            store.add(keys, Dense(vectors))
            model.words.add(keys, words_of_items(entry.item for entry in entries))
            added, updated = added + len(entries) - len(known), updated + len(known)
        catalogue.update_job(job, {"added": added, "updated": updated}, done=True)
    model.refresh()
    return AddReport(added=added, updated=updated, seconds=time.perf_counter() - began)


def _store_for(about: Row, model: OpenModel, path: Path) -> Vectors:
    if about["limner"] != FORMAT:
        raise InputError(f"{path}: export format {about['limner']} is unknown here; update limner")
    if about["fingerprint"] != model.record.fingerprint:
        raise ModelMismatch(
            f"{path}: vectors of model {about['model']} ({about['fingerprint'][:12]}), not of "
            f"{model.encoder.bundle.manifest.name} ({model.record.fingerprint[:12]}); index the pictures instead"
        )
    if set(model.stores) != {about["space"]}:
        spaces = ", ".join(model.stores)
        raise InputError(f"{path}: holds space {about['space']}, the model needs {spaces}; index the pictures instead")
    return model.stores[about["space"]]


def _rows_to_write(catalogue: Catalogue, store: Vectors, keys: list[int]) -> Written:
    rest = iter(keys)
    while chunk := list(islice(rest, _ROWS)):
        items = catalogue.get(chunk)
        known = catalogue.known(item.uri for item in items.values())
        found, vectors = store.take(np.array(chunk, np.int64))
        assert isinstance(vectors, Dense)
        if len(found) < len(chunk):
            raise StorageError(f"space {store.space.name}: vectors are missing or were replaced just now; export again")
        yield [_row(items[key], known[items[key].uri]) for key in chunk], vectors.values


def _row(item: Item, known: Known) -> Row:
    return {
        "id": item.id,
        "uri": item.uri,
        "modality": item.modality,
        "texts": json.dumps(item.texts),
        "fields": json.dumps(dict(item.fields)),
        "regions": regions_to_json(item.regions),
        "size": item.stamp.size if item.stamp else None,
        "modified_ns": item.stamp.modified_ns if item.stamp else None,
        "content_hash": known.content_hash,
        "digest": known.digest,
    }


def _entry(row: Row) -> Entry:
    """The inverse of `_row`. Raises KeyError, TypeError or ValueError for what is none."""
    if not all(isinstance(row[name], str) for name in _TEXTS):
        raise TypeError(row)
    item = Item(
        uri=row["uri"],
        # An id that the other collection gave is not ours to keep: it may be taken here.
        id="" if row["id"][:1] == "i" and row["id"][1:].isdecimal() else row["id"],
        modality=row["modality"],
        texts=tuple(json.loads(row["texts"])),
        fields=dict(json.loads(row["fields"])),
        regions=regions_from_json(row["regions"]),
        stamp=None if row["size"] is None else Stamp(row["size"], row["modified_ns"]),
    )
    return Entry(item, row["content_hash"], row["digest"])


def _write_npy(path: Path, about: Row, batches: Written) -> None:
    beside = path.with_suffix(".jsonl")
    if beside.exists() and not _is_export(beside):
        raise InputError(f"{beside}: exists and is no export of limner's; choose another name than {path.name}")
    shape = (about["count"], about["dimension"])
    # Written from front to back: on a full disk, writing to a mapped file kills the process.
    with (
        _replacing(path) as matrix,
        _replacing(beside) as table,
        matrix.open("wb") as vectors,
        table.open("w", encoding="utf-8") as lines,
    ):
        header = {"descr": "<f4", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(vectors, header)
        lines.write(json.dumps(about) + "\n")
        for rows, values in batches:
            vectors.write(values.astype("<f4").tobytes())
            lines.writelines(json.dumps(row) + "\n" for row in rows)


def _is_export(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(9) == b'{"limner"'


def _read_npy(path: Path) -> tuple[Row, Read]:
    vectors, beside = np.lib.format.open_memmap(path, "r"), path.with_suffix(".jsonl")
    with beside.open(encoding="utf-8") as lines:
        about = json.loads(next(lines, "null"))
    if vectors.shape != (about["count"], about["dimension"]):
        raise ValueError(f"{vectors.shape} vectors, {about['count']} announced")

    def batches() -> Read:
        done = 0
        with beside.open(encoding="utf-8") as lines:
            next(lines)
            while entries := [_entry(json.loads(line)) for line in islice(lines, _ROWS)]:
                yield entries, np.array(vectors[done : done + len(entries)], np.float32)
                done += len(entries)
        if done != about["count"]:
            raise ValueError(f"{done} items, {about['count']} announced")

    return about, batches()


def _parquet() -> Any:
    try:
        import pyarrow.parquet as parquet
    except ImportError as error:
        raise MissingDependency("pyarrow", "a .parquet file", "parquet") from error
    return parquet


def _write_parquet(path: Path, about: Row, batches: Written) -> None:
    parquet = _parquet()
    import pyarrow

    columns = [(name, pyarrow.string()) for name in _TEXTS] + [(name, pyarrow.int64()) for name in _NUMBERS]
    vector = pyarrow.list_(pyarrow.float32(), about["dimension"])
    schema = pyarrow.schema([*columns, ("vector", vector)], metadata={"limner": json.dumps(about)})
    with _replacing(path) as partial, parquet.ParquetWriter(partial, schema) as writer:
        for rows, values in batches:
            arrays = [pyarrow.array([row[name] for row in rows], kind) for name, kind in columns]
            arrays.append(pyarrow.FixedSizeListArray.from_arrays(values.ravel(), about["dimension"]))
            writer.write_table(pyarrow.Table.from_arrays(arrays, schema=schema))


def _read_parquet(path: Path) -> tuple[Row, Read]:
    table = _parquet().ParquetFile(path)
    about = json.loads(table.schema_arrow.metadata[b"limner"])
    if table.metadata.num_rows != about["count"]:
        raise ValueError(f"{table.metadata.num_rows} rows, {about['count']} announced")

    def batches() -> Read:
        for batch in table.iter_batches(_ROWS):
            entries = [_entry(row) for row in batch.drop_columns(["vector"]).to_pylist()]
            vectors = batch.column("vector").flatten().to_numpy(zero_copy_only=False)
            yield entries, vectors.reshape(len(entries), about["dimension"]).astype(np.float32)

    return about, batches()


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """A file to write, which takes the place of `path` when it is whole."""
    partial = path.with_name(f"{path.name}.part")
    try:
        yield partial
        os.replace(partial, path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


@contextmanager
def _whole(path: Path) -> Iterator[None]:
    """What reading a file that is no export, or half of one, raises, as an InputError."""
    try:
        yield
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: not a whole file of limner export; export it again") from error


def _checked(path: Path, batches: Read) -> Read:
    while True:
        with _whole(path):
            batch = next(batches, None)
        if batch is None:
            return
        yield batch
