"""Vectors in PostgreSQL, with the extension pgvector.

One table for each space: `row`, the primary key, and `vector`; beside weighted words their `terms` again, as an
array with a GIN index, which finds the rows that hold a word and counts them. Words are always searched exactly, and
so are up to LEAST dense vectors; from there on `refresh` makes an HNSW index.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np

from limner.core.errors import MissingDependency, StorageError
from limner.core.types import Dense, Integers, Representation, Space, Sparse
from limner.index.place import Found, lost, without_password

LEAST = 100_000
"""So many vectors of 512 numbers are scanned in about 35 milliseconds."""

_MOST_NUMBERS = 2_000
"""The longest vector that pgvector's HNSW takes, and about the longest that fits a page of the table."""

_LINKS, _EFFORT = 16, 128
"""HNSW: neighbours of a vector, and candidates looked at when it is put in."""

_LEAST_LOOKED_AT, _MOST_LOOKED_AT = 200, 1_000
"""HNSW: candidates looked at for an answer; a thousand is pgvector's limit."""

_PIECE = 100_000
_SECONDS = 10
"""How long a connection may take."""

_HEADER, _END = b"PGCOPY\n\xff\r\n\0" + bytes(8), b"\xff\xff"
"""What surrounds the rows of a binary COPY."""


class PostgresServer:
    """Implements `place.Server`."""

    def __init__(self, url: str, *, least: int = LEAST) -> None:
        try:
            import psycopg  # noqa: F401
        except ImportError as error:
            raise MissingDependency("psycopg", "a PostgreSQL server", "postgres") from error
        self._target, self.url, self._least = url, without_password(url), least
        self._lock = threading.Lock()
        self._idle: list[Any] = []

    def table(self, name: str, space: Space) -> PostgresTable:
        return PostgresTable(self, name, space, self._least)

    def names(self, prefix: str) -> list[str]:
        query = "SELECT tablename FROM pg_tables WHERE schemaname = current_schema AND starts_with(tablename, %s)"
        with self.asked() as connection:
            return sorted(name for (name,) in connection.execute(query, (prefix,)))

    def drop(self, name: str) -> None:
        with self.asked() as connection:
            connection.execute(f'DROP TABLE IF EXISTS "{name}"')

    def close(self) -> None:
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    @contextmanager
    def asked(self) -> Iterator[Any]:
        """A connection, for this thread alone. What the server, or the way to it, complains about: StorageError."""
        import psycopg

        connection = None
        try:
            connection = self._connected()
            yield connection
        except psycopg.errors.UndefinedTable as error:
            raise lost(self.url, str(error.diag.message_primary)) from error
        except psycopg.Error as error:
            reason = " ".join(str(error).split())
            cure = "see to the server and run the command again"
            if connection is None:
                cure = "start the server, or mend the URL"
            raise StorageError(f"{self.url}: PostgreSQL: {reason[:200]}; {cure}") from error
        finally:
            if connection is not None and not connection.closed:
                with self._lock:
                    self._idle.append(connection)

    def _connected(self) -> Any:
        import psycopg

        with self._lock:
            connection = self._idle.pop() if self._idle else None
        if connection is not None:
            with suppress(psycopg.Error):
                connection.execute("SELECT 1")  # the server may have been started anew since
                return connection
        return psycopg.connect(self._target, autocommit=True, connect_timeout=_SECONDS)


