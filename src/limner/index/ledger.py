"""The ledger of shards: which files count, which item each row belongs to, which rows are dead.

Within a shard the keys ascend, so that an item is found by binary search. Within a space an item
has at most one row that is not dead. A structure, derived from the rows of some shards, covers those shards.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from limner.core.types import Integers
from limner.index.arrays import ArrayFile
from limner.index.database import Database


@dataclass(frozen=True, slots=True, eq=False)
class Shard:
    """One file of the ledger."""

    id: int
    file: ArrayFile
    norm: float
    """Euclidean length of its longest vector."""
    structure: int | None
    """Id of the structure that covers it."""
    keys: Integers
    """(rows,) int64, ascending: the item of each row."""
    dead: Integers
    """Rows whose item was removed or has a newer vector."""

    @property
    def is_remote(self) -> bool:
        """Whether its vectors are not in a file but on a server."""
        return not self.file.bytes

    @property
    def live(self) -> int:
        return len(self.keys) - len(self.dead)


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """What one space held at one moment."""

    generation: int
    shards: tuple[Shard, ...]
    structure: ArrayFile | None
    vanished: Integers
    """Keys, ascending, of the items whose file has gone."""


class ShardLedger:
    """The tables `shards` and `dead`. Every change must be part of a transaction of the database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        # The keys of a file never change, and the name of a file never comes again.
        self._keys: dict[str, Integers] = {}

    def generation(self) -> int:
        """A number that differs whenever a search could see something else."""
        with self._database.reading() as connection:
            return _generation(connection)

    def view(self, fingerprint: str, space: str) -> View:
        with self._database.reading() as connection:
            shards = self._shards(connection, "fingerprint = ? AND space = ?", (fingerprint, space))
            vanished = integers(connection.execute("SELECT key FROM items WHERE vanished ORDER BY key"))
            structure = connection.execute(
                "SELECT file, bytes, checksum FROM structures WHERE fingerprint = ? AND space = ?", (fingerprint, space)
            ).fetchone()
            names = self.files()
            self._keys = {name: keys for name, keys in self._keys.items() if name in names}
            return View(_generation(connection), shards, ArrayFile(*structure) if structure else None, vanished)

    def spaces(self) -> list[tuple[str, str]]:
        """The (fingerprint, space) pairs that have vectors."""
        with self._database.reading() as connection:
            return connection.execute("SELECT DISTINCT fingerprint, space FROM shards ORDER BY 1, 2").fetchall()

    def files(self) -> set[str]:
        """The names of all files that count; any other in the folder may be deleted by the writer."""
        with self._database.reading() as connection:
            return {name for (name,) in connection.execute("SELECT file FROM shards UNION SELECT file FROM structures")}

    def missing(self, fingerprint: str, space: str) -> Integers:
        """Keys, ascending, of the items that have not vanished and have no vector in this space."""
        with self._database.reading() as connection:
            items = integers(connection.execute("SELECT key FROM items WHERE NOT vanished ORDER BY key"))
            return np.setdiff1d(items, self.placed(fingerprint, space), assume_unique=True)

    def placed(self, fingerprint: str, space: str) -> Integers:
        """Keys, ascending, of the items that have a vector in this space, vanished ones too."""
        shards = self.view(fingerprint, space).shards
        alive = [np.delete(shard.keys, shard.dead) for shard in shards]
        return np.sort(np.concatenate([np.empty(0, np.int64), *alive]))

    def contents(self) -> list[str]:
        """The content hashes of all items: whatever may have vectors already."""
        with self._database.reading() as connection:
            return [hash for (hash,) in connection.execute("SELECT DISTINCT content_hash FROM items")]

    def server(self) -> tuple[str, str] | None:
        """The URL of the server that keeps the vectors, and what its tables begin with. None: files here do."""
        with self._database.reading() as connection:
            row = connection.execute("SELECT value FROM meta WHERE name = 'server'").fetchone()
        return None if row is None else tuple(json.loads(row[0]))

    def use_server(self, url: str) -> None:
        """Let a server keep the vectors from now on; there must be none yet."""
        with self._database.transaction() as connection:
            text = json.dumps([url, f"limner_{secrets.token_hex(6)}"])
            connection.execute("INSERT INTO meta (name, value) VALUES ('server', ?)", (text,))

    def add(self, fingerprint: str, space: str, file: ArrayFile, norm: float, keys: Integers) -> None:
        """Let a file count. `keys` ascend; rows that these items had in this space before are dead from now on."""
        with self._database.transaction() as connection:
            self.bury(keys, fingerprint, space)
            _insert(connection, fingerprint, space, file, norm, None, keys)
            touch(connection)

    def cover(self, shards: Sequence[Shard], fingerprint: str, space: str, file: ArrayFile | None) -> None:
        """Let a structure that was made of these shards take the place of the one before (None: nothing does).

        Shards that have gone meanwhile are not covered: their rows stand in others now.
        """
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM structures WHERE fingerprint = ? AND space = ?", (fingerprint, space))
            if file is not None:
                id = connection.execute(
                    "INSERT INTO structures (fingerprint, space, file, bytes, checksum) VALUES (?, ?, ?, ?, ?)",
                    (fingerprint, space, file.name, file.bytes, file.checksum),
                ).lastrowid
                connection.executemany(
                    "UPDATE shards SET structure = ? WHERE file = ?", [(id, shard.file.name) for shard in shards]
                )
            touch(connection)

    def bury(self, keys: Integers, fingerprint: str | None = None, space: str | None = None) -> int:
        """Declare the rows of these items dead, in one space or in all. Returns how many were alive."""
        buried = 0
        where, parameters = ("fingerprint = ? AND space = ?", (fingerprint, space)) if space is not None else ("1", ())
        with self._database.transaction() as connection:
            for shard in self._shards(connection, where, parameters, with_dead=False):
                rows = locate(shard.keys, keys)
                buried += connection.executemany(
                    "INSERT OR IGNORE INTO dead VALUES (?, ?)", ((shard.id, row) for row in rows.tolist())
                ).rowcount
            if buried:
                touch(connection)
        return buried

    def replace(
        self, old: Sequence[Shard], fingerprint: str, space: str, new: ArrayFile | None, keys: Integers
    ) -> None:
        """Let the file `new` (None: nothing is left) stand for the live rows of `old`, all covered or none."""
        with self._database.transaction() as connection:
            connection.executemany("DELETE FROM shards WHERE id = ?", [(shard.id,) for shard in old])
            if new is not None:
                norm = max(shard.norm for shard in old)
                _insert(connection, fingerprint, space, new, norm, old[0].structure, keys)
            touch(connection)

    def keep_only(self, fingerprints: Sequence[str]) -> None:
        """Forget all vectors but those with these fingerprints."""
        marks = ", ".join("?" * len(fingerprints))
        with self._database.transaction() as connection:
            for table in ("shards", "structures"):
                connection.execute(f"DELETE FROM {table} WHERE fingerprint NOT IN ({marks})", fingerprints)
            touch(connection)

    def _shards(
        self, connection: sqlite3.Connection, where: str, parameters: tuple[object, ...], with_dead: bool = True
    ) -> tuple[Shard, ...]:
        dead: dict[int, list[int]] = {}
        if with_dead:
            for shard, row in connection.execute(
                f"SELECT shard, row FROM dead WHERE shard IN (SELECT id FROM shards WHERE {where})", parameters
            ):
                dead.setdefault(shard, []).append(row)
        rows = connection.execute(
            f"SELECT id, norm, structure, file, bytes, checksum FROM shards WHERE {where} ORDER BY id", parameters
        ).fetchall()
        return tuple(
            Shard(
                id,
                ArrayFile(*file),
                norm,
                structure,
                self._keys_of(connection, id, file[0]),
                np.array(dead.get(id, ()), np.int64),
            )
            for id, norm, structure, *file in rows
        )

    def _keys_of(self, connection: sqlite3.Connection, id: int, name: str) -> Integers:
        keys = self._keys.get(name)
        if keys is None:
            (blob,) = connection.execute("SELECT keys FROM shards WHERE id = ?", (id,)).fetchone()
            self._keys[name] = keys = np.frombuffer(blob, "<i8").astype(np.int64, copy=False)
        return keys


