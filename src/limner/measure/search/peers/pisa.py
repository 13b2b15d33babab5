"""PISA (Mallia et al. 2019), which searches compressed posting lists with bounds.

Its Python package asks for Java when it is imported, its compiled half does not: that is loaded by itself, and given
the collection in PISA's own format.
"""

from __future__ import annotations

import ctypes
import importlib.machinery
import importlib.util
import sys
import threading
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from limner.core.types import Integers, Representation, Sparse
from limner.index.layout import CEILING, IMPACTS
from limner.measure.search.contender import Contender, Effort, Mask

_MODULE = "pyterrier_pisa"


class Pisa(Contender):
    """Lists of 128 postings in SIMD-BP128, impacts in the same 255 steps as limner's."""

    kind = "sparse"
    package, module = "pyterrier-pisa", _MODULE

    def __init__(self, algorithm: str) -> None:
        self.name, self._algorithm = f"PISA {algorithm.replace('_', ' ')}", algorithm

    def build(self, items: Representation, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        assert isinstance(items, Sparse)
        _write(items, folder)
        pisa = _compiled()
        pisa.build_binlex(str(folder / "fwd.documents"), str(folder / "fwd.doclex"))
        pisa.build_binlex(str(folder / "fwd.terms"), str(folder / "fwd.termlex"))
        self._prepare(folder)
        for left in ("inv.docs", "inv.freqs", "fwd.documents", "fwd.terms"):
            (folder / left).unlink()

    def open(self, items: Representation, folder: Path) -> None:
        self._context, self._one_at_a_time = self._prepare(folder), threading.Lock()

    def search(self, query: Representation, k: int, effort: Effort, allowed: Mask | None = None) -> Integers:
        assert isinstance(query, Sparse)
        # PISA drops what stands behind the point of a weight, and takes no whole numbers.
        weights = np.rint(100 * query.values).tolist()
        words = dict(zip(map(str, query.indices), weights, strict=True))
        which, names = np.empty(k, np.int32), np.empty(k, object)
        ranks, scores = np.empty(k, np.int32), np.empty(k, np.float32)
        with self._one_at_a_time:
            count = _compiled().retrieve(
                self._context,
                self._algorithm,
                [(0, words)],
                k=k,
                threads=1,
                query_weighted=1,
                pretokenised=True,
                result_qidxs=which,
                result_docnos=names,
                result_ranks=ranks,
                result_scores=scores,
            )
        return names[:count].astype(np.int64)

    def held_bytes(self, folder: Path) -> int:
        """Without the names of documents and words, which are only numbers here."""
        return sum(path.stat().st_size for path in folder.iterdir() if path.suffix not in (".doclex", ".termlex"))

    def _prepare(self, folder: Path) -> Any:
        pisa = _compiled()
        context = pisa.RetrievalContext()
        pisa.prepare_index(context, str(folder), "block_simdbp", "quantized", "", quantize=0, stop_fname="")
        return context


def _write(items: Sparse, folder: Path) -> None:
    """The inverted lists as PISA's tools expect them: terms in the order of their names, each list after its length."""
    count, indptr = len(items), np.asarray(items.indptr)
    impacts = np.clip(np.rint(np.asarray(items.values) * (IMPACTS / CEILING)), 1, IMPACTS).astype(np.uint32)
    terms = np.asarray(items.indices)
    order = np.argsort(terms, kind="stable")
    rows, ordered = np.repeat(np.arange(count, dtype=np.uint32), np.diff(indptr))[order], impacts[order]
    starts = np.concatenate([[0], np.cumsum(np.bincount(terms, minlength=items.vocabulary_size))])
    names = sorted(np.flatnonzero(np.diff(starts)).tolist(), key=str)
    with (folder / "inv.docs").open("wb") as documents, (folder / "inv.freqs").open("wb") as frequencies:
        documents.write(np.array([1, count], np.uint32).tobytes())
        for name in names:
            own = slice(starts[name], starts[name + 1])
            length = np.array([own.stop - own.start], np.uint32).tobytes()
            documents.write(length + rows[own].tobytes())
            frequencies.write(length + ordered[own].tobytes())
    sums = np.add.reduceat(np.append(impacts, 0), indptr[:-1]) * (np.diff(indptr) > 0)
    (folder / "inv.sizes").write_bytes(np.array([count, *sums], np.uint32).tobytes())
    (folder / "fwd.terms").write_text("".join(f"{name}\n" for name in names), encoding="utf-8")
    (folder / "fwd.documents").write_text("".join(f"{row}\n" for row in range(count)), encoding="utf-8")


@cache
def _compiled() -> Any:
    found = importlib.util.find_spec(_MODULE)
    assert found is not None
    file = next(Path(str(found.origin)).parent.glob(f"_pisathon*{importlib.machinery.EXTENSION_SUFFIXES[0]}"))
    ctypes.CDLL(str(Path(sys.prefix) / "lib" / "libtbb.so.2"), ctypes.RTLD_GLOBAL)  # where the package tbb puts it
    loader = importlib.machinery.ExtensionFileLoader("_pisathon", str(file))
    spec = importlib.util.spec_from_loader("_pisathon", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


def contenders() -> list[Contender]:
    return [Pisa(algorithm) for algorithm in ("block_max_wand", "maxscore")]