class PostgresTable:
    """Implements `place.Table`."""

    def __init__(self, server: PostgresServer, name: str, space: Space, least: int) -> None:
        self._server, self._name, self._space, self._least = server, f'"{name}"', space, least
        self._links = f'"{name}_links"'
        """The HNSW index."""
        self._sparse = space.kind == "sparse"
        self._ready = False

    def write(self, rows: Integers, items: Representation) -> None:
        columns = "row, terms, vector" if self._sparse else "row, vector"
        with self._server.asked() as connection:
            if not self._ready:
                self._create(connection)
                self._ready = True
            with connection.transaction(), connection.cursor() as cursor:
                cursor.execute(f"DELETE FROM {self._name} WHERE row = ANY(%s::bigint[])", (rows.tolist(),))
                with cursor.copy(f"COPY {self._name} ({columns}) FROM STDIN (FORMAT BINARY)") as copy:
                    copy.write(_HEADER + _binary(rows, items) + _END)

    def nearest(self, queries: Representation, limit: int, rows: Integers | None) -> list[Found]:
        with self._server.asked() as connection:
            linked = not self._sparse and rows is None and self._is_linked(connection)
            return [
                self._nearest(connection, queries.take(slice(row, row + 1)), limit, rows, linked)
                for row in range(len(queries))
            ]

    def take(self, rows: Integers) -> tuple[Integers, Representation]:
        query = f"SELECT row, vector FROM {self._name} WHERE row = ANY(%s::bigint[])"
        with self._server.asked() as connection:
            taken = connection.execute(query, (rows.tolist(),), binary=True).fetchall() if len(rows) else []
        return np.array([row for row, _ in taken], np.int64), self._items([vector for _, vector in taken])

    def rows(self) -> Iterator[Integers]:
        query = f"SELECT row FROM {self._name} WHERE row > %s ORDER BY row LIMIT {_PIECE}"
        with self._server.asked() as connection:
            last = -1 if self._exists(connection) else None
            while last is not None:
                piece = np.array([row for (row,) in connection.execute(query, (last,), binary=True)], np.int64)
                yield piece
                last = int(piece[-1]) if len(piece) == _PIECE else None

    def count(self) -> int:
        with self._server.asked() as connection:
            if not self._exists(connection):
                return 0
            return int(connection.execute(f"SELECT count(*) FROM {self._name}").fetchone()[0])

    def delete(self, rows: Integers) -> None:
        with self._server.asked() as connection:
            connection.execute(f"DELETE FROM {self._name} WHERE row = ANY(%s::bigint[])", (rows.tolist(),))

    def settle(self) -> bool:
        """Links the vectors to their neighbours where there are many; PostgreSQL itself keeps up with later ones."""
        if self._sparse or self._space.size > _MOST_NUMBERS or self.count() < self._least:
            return False
        with self._server.asked() as connection:
            if self._is_linked(connection):
                return False
            connection.execute(f"DROP INDEX IF EXISTS {self._links}")  # one that was interrupted
            connection.execute(
                f"CREATE INDEX CONCURRENTLY {self._links} ON {self._name}"
                f" USING hnsw (vector vector_ip_ops) WITH (m = {_LINKS}, ef_construction = {_EFFORT})"
            )
        return True

    def frequency(self, terms: Integers) -> Integers:
        query = f"SELECT count(*) FROM {self._name} WHERE terms @> ARRAY[%s::int]"
        with self._server.asked() as connection:
            if not self._exists(connection):
                return np.zeros(len(terms), np.int64)
            return np.array([connection.execute(query, (term,)).fetchone()[0] for term in terms.tolist()], np.int64)

    def _nearest(
        self, connection: Any, query: Representation, limit: int, rows: Integers | None, linked: bool
    ) -> Found:
        kind, conditions = f"{'sparsevec' if self._sparse else 'vector'}({self._space.size})", []
        values: dict[str, Any] = {"query": _text(query), "limit": limit}
        if isinstance(query, Sparse):
            conditions.append("terms && %(terms)s::int[]")
            values["terms"] = query.indices.tolist()
        if rows is not None:
            conditions.append("row = ANY(%(rows)s::bigint[])")
            values["rows"] = rows.tolist()
        where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
        distance = f"vector <#> %(query)s::{kind}"
        statement = f"SELECT row, {distance}, vector FROM {self._name} {where} ORDER BY {distance} LIMIT %(limit)s"
        with connection.transaction():
            if linked:
                looked_at = min(max(_LEAST_LOOKED_AT, 2 * limit), _MOST_LOOKED_AT)
                connection.execute(f"SET LOCAL hnsw.ef_search = {looked_at}")
                connection.execute("SET LOCAL hnsw.iterative_scan = strict_order")
            else:
                connection.execute("SET LOCAL enable_indexscan = off")  # never by links; a bitmap finds rows and terms
            found = connection.execute(statement, values, binary=True).fetchall()
        if linked and len(found) < limit:
            return self._nearest(connection, query, limit, rows, linked=False)
        return Found(
            np.array([row for row, _, _ in found], np.int64),
            np.array([-distance for _, distance, _ in found], np.float32),
            self._items([vector for _, _, vector in found]),
        )

    def _create(self, connection: Any) -> None:
        kind = "sparsevec" if self._sparse else "vector"
        terms = "terms int[] NOT NULL," if self._sparse else ""
        with connection.transaction():
            connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
            connection.execute(
                f"CREATE TABLE IF NOT EXISTS {self._name}"
                f" (row bigint PRIMARY KEY, {terms} vector {kind}({self._space.size}) NOT NULL)"
            )
            if self._sparse:
                connection.execute(f"CREATE INDEX IF NOT EXISTS {self._links} ON {self._name} USING gin (terms)")
            elif self._space.size < _MOST_NUMBERS:
                # Kept in the row, not beside it: a scan reads half as much.
                connection.execute(f"ALTER TABLE {self._name} ALTER COLUMN vector SET STORAGE PLAIN")

    def _exists(self, connection: Any) -> bool:
        return connection.execute("SELECT to_regclass(%s)", (self._name,)).fetchone()[0] is not None

    def _is_linked(self, connection: Any) -> bool:
        query = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(%s)"
        found = connection.execute(query, (self._links,)).fetchone()
        return found is not None and bool(found[0])

    def _items(self, vectors: list[bytes]) -> Representation:
        """What pgvector sends: a head of sizes, then big-endian numbers."""
        if not vectors:
            return self._space.nothing()
        if not self._sparse:
            numbers = np.frombuffer(b"".join(vector[4:] for vector in vectors), ">f4")
            return Dense(numbers.reshape(len(vectors), self._space.size).astype(np.float32))
        counts = [int.from_bytes(vector[4:8], "big") for vector in vectors]
        terms = b"".join(vector[12 : 12 + 4 * count] for vector, count in zip(vectors, counts, strict=True))
        weights = b"".join(vector[12 + 4 * count :] for vector, count in zip(vectors, counts, strict=True))
        return Sparse(
            np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
            np.frombuffer(terms, ">i4").astype(np.int64),
            np.frombuffer(weights, ">f4").astype(np.float32),
            self._space.size,
        )


