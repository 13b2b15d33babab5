"""Rows of a table -> Items: which column is the picture, which are texts, what becomes a field.

Used by every source that meets a record (a CSV row, a JSON line, a parquet row, a side-car).
"""

from __future__ import annotations

import math
import os
import posixpath
from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any, TypeAlias

from limner.core.errors import InputError, PictureError, SourceError
from limner.core.types import FieldValue, Item, Region, Stamp
from limner.data.content import REST, read_stamp

PICTURE_COLUMNS = ("image", "path", "file", "filename", "file_name", "image_path", "image_name", "img", "uri")
TEXT_COLUMNS = ("captions", "caption", "texts", "text")
REGION_COLUMNS = ("regions", "boxes")

Record: TypeAlias = tuple[str, int, Mapping[str, Any] | None]
"""(table, line number from 1, what it says by column); None for a line that cannot be read."""


def picture_column(names: Iterable[str]) -> str | None:
    """The name among `names` that holds the picture: the first of PICTURE_COLUMNS, whatever its case."""
    known = {str(name).strip().casefold(): name for name in reversed(list(names))}
    return next((known[name] for name in PICTURE_COLUMNS if name in known), None)


def item_from_row(uri: str, row: Mapping[str, Any], *, name: str, stamp: Stamp | None) -> Item:
    """One record as an Item.

    `name` is the picture's name inside its source ("cats/1.jpg"); it gives the fields `folder` and
    `name`, unless the record has its own. Scalars become fields, also those of a record inside it
    (`attributes.colour`); lists and what is nested deeper do not.
    """
    texts: list[str] = []
    fields = place_fields(name)
    regions: list[Region] = []
    item_id = ""
    picture = picture_column(row)
    for key, value in row.items():
        known = str(key).strip().casefold()
        if key == picture:
            continue
        if known in TEXT_COLUMNS:
            texts += _texts(value)
        elif known in REGION_COLUMNS:
            regions += _regions(value)
        elif known == "id" and isinstance(value, (str, int)):
            item_id = clean(str(value))
        elif isinstance(value, Mapping):
            scalars = ((f"{key}.{part}", field_value(entry)) for part, entry in value.items())
            fields |= {clean(part): scalar for part, scalar in scalars if scalar is not None}
        elif (scalar := field_value(value)) is not None:
            fields[clean(str(key).strip())] = scalar
    return Item(uri, item_id, texts=tuple(texts), fields=fields, regions=tuple(regions), stamp=stamp)


def place_fields(name: str) -> dict[str, FieldValue]:
    folder, base = posixpath.split(name)
    return {"folder": clean(folder), "name": clean(base)}


def items_from_rows(source: str, records: Iterable[Record], locate: Callable[[str, str], str]) -> Iterator[Item]:
    """The items of tables whose rows name their pictures; `locate` turns (table, name) into a uri.

    Rows of one picture become one item (a common table has a caption a row): all its texts, and for
    each field the first value. A broken line is an item that cannot be read, so that it is counted
    and named like a broken picture. Raises SourceError where no row names a picture.
    """
    items: dict[str, Item] = {}
    broken: list[Item] = []
    for table, line, row in records:
        column = picture_column(row) if row is not None else None
        name = row[column] if row is not None and column is not None else None
        if row is None or not isinstance(name, str) or not name.strip():
            broken.append(broken_line(table, line))
            continue
        name = clean(name.strip())
        uri = locate(table, name)
        if uri in items:
            items[uri] = _merged(items[uri], item_from_row(uri, row, name=name, stamp=items[uri].stamp))
        else:
            items[uri] = item_from_row(uri, row, name=name, stamp=stamp_or_none(uri))
    if not items:
        lines = f" (first broken line: {broken[0].uri.rpartition(' ')[2]})" if broken else ""
        raise SourceError(
            f"{source}: no row names a picture{lines}; call its column one of {', '.join(PICTURE_COLUMNS)}"
        )
    yield from items.values()
    yield from broken


def beside(table: str, name: str) -> str:
    """The uri of a picture that is named relative to the folder of its table; `x.tar::a.jpg` will do as well."""
    return name if "://" in name else os.path.normpath(os.path.join(os.path.dirname(table), name))


def broken_line(table: str, line: int) -> Item:
    """Stands for a line that is no row of its table; opening it raises PictureError "broken line"."""
    return Item(f"{table}::line {line}", stamp=stamp_or_none(table))


def unreadable_rest(container: str) -> Item:
    """Stands for what a damaged archive or table no longer gives; opening it raises PictureError."""
    return Item(f"{container}::{REST}", stamp=stamp_or_none(container))


def stamp_or_none(uri: str) -> Stamp | None:
    try:
        return read_stamp(uri)
    except PictureError:
        return None


def field_value(value: Any) -> FieldValue | None:
    """A scalar as a filterable value; None for what cannot be one (nothing, not a number, a list)."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int):
        return value if -(2**63) <= value < 2**63 else str(value)
    if isinstance(value, (float, Decimal)):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, str):
        return clean(value)
    return str(value.isoformat()) if hasattr(value, "isoformat") else None  # dates and times, as parquet has them


def clean(text: str) -> str:
    """Text that can be stored: half a surrogate pair, which JSON can hold and UTF-8 cannot, as backslashes."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def _texts(value: Any) -> list[str]:
    values = [value] if isinstance(value, str) else value if isinstance(value, (list, tuple)) else []
    return [text for text in (clean(one).strip() for one in values if isinstance(one, str)) if text]


def _regions(value: Any) -> list[Region]:
    """Boxes as [label, left, top, right, bottom], [left, top, right, bottom] or {"box": ..., "label": ...}.

    Only relative ones (0 to 1): pixels mean nothing before the picture is read.
    """
    regions = []
    for entry in value if isinstance(value, (list, tuple)) else ():
        label, box = "", entry
        if isinstance(entry, dict):
            label, box = entry.get("label") or "", entry.get("box")
        elif isinstance(entry, (list, tuple)) and len(entry) == 5:
            label, box = entry[0], entry[1:]
        try:
            left, top, right, bottom = (float(edge) for edge in box)
            regions.append(Region((left, top, right, bottom), clean(str(label))))
        except (TypeError, ValueError, InputError):
            continue
    return regions


def _merged(first: Item, second: Item) -> Item:
    return first.replace(
        id=first.id or second.id,
        texts=first.texts + tuple(text for text in second.texts if text not in first.texts),
        fields={**second.fields, **first.fields},
        regions=first.regions + tuple(region for region in second.regions if region not in first.regions),
    )
