"""Indexes of weighted words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from limner.core.runtime import cpu_count
from limner.core.types import Integers, Representation, Sparse
from limner.measure.search.contender import Contender, Effort, Mask


def _sparse(items: Representation) -> Sparse:
    assert isinstance(items, Sparse)
    return items


class ScipyRows(Contender):
    """Every document scored: a product of compressed rows and the query."""

    name, kind = "scipy CSR", "sparse"
    package = "scipy"

    def build(self, items: Representation, folder: Path) -> None:
        pass

    def open(self, items: Representation, folder: Path) -> None:
        from scipy.sparse import csr_array

        rows = _sparse(items)
        shape = len(rows), rows.vocabulary_size
        self._rows = csr_array((np.asarray(rows.values), np.asarray(rows.indices), np.asarray(rows.indptr)), shape)

    def search(self, query: Representation, k: int, effort: Effort, allowed: Mask | None = None) -> Integers:
        words = _sparse(query)
        weights = np.zeros(words.vocabulary_size, np.float32)
        weights[words.indices] = words.values
        scores = self._rows @ weights
        best = np.argpartition(-scores, min(k, len(scores) - 1))[:k]
        best = best[np.argsort(-scores[best], kind="stable")]
        found: Integers = best[scores[best] > 0].astype(np.int64)
        return found

    def held_bytes(self, folder: Path) -> int:
        rows = self._rows
        return int(rows.data.nbytes + rows.indices.nbytes + rows.indptr.nbytes)


class Seismic(Contender):
    """Clustered posting lists with summaries (Bruch et al. 2024)."""

    name, kind = "pyseismic-lsr", "sparse"
    package, module = "pyseismic-lsr", "seismic"
    efforts = tuple(
        {"cut": cut, "factor": factor} for cut, factor in ((5, 0.9), (10, 0.9), (10, 0.8), (20, 0.7), (40, 0.6))
    )

    def takes(self, workload: str, n: int) -> bool:
        return n <= (1_000_000 if workload == "picture words" else 100_000)

    def build(self, items: Representation, folder: Path) -> None:
        import seismic

        rows, words = _sparse(items), self._words(_sparse(items).vocabulary_size)
        data = seismic.SeismicDataset()
        for row in range(len(rows)):
            entries = slice(rows.indptr[row], rows.indptr[row + 1])
            data.add_document(str(row), words[rows.indices[entries]], np.asarray(rows.values[entries]))
        seismic.SeismicIndex.build_from_dataset(data, num_threads=cpu_count()).save(str(folder / "index"))

    def open(self, items: Representation, folder: Path) -> None:
        import seismic

        self._index = seismic.SeismicIndex.load(str(folder / "index.index.seismic"))
        self._names = self._words(_sparse(items).vocabulary_size)

    def search(self, query: Representation, k: int, effort: Effort, allowed: Mask | None = None) -> Integers:
        words = _sparse(query)
        found = self._index.search(
            "", self._names[words.indices], words.values, k, int(effort["cut"]), float(effort["factor"])
        )
        return np.array([int(name) for _, _, name in found], np.int64)

    def _words(self, size: int) -> Any:
        import seismic

        return np.array([str(word) for word in range(size)], seismic.get_seismic_string())


def contenders() -> list[Contender]:
    return [ScipyRows(), Seismic()]
