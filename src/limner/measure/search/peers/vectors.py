"""Libraries and stores of dense vectors other than faiss."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from limner.core.runtime import cpu_count
from limner.core.types import Dense, Integers, Representation
from limner.measure.search.contender import Contender, Effort, Mask
from limner.measure.search.peers.faiss_indexes import lists_for


def _values(items: Representation) -> Any:
    assert isinstance(items, Dense)
    return items.values


class Hnswlib(Contender):
    """A graph (Malkov and Yashunin 2018)."""

    name, kind = "hnswlib", "dense"
    package = "hnswlib"
    at_most = 100_000
    efforts = tuple({"ef": ef} for ef in (16, 32, 64, 128, 256))

    def build(self, items: Representation, folder: Path) -> None:
        import hnswlib

        index = hnswlib.Index("ip", _values(items).shape[1])
        index.init_index(len(items), M=16, ef_construction=200)
        index.add_items(_values(items), num_threads=cpu_count())
        index.save_index(str(folder / "index"))

    def open(self, items: Representation, folder: Path) -> None:
        import hnswlib

        self._index = hnswlib.Index("ip", _values(items).shape[1])
        self._index.load_index(str(folder / "index"), max_elements=len(items))
        self._index.set_num_threads(1)

    def search(self, query: Representation, k: int, effort: Effort, allowed: Mask | None = None) -> Integers:
        self._index.set_ef(max(k, int(effort["ef"])))
        found: Integers = self._index.knn_query(_values(query), k=k)[0][0].astype(np.int64)
        return found


class Usearch(Contender):
    """A graph over half-precision vectors."""

    name, kind = "usearch fp16", "dense"
    package = "usearch"
    at_most = 100_000
    efforts = tuple({"ef": ef} for ef in (16, 32, 64, 128, 256))

    def build(self, items: Representation, folder: Path) -> None:
        from usearch.index import Index

        index = Index(ndim=_values(items).shape[1], metric="ip", dtype="f16")
        index.add(np.arange(len(items)), np.ascontiguousarray(_values(items)), threads=cpu_count())
        index.save(str(folder / "index.usearch"))

    def open(self, items: Representation, folder: Path) -> None:
        from usearch.index import Index

        self._index = Index.restore(str(folder / "index.usearch"))

    def search(self, query: Representation, k: int, effort: Effort, allowed: Mask | None = None) -> Integers:
        self._index.expansion_search = int(effort["ef"])
        found: Integers = self._index.search(_values(query)[0], k, threads=1).keys.astype(np.int64)
        return found


class Rabitqlib(Contender):
    """A partition with codes of 7 bits a dimension (Gao et al. 2025, "Extended RaBitQ"), by its authors."""

    name, kind = "rabitqlib IVF, 7 bits", "dense"
    package = "rabitqlib"
    efforts = tuple({"nprobe": count} for count in (8, 16, 32, 64, 128, 256))

    def build(self, items: Representation, folder: Path) -> None:
        import rabitqlib

        values = np.ascontiguousarray(_values(items))
        lists = lists_for(len(items))
        means = rabitqlib.RaBitQKMeans(values.shape[1], lists, num_threads=cpu_count())
        means.train(values)
        index = rabitqlib.IvfIndex(values.shape[1], len(values), lists, 7, metric="ip")
        index.build(values, means.centroids, means.assignments, num_threads=cpu_count())
        index.save(str(folder / "index"))

    def open(self, items: Representation, folder: Path) -> None:
        import rabitqlib

        self._index = rabitqlib.IvfIndex.load(str(folder / "index"))

    def search(self, query: Representation, k: int, effort: Effort, allowed: Mask | None = None) -> Integers:
        found = self._index.search(_values(query), k, int(effort["nprobe"]))[0]
        rows: Integers = np.asarray(found).reshape(-1).astype(np.int64)
        return rows


class Scann(Contender):
    """Tree, 4-bit codes by anisotropic quantisation (Guo et al. 2020), reordering."""

    name, kind = "scann", "dense"
    package = "scann"
    efforts = tuple({"leaves": leaves, "reorder": 100 + 2 * leaves} for leaves in (10, 25, 50, 100, 200, 400))

    def build(self, items: Representation, folder: Path) -> None:
        from scann import scann_ops_pybind as scann

        leaves = max(2, round(2 * len(items) ** 0.5))
        builder = scann.builder(np.ascontiguousarray(_values(items)), 10, "dot_product").set_n_training_threads(
            cpu_count()
        )
        tree = builder.tree(leaves, 50, training_sample_size=min(len(items), 64 * leaves))
        tree.score_ah(2, anisotropic_quantization_threshold=0.2).reorder(200).build().serialize(str(folder))

    def open(self, items: Representation, folder: Path) -> None:
        from scann import scann_ops_pybind as scann

        self._searcher = scann.load_searcher(str(folder))

    def search(self, query: Representation, k: int, effort: Effort, allowed: Mask | None = None) -> Integers:
        leaves, reorder = int(effort["leaves"]), int(effort["reorder"])
        found, _ = self._searcher.search(
            _values(query)[0], final_num_neighbors=k, pre_reorder_num_neighbors=max(k, reorder), leaves_to_search=leaves
        )
        rows: Integers = found.astype(np.int64)
        return rows


def contenders() -> list[Contender]:
    return [Rabitqlib(), Scann(), Hnswlib(), Usearch()]
