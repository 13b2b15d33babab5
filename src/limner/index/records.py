"""What the catalogue takes and gives besides items, and how texts, regions and digests are written."""

from __future__ import annotations

import base64
import hashlib
import json
import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from limner.core.errors import InputError
from limner.core.types import FieldValue, Item, Region, Stamp
from limner.index.database import encodable

JobState = Literal["running", "done", "interrupted"]


@dataclass(frozen=True, slots=True)
class Entry:
    """An item to be put into the catalogue."""

    item: Item
    content_hash: str = ""
    """Of the item's bytes. Empty: not known."""
    digest: str = ""
    """What `digest` makes of the item as its source described it."""
    source: str = ""
    """The folder, archive or table that gave it. Empty: none."""


@dataclass(frozen=True, slots=True)
class Known:
    """What tells whether an item has changed since it was put."""

    key: int
    id: str
    uri: str
    stamp: Stamp | None
    content_hash: str
    digest: str
    source: str
    vanished: bool


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file that could not be used, and why. While its stamp stays the same it need not be read again."""

    uri: str
    reason: str
    stamp: Stamp | None = None
    source: str = ""


@dataclass(frozen=True, slots=True)
class Model:
    """The model that a collection's vectors come from."""

    name: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Job:
    """One run of an operation that changes the collection. Times are ISO 8601 in UTC."""

    id: int
    kind: str
    source: str
    state: JobState
    counts: Mapping[str, int]
    started: str
    finished: str | None


def digest(item: Item) -> str:
    """A short text that changes when the id, modality, texts, fields or regions of `item` do (not its bytes)."""
    fields = [[name, item.fields[name]] for name in sorted(item.fields)]
    said = json.dumps([item.id, item.modality, item.texts, fields, regions_to_json(item.regions)], default=repr)
    return hashlib.blake2b(said.encode(), digest_size=16).hexdigest()


def check_value(value: FieldValue, name: str, uri: str) -> FieldValue:
    """`value` as SQLite keeps it. Raises InputError for what is neither text nor a number."""
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return float(value)
    if isinstance(value, int | float) and not math.isnan(value):
        return value
    raise InputError(f"{uri}: field {name!r} is {value!r}, neither text nor a number; leave it out")


def item_row(key: int, id: str, entry: Entry) -> tuple[object, ...]:
    """The columns of an entry, in the order of the table `items`."""
    item = entry.item
    return (
        key,
        encodable(id),
        encodable(item.uri),
        item.modality,
        json.dumps(item.texts),
        regions_to_json(item.regions),
        *stamp_columns(item.stamp),
        entry.content_hash,
        entry.digest,
        encodable(entry.source),
    )


def item_from_row(row: Sequence[Any], fields: Mapping[str, FieldValue]) -> Item:
    """An item from its columns: id, uri, modality, texts, regions, size, modified_ns."""
    id, uri, modality, texts, regions, *stamp = row
    return Item(uri, id, modality, tuple(json.loads(texts)), fields, regions_from_json(regions), stamp_of(*stamp))


def known_from_row(row: Sequence[Any]) -> Known:
    """From the columns key, id, uri, size, modified_ns, content_hash, digest, source, vanished."""
    key, id, uri, size, modified_ns, content_hash, digest, source, vanished = row
    return Known(key, id, uri, stamp_of(size, modified_ns), content_hash, digest, source, bool(vanished))


def stamp_of(size: int | None, modified_ns: int | None) -> Stamp | None:
    return None if size is None or modified_ns is None else Stamp(size, modified_ns)


def stamp_columns(stamp: Stamp | None) -> tuple[int | None, int | None]:
    return (None, None) if stamp is None else (stamp.size, stamp.modified_ns)


def regions_to_json(regions: tuple[Region, ...]) -> str:
    return json.dumps([{"box": region.box, "label": region.label, "mask": _pack(region.mask)} for region in regions])


def regions_from_json(text: str) -> tuple[Region, ...]:
    return tuple(Region(tuple(entry["box"]), entry["label"], _unpack(entry["mask"])) for entry in json.loads(text))


def _pack(mask: npt.NDArray[np.bool_] | None) -> dict[str, Any] | None:
    if mask is None:
        return None
    bits = base64.b64encode(zlib.compress(np.packbits(mask).tobytes())).decode()
    return {"shape": mask.shape, "bits": bits}


def _unpack(packed: dict[str, Any] | None) -> npt.NDArray[np.bool_] | None:
    if packed is None:
        return None
    bits = np.frombuffer(zlib.decompress(base64.b64decode(packed["bits"])), np.uint8)
    shape = tuple(packed["shape"])
    return np.unpackbits(bits, count=math.prod(shape)).astype(np.bool_).reshape(shape)
