"""Databases that keep vectors on disk, each in its embedded form."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from limner.core.types import Dense, Integers, Representation, Sparse
from limner.measure.search.contender import Contender, Effort, Mask
from limner.measure.search.peers.faiss_indexes import lists_for

_ADDED_ROWS = 1000


class Zvec(Contender):
    """A store with a graph."""

    name, kind = "zvec HNSW", "dense"
    package = "zvec"
    at_most = 100_000
    efforts = tuple({"ef": ef} for ef in (16, 32, 64, 128, 256))

    def build(self, items: Representation, folder: Path) -> None:
        import zvec

        assert isinstance(items, Dense)
        graph = zvec.HnswIndexParam(metric_type=zvec.MetricType.IP)
        vector = zvec.VectorSchema("vector", zvec.DataType.VECTOR_FP32, items.values.shape[1], index_param=graph)
        store = zvec.create_and_open(str(folder / "store"), zvec.CollectionSchema(name="bench", vectors=vector))
        for start in range(0, len(items), _ADDED_ROWS):
            part = items.values[start : start + _ADDED_ROWS].tolist()
            store.insert([zvec.Doc(id=str(start + row), vectors={"vector": one}) for row, one in enumerate(part)])
        store.optimize(zvec.OptimizeOption())

    def open(self, items: Representation, folder: Path) -> None:
        import zvec

        self._store = zvec.open(str(folder / "store"))

    def search(self, query: Representation, k: int, effort: Effort, allowed: Mask | None = None) -> Integers:
        import zvec

        assert isinstance(query, Dense)
        asked = zvec.Query("vector", vector=query.values[0].tolist(), param=zvec.HnswQueryParam(ef=int(effort["ef"])))
        return np.array([int(found.id) for found in self._store.query(asked, topk=k)], np.int64)


class LanceDb(Contender):
    """A store with a partition of 1-bit codes, rescored."""

    name, kind = "lancedb IVF_RQ", "dense"
    package = "lancedb"
    at_most = 100_000
    efforts = tuple({"nprobe": count, "refine": 20} for count in (8, 16, 32, 64, 128))

    def build(self, items: Representation, folder: Path) -> None:
        import lancedb
        import pyarrow as pa
        from lancedb.index import IvfRq

        assert isinstance(items, Dense)
        vectors = pa.FixedSizeListArray.from_arrays(pa.array(items.values.ravel()), items.values.shape[1])
        table = lancedb.connect(str(folder)).create_table(
            "bench", data=pa.table({"row": pa.array(range(len(items))), "vector": vectors})
        )
        table.create_index("vector", config=IvfRq(distance_type="dot", num_partitions=lists_for(len(items))))

    def open(self, items: Representation, folder: Path) -> None:
        import lancedb

        self._table = lancedb.connect(str(folder)).open_table("bench")

    def search(self, query: Representation, k: int, effort: Effort, allowed: Mask | None = None) -> Integers:
        assert isinstance(query, Dense)
        asked = self._table.search(query.values[0]).distance_type("dot").limit(k).select(["row", "_distance"])
        found = asked.nprobes(int(effort["nprobe"])).refine_factor(int(effort["refine"])).to_arrow()
        return np.asarray(found["row"], np.int64)


class MilvusLite(Contender):
    """The sparse index of Milvus in its embedded form."""

    name, kind = "milvus-lite sparse", "sparse"
    package, module = "milvus-lite", "milvus_lite"
    at_most = 10_000

    def build(self, items: Representation, folder: Path) -> None:
        from pymilvus import DataType

        assert isinstance(items, Sparse)
        client = _milvus(folder)
        schema = client.create_schema()
        schema.add_field("row", DataType.INT64, is_primary=True)
        schema.add_field("words", DataType.SPARSE_FLOAT_VECTOR)
        index = client.prepare_index_params()
        index.add_index("words", index_type="SPARSE_INVERTED_INDEX", metric_type="IP")
        client.create_collection("bench", schema=schema, index_params=index)
        for start in range(0, len(items), _ADDED_ROWS):
            part = items.take(slice(start, start + _ADDED_ROWS))
            client.insert("bench", [{"row": start + row, "words": _words(part, row)} for row in range(len(part))])
        client.close()

    def open(self, items: Representation, folder: Path) -> None:
        self._client = _milvus(folder)
        self._client.load_collection("bench")

    def search(self, query: Representation, k: int, effort: Effort, allowed: Mask | None = None) -> Integers:
        assert isinstance(query, Sparse)
        asked = [_words(query, 0)]
        found = self._client.search("bench", asked, limit=k, anns_field="words", search_params={"metric_type": "IP"})
        return np.array([hit["row"] for hit in found[0]], np.int64)


def _milvus(folder: Path) -> Any:
    from pymilvus import MilvusClient

    return MilvusClient(str(folder / "store.db"))


def _words(items: Sparse, row: int) -> dict[int, float]:
    entries = slice(items.indptr[row], items.indptr[row + 1])
    return dict(zip(items.indices[entries].tolist(), items.values[entries].tolist(), strict=True))


def contenders() -> list[Contender]:
    return [Zvec(), LanceDb(), MilvusLite()]
