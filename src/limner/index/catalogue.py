"""The catalogue: the ledger of a collection and the only truth about it. Vector files are named by it."""

from __future__ import annotations

import difflib
import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from limner.core.errors import CollectionError, InputError
from limner.core.query import Predicate
from limner.core.types import Integers, Item
from limner.index.database import Database, encodable
from limner.index.ledger import ShardLedger, integers, touch
from limner.index.predicate import BUILT_IN, compile_predicate, field_names
from limner.index.records import (
    Entry,
    Job,
    Known,
    Model,
    Skipped,
    check_value,
    item_from_row,
    item_row,
    known_from_row,
    stamp_columns,
    stamp_of,
)

Value = TypeVar("Value")

_CHUNK = 500
"""So many values are bound in one statement: every SQLite takes 999."""

_SHOWN_NAMES = 12

_PUT_ITEM = """
    INSERT INTO items (key, id, uri, modality, texts, regions, size, modified_ns, content_hash, digest, source)
    VALUES (?, CAST(? AS TEXT), CAST(? AS TEXT), ?, ?, ?, ?, ?, ?, ?, CAST(? AS TEXT))
    ON CONFLICT (key) DO UPDATE SET
        id = excluded.id, uri = excluded.uri, modality = excluded.modality, texts = excluded.texts,
        regions = excluded.regions, size = excluded.size, modified_ns = excluded.modified_ns,
        content_hash = excluded.content_hash, digest = excluded.digest, source = excluded.source, vanished = 0
"""
_KNOWN = "SELECT key, id, uri, size, modified_ns, content_hash, digest, source, vanished FROM items WHERE "


