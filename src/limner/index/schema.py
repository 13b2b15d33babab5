"""The tables of the ledger, and the numbered steps that bring an older file up to date."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, closing
from pathlib import Path

from limner.core.errors import CollectionError

APPLICATION_ID = 0x6C696D6E
"""Stands in the header of the file: "limn"."""

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """
        CREATE TABLE meta (
            name TEXT PRIMARY KEY,
            value
        ) WITHOUT ROWID
        """,
        # A new random number with every change of what a search can see. Random and not counted up, so that
        # the number of a transaction that was rolled back never comes again.
        "INSERT INTO meta VALUES ('generation', random())",
        """
        CREATE TABLE items (
            key INTEGER PRIMARY KEY AUTOINCREMENT,  -- never given twice
            id TEXT NOT NULL UNIQUE,
            uri TEXT NOT NULL UNIQUE,
            modality TEXT NOT NULL,
            texts TEXT NOT NULL,                    -- JSON: [text, ...]
            regions TEXT NOT NULL,                  -- JSON: [{box, label, mask}, ...]
            size INTEGER,
            modified_ns INTEGER,
            content_hash TEXT NOT NULL,
            digest TEXT NOT NULL,                   -- of what the source said about it
            source TEXT NOT NULL,                   -- the folder, archive or table that gave it last; '': none
            vanished INTEGER NOT NULL DEFAULT 0
        )
        """,
        "CREATE INDEX items_by_content ON items (content_hash)",
        "CREATE INDEX items_by_source ON items (source)",
        "CREATE INDEX items_vanished ON items (key) WHERE vanished",
        # No type for `value`: a number stays a number and text stays text.
        """
        CREATE TABLE fields (
            item INTEGER NOT NULL REFERENCES items ON DELETE CASCADE,
            name TEXT NOT NULL,
            value NOT NULL,
            PRIMARY KEY (item, name)
        ) WITHOUT ROWID
        """,
        "CREATE INDEX fields_by_value ON fields (name, value)",
        """
        CREATE TABLE shards (
            id INTEGER PRIMARY KEY,
            fingerprint TEXT NOT NULL,              -- of the model that made the vectors
            space TEXT NOT NULL,
            file TEXT NOT NULL UNIQUE,
            bytes INTEGER NOT NULL,
            checksum INTEGER NOT NULL,              -- CRC-32 of the whole file
            norm REAL NOT NULL,                     -- of the longest vector
            keys BLOB NOT NULL                      -- int64, little-endian, ascending: the item of each row
        )
        """,
        "CREATE INDEX shards_by_space ON shards (fingerprint, space)",
        """
        CREATE TABLE dead (
            shard INTEGER NOT NULL REFERENCES shards ON DELETE CASCADE,
            row INTEGER NOT NULL,
            PRIMARY KEY (shard, row)
        ) WITHOUT ROWID
        """,
        """
        CREATE TABLE skipped (
            uri TEXT PRIMARY KEY,
            reason TEXT NOT NULL,
            size INTEGER,
            modified_ns INTEGER,
            source TEXT NOT NULL
        ) WITHOUT ROWID
        """,
        """
        CREATE TABLE jobs (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            kind TEXT NOT NULL,
            source TEXT NOT NULL,
            state TEXT NOT NULL CHECK (state IN ('running', 'done', 'interrupted')),
            counts TEXT NOT NULL,                   -- JSON: {name: number}
            started TEXT NOT NULL,                  -- ISO 8601, UTC
            finished TEXT
        )
        """,
    ),
    (
        # Shards hold every kind of representation now, as safetensors; what was a .npy must be made again.
        "DELETE FROM shards",
        "UPDATE meta SET value = random() WHERE name = 'generation'",
        # What makes a large space quick to search, derived from the live rows of some of its shards.
        """
        CREATE TABLE structures (
            id INTEGER PRIMARY KEY,
            fingerprint TEXT NOT NULL,
            space TEXT NOT NULL,
            file TEXT NOT NULL UNIQUE,
            bytes INTEGER NOT NULL,
            checksum INTEGER NOT NULL,
            UNIQUE (fingerprint, space)
        )
        """,
        "ALTER TABLE shards ADD COLUMN structure INTEGER REFERENCES structures ON DELETE SET NULL",
    ),
)
"""Step i brings a file of version i to version i + 1. A step that was published is never changed."""

VERSION = len(MIGRATIONS)


def prepare(
    connect: Callable[[], sqlite3.Connection],
    writing: Callable[[], AbstractContextManager[None]],
    path: Path,
    migrations: Sequence[Sequence[str]] = MIGRATIONS,
) -> None:
    """Check that the file is a ledger of a version known here; make or migrate its tables where needed.

    Raises CollectionError for another program's file and for a newer version.
    """
    with closing(connect()) as connection:
        if _version(connection, path, len(migrations)) == len(migrations):
            return
        with writing():
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("BEGIN IMMEDIATE")
            # Read again: another process may have migrated while this one waited for the lock.
            for statements in migrations[_version(connection, path, len(migrations)) :]:
                for statement in statements:
                    connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {len(migrations)}")
            connection.execute("COMMIT")


def _version(connection: sqlite3.Connection, path: Path, newest: int) -> int:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
    if application != APPLICATION_ID and (tables or version or application):
        raise CollectionError(f"{path}: not a limner collection but another program's database; choose another folder")
    if version > newest:
        raise CollectionError(
            f"{path}: written by a newer limner (schema {version}, this one reads up to {newest}); upgrade limner"
        )
    return int(version)
