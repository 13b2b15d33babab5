"""Exact search for many queries at once, beside the product of matrices that it cannot do without.

    python bench/exact_batches.py --size 1M --seed 0

Batches of 256 queries against all vectors of a collection, compared exactly: by limner's compiled loops, and by what
limner does where they were not built. Beside them the bare products of random matrices of the same shape, in float32 by
numpy and in bfloat16 by torch, of which nothing is kept and no best is sought. Queries a second, each way in turns, on
one thread and then on two; `share` is that of the product in bfloat16. Needs Linux and the extra `train`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from unittest import mock

import numpy as np
from harness import clustered_vectors, options, store, workplace

from limner.core.types import Dense, Space
from limner.eval.table import aligned
from limner.index import products
from limner.index.arrays import ArrayFolder
from limner.index.catalogue import Catalogue
from limner.index.dense import DenseIndex
from limner.index.vectors import VectorStore
from limner.measure.search.workload import Opened

BATCH, TURNS, ROWS = 256, 5, 1 << 16
RATE = "queries a second"


def index_of(workload: Opened, folder: Path) -> DenseIndex:
    """Without a structure: made where there is none in the folder yet."""
    vectors, new = workload.items.values, not folder.exists()
    catalogue = Catalogue(folder / "catalogue.sqlite", create=True)
    space = Space("bench", "dense", vectors.shape[1], "cosine")
    index = DenseIndex(VectorStore(catalogue, ArrayFolder(folder / "vectors"), "bench", space), recall=1)
    for start in range(0, len(vectors) if new else 0, ROWS):
        part = vectors[start : start + ROWS]
        index.add(np.arange(start, start + len(part)), Dense(part))
    return index


def ways(workload: Opened, folder: Path) -> dict[str, Callable[[], int]]:
    """By name what is timed; each returns how many products of two vectors it was."""
    import torch

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    index, queries = index_of(workload, folder), workload.queries("cross-modal").take(slice(0, BATCH))
    random = np.random.default_rng(0)
    size = workload.items.values.shape[1]
    rows, columns = (random.standard_normal((count, size), np.float32) for count in (ROWS, BATCH))
    rough_rows, rough_columns = torch.from_numpy(rows).bfloat16(), torch.from_numpy(columns).bfloat16()

    def search() -> int:
        index.search(queries, 10)
        return workload.n * BATCH

    def search_without_loops() -> int:
        with mock.patch.object(products, "compiled", None):
            return search()

    def exact_product() -> int:
        np.matmul(rows, columns.T)
        return ROWS * BATCH

    def rough_product() -> int:
        torch.matmul(rough_rows, rough_columns.T)
        return ROWS * BATCH

    return {
        "limner": search,
        "limner, loops not compiled": search_without_loops,
        "numpy, product in float32": exact_product,
        "torch, product in bfloat16": rough_product,
    }


def measure(workload: Opened, folder: Path) -> list[dict[str, object]]:
    timed = ways(workload, folder)
    rates: dict[str, list[float]] = {name: [] for name in timed}
    for turn in range(TURNS + 1):
        for name, run in timed.items():
            start = time.perf_counter()
            count = run()
            if turn:  # the first warms up
                rates[name].append(count / workload.n / (time.perf_counter() - start))
    ceiling = median(rates["torch, product in bfloat16"])
    threads = len(os.sched_getaffinity(0))
    return [
        {"threads": threads, "way": name, RATE: median(own), "share": median(own) / ceiling}
        for name, own in rates.items()
    ]


def pinned(threads: int, workload: Opened, folder: Path) -> list[dict[str, object]]:
    """`measure` in a process of its own that has so many processors."""
    mine = sorted(os.sched_getaffinity(0))[:threads]
    words = [sys.executable, __file__, "--inside", ",".join(map(str, mine)), str(workload.folder), str(folder)]
    done = subprocess.run(words, stdout=subprocess.PIPE, check=True, env=os.environ | {"OMP_NUM_THREADS": str(threads)})
    rows: list[dict[str, object]] = json.loads(done.stdout)
    return rows


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--size", default="1M", metavar="N", help="vectors (1M)")
    arguments = parser.parse_args()
    workload = clustered_vectors(arguments.size, arguments.seed)
    with workplace(arguments.keep) as folder:
        index_of(workload, folder / "index")
        rows = [row for threads in (1, 2) for row in pinned(threads, workload, folder / "index")]
    header = list(rows[0])
    print(
        aligned(header, [[str(row["threads"]), row["way"], f"{row[RATE]:.1f}", f"{row['share']:.2f}"] for row in rows])
    )
    store(arguments, "none", {"rows": rows})


if __name__ == "__main__":
    if sys.argv[1:2] == ["--inside"]:
        os.sched_setaffinity(0, {int(number) for number in sys.argv[2].split(",")})
        json.dump(measure(Opened(Path(sys.argv[3])), Path(sys.argv[4])), sys.stdout)
    else:
        main()
