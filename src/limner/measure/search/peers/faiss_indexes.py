"""The indexes of faiss, each by its factory string (Douze et al. 2024, "The Faiss library")."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from limner.core.runtime import cpu_count
from limner.core.types import Dense, Integers, Representation
from limner.measure.search.contender import Contender, Effort, Mask

_POINTS_A_LIST = 64
"""So many vectors for each list are enough to train a partition."""
_ADDED_ROWS = 1 << 16


class FaissIndex(Contender):
    """`factory` may hold {lists}, filled in as four times the square root of the number of items."""

    kind = "dense"
    package, module = "faiss-cpu", "faiss"

    def __init__(self, name: str, factory: str, efforts: Sequence[Effort] = ({},), at_most: int | None = None) -> None:
        self.name, self.efforts, self.at_most = name, efforts, at_most
        self.filters = factory.startswith("IVF") or factory in ("Flat", "SQ8")
        self._factory = factory

    def build(self, items: Representation, folder: Path) -> None:
        faiss = _faiss()

        assert isinstance(items, Dense)
        faiss.omp_set_num_threads(cpu_count())
        lists = lists_for(len(items))
        index = faiss.index_factory(
            items.values.shape[1], self._factory.format(lists=lists), faiss.METRIC_INNER_PRODUCT
        )
        if "IVF" in self._factory:
            partition = faiss.extract_index_ivf(getattr(index, "base_index", index))
            partition.cp.max_points_per_centroid, partition.cp.niter = _POINTS_A_LIST, 10
        index.train(np.ascontiguousarray(items.values[:: max(1, len(items) // (_POINTS_A_LIST * lists))]))
        for start in range(0, len(items), _ADDED_ROWS):
            index.add(np.ascontiguousarray(items.values[start : start + _ADDED_ROWS]))
        faiss.write_index(index, str(folder / "index.faiss"))

    def open(self, items: Representation, folder: Path) -> None:
        faiss = _faiss()

        faiss.omp_set_num_threads(1)
        # Without this, faiss 1.15 computes a batch row by row.
        faiss.cvar.distance_compute_blas_threshold = 20
        self._index = faiss.read_index(str(folder / "index.faiss"))

    def search(self, query: Representation, k: int, effort: Effort, allowed: Mask | None = None) -> Integers:
        assert isinstance(query, Dense)
        found: Integers = self._index.search(query.values, k, params=self._parameters(effort, allowed))[1][0]
        return found[found >= 0]

    def _parameters(self, effort: Effort, allowed: Mask | None) -> Any:
        faiss = _faiss()

        more = {}
        if allowed is not None:
            more["sel"] = faiss.IDSelectorBitmap(np.packbits(allowed, bitorder="little"))
        inner = None
        if "nprobe" in effort:
            inner = faiss.SearchParametersIVF(nprobe=int(effort["nprobe"]), **more)
        elif "ef" in effort:
            inner = faiss.SearchParametersHNSW(efSearch=int(effort["ef"]))
        elif more:
            inner = faiss.SearchParameters(**more)
        if "refine" not in effort:
            return inner
        if inner is None:
            return faiss.IndexRefineSearchParameters(k_factor=effort["refine"])
        return faiss.IndexRefineSearchParameters(k_factor=effort["refine"], base_index_params=inner)


def _faiss() -> Any:
    """The library; its type stubs do not know the keywords that its classes take."""
    import faiss

    return faiss


def lists_for(n: int) -> int:
    """Lists of a partition of n vectors: 4,096 for a million, as their square root."""
    return max(1, round(4.096 * math.sqrt(n)))


def _probes(*counts: int, refine: int | None = None) -> list[Effort]:
    return [{"nprobe": count} if refine is None else {"nprobe": count, "refine": refine} for count in counts]


def contenders() -> list[Contender]:
    return [
        FaissIndex("faiss Flat", "Flat"),
        FaissIndex("faiss SQ8", "SQ8"),
        FaissIndex("faiss RaBitQ + SQ8", "RaBitQfs,Refine(SQ8)", [{"refine": factor} for factor in (5, 10, 20, 50)]),
        FaissIndex("faiss IVF,Flat", "IVF{lists},Flat", _probes(8, 16, 32, 64, 128, 256)),
        FaissIndex(
            "faiss IVF,RaBitQ + SQ8",
            "IVF{lists},RaBitQfs,Refine(SQ8)",
            [*_probes(8, 16, 32, refine=10), *_probes(32, 64, 128, 256, refine=20)],
        ),
        FaissIndex(
            "faiss IVF,PQ + SQ8",
            "IVF{lists},PQ128x4fs,Refine(SQ8)",
            [*_probes(8, 16, 32, refine=10), *_probes(32, 64, 128, refine=20)],
        ),
        FaissIndex("faiss HNSW,SQ8", "HNSW32,SQ8", [{"ef": ef} for ef in (16, 32, 64, 128, 256)], at_most=100_000),
    ]
