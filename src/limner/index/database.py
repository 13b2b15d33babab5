"""One SQLite file with many readers and one writer, of any number of processes and threads.

Connections live in a small pool and belong to a thread only while it is inside `reading` or
`transaction`, so that a server's threads may come and go. Whatever SQLite has to complain about
leaves here as one of limner's own errors.
"""

from __future__ import annotations

import os
import re
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from limner.core.errors import CollectionBusy, CollectionError, StorageError
from limner.index.schema import prepare

BUSY_SECONDS = 10.0
"""How long a statement waits for a foreign program that holds SQLite's own lock."""

_NO_BYTE = re.compile("[\ud800-\udc7f]")


class Database:
    """The file, its lock and its transactions. `path` is the SQLite file; `path` + ".lock" the writer's lock.

    Raises CollectionError if the file is missing (unless `create`), damaged, foreign or of a newer version.
    """

    def __init__(self, path: str | Path, *, create: bool = False) -> None:
        self.path = Path(path).absolute()
        self._idle: list[sqlite3.Connection] = []
        self._here = _PerThread()
        self._closed = False
        missing = not self.path.exists()
        if missing and not create:
            raise CollectionError(f"{self.path.parent}: no collection here; make one with: limner index FOLDER")
        with sqlite_errors(self.path):
            if missing:
                self._make_folder()
            prepare(self._connect, self.writing, self.path)

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """One unchanging view of the whole ledger for everything inside (inside a transaction: its own view)."""
        if self._here.connection is not None:
            yield self._here.connection
            return
        with self._borrow("BEGIN") as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Be the only writer among all processes and threads; may be nested.

        Raises CollectionBusy at once if another one writes. The system frees the lock when a process dies.
        """
        if self._here.is_writer:
            yield
            return
        from filelock import FileLock, Timeout  # imported here: a reader does not pay for it

        lock = FileLock(f"{self.path}.lock", timeout=0)
        try:
            lock.acquire()
        except Timeout as error:
            raise CollectionBusy(
                f"{self.path.parent}: another process is writing here; try again when it is done"
            ) from error
        except OSError as error:
            raise StorageError(f"{self.path.parent}: cannot be written ({error.strerror})") from error
        self._here.is_writer = True
        try:
            yield
        finally:
            self._here.is_writer = False
            lock.release()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Everything inside becomes durable and visible together, or not at all; a nested one joins the outer."""
        if self._here.in_transaction:
            assert self._here.connection is not None
            yield self._here.connection
            return
        with self.writing():
            deferred = self._here.deferred = []
            with self._borrow("BEGIN IMMEDIATE") as connection:
                self._here.in_transaction = True
                try:
                    yield connection
                finally:
                    self._here.in_transaction = False
            for call in dict.fromkeys(deferred):
                call()

    def after_commit(self, call: Callable[[], None]) -> None:
        """Run `call` once when the transaction around has been committed (at once if there is none)."""
        if self._here.in_transaction:
            self._here.deferred.append(call)
        else:
            call()

    def close(self) -> None:
        """Close the connections at rest; one still in use by another thread closes when that thread is done."""
        self._closed = True
        while self._idle:
            self._idle.pop().close()

    @contextmanager
    def _borrow(self, begin: str) -> Iterator[sqlite3.Connection]:
        if self._closed:
            raise CollectionError(f"{self.path.parent}: this collection has been closed")
        with sqlite_errors(self.path):
            try:
                connection = self._idle.pop()
            except IndexError:
                connection = self._connect()
            outer, self._here.connection = self._here.connection, connection
            try:
                connection.execute(begin)
                yield connection
                connection.execute("COMMIT")
            finally:
                self._here.connection = outer
                with suppress(sqlite3.Error):  # of a disk that fails; the error that led here says more
                    connection.rollback()
                self._idle.append(connection)
                if self._closed:
                    self.close()

    def _connect(self) -> sqlite3.Connection:
        # Never mode rwc: a file that has gone is an error, not a new empty collection.
        mode = "mode=rw"
        if not os.access(self.path.parent, os.W_OK):
            # WAL needs a file beside the database, unless there is no log left and nobody can be writing one.
            mode = "mode=ro" if Path(f"{self.path}-wal").exists() else "mode=ro&immutable=1"
        connection = sqlite3.connect(
            f"{self.path.as_uri()}?{mode}",
            uri=True,
            timeout=BUSY_SECONDS,
            isolation_level=None,
            check_same_thread=False,
        )
        connection.text_factory = _decode
        connection.execute("PRAGMA foreign_keys = ON")
        # In WAL mode NORMAL may lose the last commits when the power fails; FULL waits for the disk.
        connection.execute("PRAGMA synchronous = FULL")
        return connection

    def _make_folder(self) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.touch()
        except OSError as error:
            raise StorageError(f"{self.path.parent}: cannot be written ({error.strerror})") from error


class _PerThread(threading.local):
    def __init__(self) -> None:
        self.connection: sqlite3.Connection | None = None
        self.is_writer = False
        self.in_transaction = False
        self.deferred: list[Callable[[], None]] = []


def _decode(text: bytes) -> str:
    # File names need not be UTF-8; Python and limner carry such bytes as lone surrogates.
    return text.decode("utf-8", "surrogateescape")


def encodable(text: str) -> str | bytes:
    """Text as SQLite takes it; what is not Unicode becomes bytes, which the SQL casts: CAST(? AS TEXT)."""
    try:
        text.encode()
    except UnicodeEncodeError:
        # Only the upper half of the surrogates stands for a byte; the others are nothing and nobody's name.
        return _NO_BYTE.sub("\ufffd", text).encode("utf-8", "surrogateescape")
    return text


@contextmanager
def sqlite_errors(path: Path) -> Iterator[None]:
    """Turn SQLite's errors about the file into limner's; a mistake in limner's own SQL stays what it is."""
    try:
        yield
    except sqlite3.Error as error:
        translated = _translate(error, path)
        if translated is None:
            raise
        raise translated from error


def _translate(error: sqlite3.Error, path: Path) -> CollectionError | None:
    match getattr(error, "sqlite_errorcode", 0) & 0xFF:
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED | sqlite3.SQLITE_PROTOCOL:
            return CollectionBusy(f"{path}: another program holds it; try again when it is done")
        case sqlite3.SQLITE_FULL:
            return StorageError(f"{path}: the disk is full; free some space and run the command again")
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_IOERR | sqlite3.SQLITE_PERM:
            return StorageError(
                f"{path}: cannot be read or written ({error}); see to the disk and its space, and run the command again"
            )
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return CollectionError(
                f"{path}: damaged ({error}); restore it from a copy, or move this file away and index again"
            )
    return None