def _binary(rows: Integers, items: Representation) -> bytes:
    """Rows as a binary COPY takes them: of each field its length in bytes, then pgvector's own binary form."""
    if isinstance(items, Sparse):
        return b"".join(_binary_words(row, items.take(slice(at, at + 1))) for at, row in enumerate(rows.tolist()))
    size = items.values.shape[1]
    form = [("fields", ">i2"), ("row bytes", ">i4"), ("row", ">i8"), ("bytes", ">i4"), ("size", ">i2")]
    table = np.zeros(len(rows), [*form, ("unused", ">i2"), ("vector", ">f4", (size,))])
    for name, value in (("fields", 2), ("row bytes", 8), ("row", rows), ("bytes", 4 + 4 * size), ("size", size)):
        table[name] = value
    table["vector"] = items.values
    return table.tobytes()


def _binary_words(row: int, words: Sparse) -> bytes:
    count, int4 = len(words.indices), 23
    terms = words.indices.astype(">i4")
    listed = np.zeros((count, 2), ">i4")
    listed[:, 0], listed[:, 1] = 4, terms
    head = [1, 0, int4, count, 1] if count else [0, 0, int4]
    array = np.array(head, ">i4").tobytes() + listed.tobytes()
    vector = np.array([words.vocabulary_size, count, 0], ">i4").tobytes() + terms.tobytes()
    vector += words.values.astype(">f4").tobytes()
    fields = (row.to_bytes(8, "big"), array, vector)
    return b"\0\3" + b"".join(len(field).to_bytes(4, "big") + field for field in fields)


def _text(query: Representation) -> str:
    """One question as pgvector reads it."""
    if isinstance(query, Sparse):
        pairs = zip((query.indices + 1).tolist(), query.values.tolist(), strict=True)
        return f"{{{','.join(f'{term}:{weight!r}' for term, weight in pairs)}}}/{query.vocabulary_size}"
    return f"[{','.join(map(repr, query.values[0].tolist()))}]"