class Catalogue(Database):
    """Items with their fields, shards, skipped files and jobs, in the SQLite file `path`.

    Every method that changes something is a transaction of its own, or part of the one that is open:

        with catalogue.transaction():
            keys = catalogue.put(entries)
            index.add(keys, vectors)

    An item is known by its key, an int that is never used again. Keys in arrays are int64, ascending.
    """

    def __init__(self, path: str | Path, *, create: bool = False) -> None:
        super().__init__(path, create=create)
        self.shards = ShardLedger(self)

    # Items

    def put(self, entries: Sequence[Entry]) -> Integers:
        """Insert or update; returns the key of each entry, (n,) in the order given.

        An entry is the item of the same id, else the item at the same uri, else a new one (a new one
        without an id gets "i" and its key). Whatever other item stood at the uri is removed. When the
        content hash differs from the known one, the item's vectors are dead from then on. A vanished
        item is back. Raises InputError if an id or uri occurs twice or a field's value cannot be kept.
        """
        with self.transaction() as connection:
            keys, ids, changed, displaced = self._assign(connection, entries)
            self.remove(displaced)
            self.shards.bury(changed)
            # Items may swap places: first everybody leaves, then everybody moves in.
            connection.executemany("UPDATE items SET uri = char(0) || key WHERE key = ?", _singles(keys))
            connection.executemany(_PUT_ITEM, map(item_row, keys, ids, entries))
            _put_fields(connection, keys, entries)
            self.forget_skipped(entry.item.uri for entry in entries)
            touch(connection)
        return np.array(keys, np.int64)

    def get(self, keys: Iterable[int]) -> dict[int, Item]:
        """The items, by key; unknown keys are left out."""
        items: dict[int, Item] = {}
        with self.reading() as connection:
            for chunk in _chunks(_ints(keys)):
                marks = _marks(chunk)
                fields: dict[int, dict[str, str | int | float]] = {}
                for key, name, value in connection.execute(
                    f"SELECT item, name, value FROM fields WHERE item IN ({marks})", chunk
                ):
                    fields.setdefault(key, {})[name] = value
                for key, *row in connection.execute(
                    "SELECT key, id, uri, modality, texts, regions, size, modified_ns"
                    f" FROM items WHERE key IN ({marks})",
                    chunk,
                ):
                    items[key] = item_from_row(row, fields.get(key, {}))
        return items

    def each(self, keys: Iterable[int]) -> Iterator[Item]:
        """The items one by one, in the order of `keys`, a few hundred in memory at a time."""
        for chunk in _chunks(_ints(keys)):
            found = self.get(chunk)
            yield from (found[key] for key in chunk if key in found)

    def keys(self, ids: Iterable[str]) -> dict[str, int]:
        """The keys of the items with these ids; unknown ids are left out."""
        with self.reading() as connection:
            return dict(_look_up(connection, "SELECT id, key FROM items WHERE id", ids))

    def known(self, uris: Iterable[str]) -> dict[str, Known]:
        """What is known of the items at these places, by uri."""
        with self.reading() as connection:
            found = map(known_from_row, _look_up(connection, f"{_KNOWN} uri", uris))
            return {known.uri: known for known in found}

    def same_content(self, content_hash: str, most: int = -1) -> list[Known]:
        """The items with these bytes, vanished ones too, at most so many (-1: all), oldest first."""
        with self.reading() as connection:
            query = f"{_KNOWN} content_hash = ? ORDER BY key LIMIT ?"
            return [known_from_row(row) for row in connection.execute(query, (content_hash, most))]

    def select(self, where: Predicate | None = None) -> Integers:
        """Keys of the items that match and have not vanished.

        Raises InputError for a field that no item has, or a filter longer than SQLite takes.
        """
        condition, parameters = ("1", []) if where is None else compile_predicate(where)
        with self.reading() as connection:
            for name in sorted(field_names(where)) if where is not None else ():
                self._check_field(connection, name)
            try:
                return integers(
                    connection.execute(
                        f"SELECT key FROM items WHERE NOT vanished AND {condition} ORDER BY key", parameters
                    )
                )
            except sqlite3.OperationalError as error:
                if "too" not in str(error) and "overflow" not in str(error):
                    raise
                raise InputError(f"the filter is too long ({error}); ask with fewer conditions") from error

    def under(self, path: str | Path) -> Integers:
        """Keys of the items, vanished ones too, at this path: the file itself, what lies in it, what it gave."""
        condition, parameters = _at(path)
        with self.reading() as connection:
            return integers(connection.execute(f"SELECT key FROM items WHERE {condition} ORDER BY key", parameters))

    def move_to_source(self, keys: Iterable[int], source: str) -> None:
        """Note that these items, otherwise unchanged, are now given by this folder, archive or table."""
        with self.transaction() as connection:
            text = encodable(source)
            rows = [(text, key) for key in _ints(keys)]
            connection.executemany("UPDATE items SET source = CAST(? AS TEXT) WHERE key = ?", rows)

    def vanish(self, keys: Iterable[int]) -> None:
        """Note that the files of these items have gone: they are kept but found no more, until put again."""
        with self.transaction() as connection:
            query = "UPDATE items SET vanished = 1 WHERE key = ? AND NOT vanished"
            if connection.executemany(query, _singles(_ints(keys))).rowcount > 0:
                touch(connection)

    def vanished(self) -> Integers:
        """Keys of the vanished items."""
        with self.reading() as connection:
            return integers(connection.execute("SELECT key FROM items WHERE vanished ORDER BY key"))

    def remove(self, keys: Iterable[int]) -> int:
        """Forget these items with their fields and vectors. Returns how many there were."""
        gone = _ints(keys)
        with self.transaction() as connection:
            self.shards.bury(np.array(sorted(gone), np.int64))
            removed = connection.executemany("DELETE FROM items WHERE key = ?", _singles(gone)).rowcount
            if removed > 0:
                touch(connection)
        return max(removed, 0)

    def count(self) -> tuple[int, int]:
        """How many items there are, and how many more have vanished."""
        with self.reading() as connection:
            (vanished,) = connection.execute("SELECT COUNT(*) FROM items WHERE vanished").fetchone()
            (every,) = connection.execute("SELECT COUNT(*) FROM items").fetchone()
            return every - vanished, vanished

    def fields(self) -> dict[str, int]:
        """The names of all fields, and how many items have each; vanished ones do not count."""
        present = "SELECT key FROM items WHERE NOT vanished"
        query = f"SELECT name, COUNT(*) FROM fields WHERE item IN ({present}) GROUP BY name ORDER BY name"
        with self.reading() as connection:
            return dict(connection.execute(query))

    # Skipped files

    def skip(self, skipped: Iterable[Skipped]) -> None:
        """Note files that could not be used."""
        with self.transaction() as connection:
            connection.executemany(
                "INSERT OR REPLACE INTO skipped (uri, reason, source, size, modified_ns)"
                " VALUES (CAST(? AS TEXT), CAST(? AS TEXT), CAST(? AS TEXT), ?, ?)",
                ((*map(encodable, (one.uri, one.reason, one.source)), *stamp_columns(one.stamp)) for one in skipped),
            )

    def forget_skipped(self, uris: Iterable[str]) -> None:
        with self.transaction() as connection:
            connection.executemany(
                "DELETE FROM skipped WHERE uri = CAST(? AS TEXT)", ((encodable(uri),) for uri in uris)
            )

    def skipped(self, uris: Iterable[str] | None = None) -> dict[str, Skipped]:
        """The skipped files by uri: all, or those at these places."""
        query = "SELECT uri, reason, source, size, modified_ns FROM skipped"
        with self.reading() as connection:
            if uris is None:
                rows = connection.execute(f"{query} ORDER BY uri").fetchall()
            else:
                rows = list(_look_up(connection, f"{query} WHERE uri", uris))
        return {uri: Skipped(uri, reason, stamp_of(*stamp), source) for uri, reason, source, *stamp in rows}

    def skipped_under(self, path: str | Path) -> set[str]:
        """The uris of the skipped files at this path, as `under` means it."""
        condition, parameters = _at(path)
        with self.reading() as connection:
            return {uri for (uri,) in connection.execute(f"SELECT uri FROM skipped WHERE {condition}", parameters)}

    # Jobs

    def start_job(self, kind: str, source: str) -> int:
        """Note that a job begins; returns its id. A job that still seems to run has been interrupted."""
        with self.transaction() as connection:
            connection.execute("UPDATE jobs SET state = 'interrupted', finished = ? WHERE state = 'running'", (_now(),))
            cursor = connection.execute(
                "INSERT INTO jobs (kind, source, state, counts, started)"
                " VALUES (?, CAST(? AS TEXT), 'running', '{}', ?)",
                (kind, encodable(source), _now()),
            )
            return int(cursor.lastrowid or 0)

    def update_job(self, job: int, counts: Mapping[str, int], *, done: bool = False) -> None:
        """Note how far a job has come."""
        with self.transaction() as connection:
            connection.execute("UPDATE jobs SET counts = ? WHERE id = ?", (json.dumps(dict(counts)), job))
            if done:
                connection.execute("UPDATE jobs SET state = 'done', finished = ? WHERE id = ?", (_now(), job))

    def jobs(self, most: int = 20) -> list[Job]:
        """The last jobs, newest first."""
        with self.reading() as connection:
            rows = connection.execute(
                "SELECT id, kind, source, state, counts, started, finished FROM jobs ORDER BY id DESC LIMIT ?", (most,)
            ).fetchall()
        return [
            Job(id, kind, source, state, json.loads(counts), *times) for id, kind, source, state, counts, *times in rows
        ]

    # The file as a whole

    @property
    def model(self) -> Model | None:
        """The model of the collection's vectors; None before the first is chosen."""
        with self.reading() as connection:
            row = connection.execute("SELECT value FROM meta WHERE name = 'model'").fetchone()
        return None if row is None else Model(**json.loads(row[0]))

    def use_model(self, model: Model, beside: Sequence[str] = ()) -> None:
        """Go over to this model: all vectors but its own and those with fingerprints `beside` it are forgotten."""
        with self.transaction() as connection:
            text = json.dumps({"name": model.name, "fingerprint": model.fingerprint})
            connection.execute("INSERT OR REPLACE INTO meta (name, value) VALUES ('model', ?)", (text,))
            self.shards.keep_only([model.fingerprint, *beside])

    def check(self) -> list[str]:
        """Let SQLite test the whole file; returns a line for each problem."""
        try:
            with self.reading() as connection:
                lines = [line for (line,) in connection.execute("PRAGMA integrity_check")]
                broken = connection.execute("PRAGMA foreign_key_check").fetchall()
        except CollectionError as error:
            return [str(error)]
        problems = [] if lines == ["ok"] else lines
        return [
            f"{self.path}: {line}" for line in problems + [f"row of {row[0]} without its {row[2]}" for row in broken]
        ]

    def _assign(
        self, connection: sqlite3.Connection, entries: Sequence[Entry]
    ) -> tuple[list[int], list[str], Integers, Integers]:
        """Key and id of each entry, the keys whose content changed, the keys that lose their uri."""
        uris = [entry.item.uri for entry in entries]
        ids = [entry.item.id for entry in entries]
        _check_unique(uris, "uri")
        _check_unique([id for id in ids if id], "id")
        by_id = {
            known.id: known for known in map(known_from_row, _look_up(connection, f"{_KNOWN} id", filter(None, ids)))
        }
        by_uri = self.known(uris)
        claimed = {known.key for known in by_id.values()}
        row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'items'").fetchone()
        last, taken, changed = row[0] if row else 0, set(ids), []
        keys: list[int] = []
        for position, entry in enumerate(entries):
            known = by_id.get(ids[position]) or by_uri.get(uris[position])
            if known is None or (known.key in claimed and known.id != ids[position]):
                last = _next_key(connection, last, taken)
                keys.append(last)
                ids[position] = ids[position] or f"i{last}"
                continue
            claimed.add(known.key)
            keys.append(known.key)
            ids[position] = ids[position] or known.id
            if known.content_hash != entry.content_hash:
                changed.append(known.key)
        displaced = sorted({known.key for known in by_uri.values()} - set(keys))
        return keys, ids, np.array(sorted(changed), np.int64), np.array(displaced, np.int64)

    def _check_field(self, connection: sqlite3.Connection, name: str) -> None:
        if connection.execute("SELECT 1 FROM fields WHERE name = CAST(? AS TEXT)", (encodable(name),)).fetchone():
            return
        names = [*self.fields(), *BUILT_IN]
        names.sort(key=lambda other: -difflib.SequenceMatcher(None, name.lower(), other.lower()).ratio())
        more = f" and {len(names) - _SHOWN_NAMES} more" if len(names) > _SHOWN_NAMES else ""
        raise InputError(f"no item has a field {name!r}; there are: {', '.join(names[:_SHOWN_NAMES])}{more}")


