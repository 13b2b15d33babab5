"""Vectors in Milvus: Milvus Lite for tests and small collections, a server or a cluster for large ones.

One Milvus collection for each space: the primary key `row` and the `vector`; beside weighted words their `terms`
again, as a list, which is how words are counted. What is found is as complete as Milvus' own index (AUTOINDEX); in
Milvus Lite, and of weighted words, it is exact.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import numpy as np

from limner.core.errors import MissingDependency, StorageError
from limner.core.types import Dense, Integers, Representation, Space, Sparse
from limner.index.place import Found, full_url, lost, without_password

_CHUNK = 4_096
"""So many rows go in one message; of 1,024 numbers that is 16 MB."""

_MOST_TERMS = 4_096
"""The longest list that Milvus takes; further words of an item are found but not counted."""

_SECONDS = 60.0
"""How long an answer may take."""


class MilvusServer:
    """Implements `place.Server`."""

    def __init__(self, url: str) -> None:
        try:
            import pymilvus  # noqa: F401
        except ImportError as error:
            raise MissingDependency("pymilvus", "a Milvus server", "milvus") from error
        self._target, self.url = full_url(url), without_password(url)
        self.is_lite = "://" not in url
        self._lock = threading.Lock()
        self._client: Any = None

    def table(self, name: str, space: Space) -> MilvusTable:
        return MilvusTable(self, name, space)

    def names(self, prefix: str) -> list[str]:
        with self.asked() as client:
            return sorted(name for name in client.list_collections() if name.startswith(prefix))

    def drop(self, name: str) -> None:
        with self.asked() as client:
            client.drop_collection(name)

    def close(self) -> None:
        with self._lock:
            if self._client is not None:
                self._client.close()
                self._client = None

    @contextmanager
    def asked(self) -> Iterator[Any]:
        """The client. Whatever the server, or the way to it, has to complain about becomes StorageError."""
        from pymilvus.exceptions import MilvusException

        try:
            yield self._connected()
        except MilvusException as error:
            reason = " ".join(str(error.message).split())
            cure = "see to the server and run the command again"
            if "Open local milvus" in reason:
                reason = "cannot be opened"
                cure = "another process has it open (Milvus Lite serves one at a time), or it is damaged"
            elif "connect" in reason:
                cure = "start the server, or mend the URL"
            raise StorageError(f"{self.url}: Milvus: {reason[:200]}; {cure}") from error

    def _connected(self) -> Any:
        with self._lock:
            if self._client is None:
                from pymilvus import MilvusClient

                # Both print every error, with a traceback, that they also raise.
                for name in ("pymilvus", "milvus_lite"):
                    logging.getLogger(name).setLevel(logging.CRITICAL)
                self._client = MilvusClient(self._target, timeout=_SECONDS)
            return self._client


class MilvusTable:
    """Implements `place.Table`."""

    def __init__(self, server: MilvusServer, name: str, space: Space) -> None:
        self._server, self._name, self._space = server, name, space
        self._ready = self._unsettled = False

    def write(self, rows: Integers, items: Representation) -> None:
        with self._server.asked() as client:
            self._open(client, create=True)
            for start in range(0, len(rows), _CHUNK):
                chunk = slice(start, start + _CHUNK)
                client.upsert(self._name, list(self._entities(rows[chunk], items.take(chunk))))
            self._unsettled = True

    def nearest(self, queries: Representation, limit: int, rows: Integers | None) -> list[Found]:
        with self._server.asked() as client:
            self._open(client)
            answers = client.search(
                self._name,
                self._vectors(queries),
                anns_field="vector",
                limit=limit,
                filter="" if rows is None else f"row in {rows.tolist()}",
                output_fields=["vector"],
                search_params={"metric_type": "IP"},
                consistency_level="Strong",
            )
            return [
                Found(
                    np.array([hit["row"] for hit in hits], np.int64),
                    np.array([hit["distance"] for hit in hits], np.float32),
                    self._items([hit["entity"]["vector"] for hit in hits]),
                )
                for hits in answers
            ]

    def take(self, rows: Integers) -> tuple[Integers, Representation]:
        taken: list[Any] = []
        with self._server.asked() as client:
            if len(rows):
                self._open(client)
            for start in range(0, len(rows), _CHUNK):
                ids = rows[start : start + _CHUNK].tolist()
                taken += client.query(self._name, ids=ids, output_fields=["vector"], consistency_level="Strong")
        return np.array([one["row"] for one in taken], np.int64), self._items([one["vector"] for one in taken])

    def rows(self) -> Iterator[Integers]:
        with self._server.asked() as client:
            if not client.has_collection(self._name):
                return
            self._open(client)
            pieces = client.query_iterator(
                self._name, batch_size=_CHUNK, output_fields=["row"], consistency_level="Strong"
            )
            try:
                while piece := pieces.next():
                    yield np.array([one["row"] for one in piece], np.int64)
            finally:
                pieces.close()

    def count(self) -> int:
        return self._count("")

    def delete(self, rows: Integers) -> None:
        with self._server.asked() as client:
            for start in range(0, len(rows), _CHUNK):
                client.delete(self._name, ids=rows[start : start + _CHUNK].tolist())
            self._unsettled = True

    def settle(self) -> bool:
        # A server does this by itself and must not be asked to often; Lite scans row by row what is not flushed.
        if not (self._unsettled and self._server.is_lite):
            return False
        with self._server.asked() as client:
            client.flush(self._name)
            self._unsettled = False
        return True

    def frequency(self, terms: Integers) -> Integers:
        return np.array([self._count(f"array_contains(terms, {term})") for term in terms.tolist()], np.int64)

    def _count(self, condition: str) -> int:
        with self._server.asked() as client:
            if not client.has_collection(self._name):
                return 0
            self._open(client)
            [found] = client.query(self._name, filter=condition, output_fields=["count(*)"], consistency_level="Strong")
            return int(found["count(*)"])

    def _open(self, client: Any, create: bool = False) -> None:
        """Make sure that the collection is there (made, if it may be) and loaded."""
        if self._ready:
            return
        if create:
            self._create(client)
        elif not client.has_collection(self._name):
            raise lost(self._server.url, f"there is no {self._name}")
        client.load_collection(self._name)
        self._ready = True

    def _create(self, client: Any) -> None:
        from pymilvus import DataType

        schema = client.create_schema(auto_id=False, enable_dynamic_field=False)
        schema.add_field("row", DataType.INT64, is_primary=True)
        indexes = client.prepare_index_params()
        if self._space.kind == "sparse":
            schema.add_field("vector", DataType.SPARSE_FLOAT_VECTOR)
            schema.add_field("terms", DataType.ARRAY, element_type=DataType.INT64, max_capacity=_MOST_TERMS)
            indexes.add_index("vector", index_type="SPARSE_INVERTED_INDEX", metric_type="IP")
            if not self._server.is_lite:  # which has no index of lists
                indexes.add_index("terms", index_type="INVERTED")
        else:
            schema.add_field("vector", DataType.FLOAT_VECTOR, dim=self._space.size)
            kind = "FLAT" if self._server.is_lite else "AUTOINDEX"
            indexes.add_index("vector", index_type=kind, metric_type="IP")
        if not client.has_collection(self._name):
            client.create_collection(self._name, schema=schema, consistency_level="Strong")
        if not client.list_indexes(self._name):  # also where a process died in between
            client.create_index(self._name, indexes, sync=False)  # of nothing: there is nothing to wait for

    def _entities(self, rows: Integers, items: Representation) -> Iterator[dict[str, Any]]:
        for row, vector in zip(rows.tolist(), self._vectors(items), strict=True):
            if self._space.kind == "sparse":
                terms = [term for term in vector if term < self._space.size]
                yield {"row": row, "vector": vector, "terms": terms[:_MOST_TERMS]}
            else:
                yield {"row": row, "vector": vector}

    def _vectors(self, items: Representation) -> Sequence[Any]:
        if not isinstance(items, Sparse):
            return list(items.values)
        ends, terms, weights = items.indptr.tolist(), items.indices.tolist(), items.values.tolist()
        # Milvus takes no item without words: a word that no question has stands for none.
        return [
            dict(zip(terms[start:end], weights[start:end], strict=True)) or {self._space.size: 1.0}
            for start, end in pairwise(ends)
        ]

    def _items(self, vectors: Sequence[Any]) -> Representation:
        if not vectors:
            return self._space.nothing()
        if self._space.kind == "dense":
            return Dense(np.array(vectors, np.float32))
        size = self._space.size
        words = [sorted((term, weight) for term, weight in vector.items() if term < size) for vector in vectors]
        ends = np.concatenate([[0], np.cumsum([len(own) for own in words])]).astype(np.int64)
        flat = [pair for own in words for pair in own]
        terms, weights = zip(*flat, strict=True) if flat else ((), ())
        return Sparse(ends, np.array(terms, np.int64), np.array(weights, np.float32), size)
