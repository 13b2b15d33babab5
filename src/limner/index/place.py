"""Where the vectors of a collection are kept: beside its ledger, or on a server that a URL names.

    http://host:19530, https://...      Milvus, one machine or a cluster
    /path/x.db                          Milvus Lite: a Milvus inside this process, for one process at a time
    postgresql://user@host/database     PostgreSQL with the extension pgvector

A server keeps numbered rows and knows nothing else: which of them count, and of which item, the ledger says.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from limner.core.errors import InputError, StorageError
from limner.core.types import Floats, Integers, Representation, Space

_SECRET = re.compile(r"(?<=://)([^/@:]*:)[^/@]*(?=@)")


class Vectors(Protocol):
    """What a collection asks of the vectors of one space, wherever they are kept.

    Everything that is written becomes part of the transaction of the catalogue that is open, if one is.
    """

    @property
    def space(self) -> Space: ...

    def add(self, keys: Integers, items: Representation) -> None:
        """Add or replace n items, `keys` (n,) each once. Raises InputError for what does not fit, StorageError."""
        ...

    def remove(self, keys: Integers) -> int:
        """Forget these; returns how many were there."""
        ...

    def take(self, keys: Integers) -> tuple[Integers, Representation]:
        """Those of `keys` that have a vector, vanished ones too: (m,) ascending, and the m representations."""
        ...

    def placed(self) -> Integers:
        """Keys, ascending, of the items that have a vector, vanished ones too."""
        ...

    def missing(self) -> Integers:
        """Keys, ascending, of the items that have not vanished and have no vector."""
        ...

    def verify(self) -> list[str]:
        """A line for each thing that is damaged or lost."""
        ...

    def drop_damaged(self) -> int:
        """Forget what is damaged or lost, so that its items count as missing. Returns how much it was."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """What a server found for one question, best first."""

    rows: Integers
    """(m,)"""
    scores: Floats
    """(m,) as the server computes them in float32."""
    items: Representation
    """(m): what stands in these rows."""


class Table(Protocol):
    """The rows of one space on a server. Safe to use from several threads. Every method may raise StorageError."""

    def write(self, rows: Integers, items: Representation) -> None:
        """Add or replace n rows; every search sees them when this returns. The table is made if there is none."""
        ...

    def nearest(self, queries: Representation, limit: int, rows: Integers | None) -> list[Found]:
        """The `limit` rows with the largest dot product, of all or of these rows; fewer only if fewer exist.

        Of weighted words only rows that share a word with the question; its weights are above 0.
        """
        ...

    def take(self, rows: Integers) -> tuple[Integers, Representation]:
        """Those of the rows that exist: (m,) in any order, and what stands in them."""
        ...

    def rows(self) -> Iterator[Integers]:
        """The numbers of all rows, in pieces."""
        ...

    def count(self) -> int: ...

    def delete(self, rows: Integers) -> None: ...

    def settle(self) -> bool:
        """Make searching quick again after many writes; returns whether there was anything to do."""
        ...

    def frequency(self, terms: Integers) -> Integers:
        """Of weighted words: how many rows hold each of the terms (t,)."""
        ...


class Server(Protocol):
    """A connection, made when it is first needed."""

    @property
    def url(self) -> str:
        """Without a password."""
        ...

    def table(self, name: str, space: Space) -> Table: ...

    def names(self, prefix: str) -> list[str]:
        """The tables whose name begins so."""
        ...

    def drop(self, name: str) -> None: ...

    def close(self) -> None: ...


def open_server(url: str) -> Server:
    """Raises InputError for a URL of no known kind, MissingDependency; the server itself is asked later."""
    if url.startswith(("postgresql://", "postgres://")):
        from limner.index.postgres import PostgresServer

        return PostgresServer(url)
    if url.startswith(("http://", "https://")) or _is_lite(url):
        from limner.index.milvus import MilvusServer

        return MilvusServer(url)
    raise InputError(
        f"{without_password(url)}: no place for vectors; give http://HOST:19530 (Milvus), postgresql://HOST/DATABASE, "
        "or a file name that ends in .db (Milvus Lite)"
    )


def full_url(url: str) -> str:
    """The same place, whatever folder it is named from."""
    return str(Path(url).expanduser().absolute()) if _is_lite(url) else url


def lost(url: str, what: str) -> StorageError:
    """The error for a table that the ledger counts on and the server does not have."""
    return StorageError(
        f"{url}: {what}, though vectors should be in it; bring the server's data back, "
        "or make them again with: limner reindex"
    )


def without_password(url: str) -> str:
    return _SECRET.sub(r"\1***", url)


def _is_lite(url: str) -> bool:
    return "://" not in url and url.endswith(".db")