def _next_key(connection: sqlite3.Connection, last: int, taken: set[str]) -> int:
    # Somebody may have called an item "i7" before the seventh key came.
    while True:
        last += 1
        id = f"i{last}"
        if id not in taken and not connection.execute("SELECT 1 FROM items WHERE id = ?", (id,)).fetchone():
            return last


def _check_unique(names: Sequence[str], what: str) -> None:
    if len(set(names)) < len(names):
        seen: set[str] = set()
        twice = next(name for name in names if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise InputError(f"{twice}: this {what} occurs twice among the items to put; give each once")


def _at(path: str | Path) -> tuple[str, list[str | bytes]]:
    """The condition that a row has to do with this path, and its parameters."""
    place = str(path).rstrip(os.sep)
    exact = (str(path), str(path))
    ranges = (place + os.sep, place + chr(ord(os.sep) + 1), place + "::", place + ":;")
    text = "CAST(? AS TEXT)"
    within = f"uri >= {text} AND uri < {text}"
    return f"(uri = {text} OR source = {text} OR {within} OR {within})", [*map(encodable, exact + ranges)]


def _put_fields(connection: sqlite3.Connection, keys: Sequence[int], entries: Sequence[Entry]) -> None:
    texts, numbers = [], []
    for key, entry in zip(keys, entries, strict=True):
        for name, given in entry.item.fields.items():
            value = check_value(given, name, entry.item.uri)
            if isinstance(value, str):
                texts.append((key, encodable(name), encodable(value)))
            else:
                numbers.append((key, encodable(name), value))
    connection.executemany("DELETE FROM fields WHERE item = ?", _singles(keys))
    connection.executemany("INSERT INTO fields VALUES (?, CAST(? AS TEXT), CAST(? AS TEXT))", texts)
    connection.executemany("INSERT INTO fields VALUES (?, CAST(? AS TEXT), ?)", numbers)


def _look_up(connection: sqlite3.Connection, query: str, texts: Iterable[str]) -> Iterator[tuple[Any, ...]]:
    """The rows of `query` + " IN (texts)"."""
    for chunk in _chunks(list(texts)):
        marks = ", ".join(["CAST(? AS TEXT)"] * len(chunk))
        yield from connection.execute(f"{query} IN ({marks})", list(map(encodable, chunk)))


def _chunks(values: Sequence[Value]) -> Iterator[Sequence[Value]]:
    for start in range(0, len(values), _CHUNK):
        yield values[start : start + _CHUNK]


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))


def _ints(keys: Iterable[int]) -> list[int]:
    return keys.tolist() if isinstance(keys, np.ndarray) else [int(key) for key in keys]


def _singles(values: Iterable[int]) -> list[tuple[int]]:
    return [(value,) for value in values]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