def locate(haystack: Integers, needles: Integers) -> Integers:
    """The positions in ascending `haystack` (n,) of those `needles` (m,) that it contains."""
    if not len(haystack):
        return np.empty(0, np.int64)
    positions = np.searchsorted(haystack, needles)
    positions[positions == len(haystack)] = 0
    found: Integers = positions[haystack[positions] == needles]
    return found


def touch(connection: sqlite3.Connection) -> None:
    """Tell every reader that a search may see something else now."""
    connection.execute("UPDATE meta SET value = random() WHERE name = 'generation'")


def integers(rows: sqlite3.Cursor) -> Integers:
    """The only column of a result, (n,) int64."""
    return np.fromiter((value for (value,) in rows), np.int64)


def _generation(connection: sqlite3.Connection) -> int:
    (generation,) = connection.execute("SELECT value FROM meta WHERE name = 'generation'").fetchone()
    return int(generation)


def _insert(
    connection: sqlite3.Connection,
    fingerprint: str,
    space: str,
    file: ArrayFile,
    norm: float,
    structure: int | None,
    keys: Integers,
) -> None:
    connection.execute(
        "INSERT INTO shards (fingerprint, space, file, bytes, checksum, norm, structure, keys)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            fingerprint,
            space,
            file.name,
            file.bytes,
            file.checksum,
            norm,
            structure,
            keys.astype("<i8").tobytes(),
        ),
    )
