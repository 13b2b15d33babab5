"""Search a collection that is larger than the memory it may use.

    python bench/memory_limit.py --size 1M --seed 0

A million vectors of 512 numbers are 2 GB, and their structure is another 0.6. A process that may keep so much memory in
all, pages of files included, opens the index and asks one query after another: first without a limit, then with less
and less. Told are recall against exact search, times, and the most memory that was in use; every process begins with
no page of the files in memory. Needs Linux and the right to make a control group (root, in most places).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from harness import clustered_vectors, options, store, workplace

from limner.core.types import Dense
from limner.eval.table import aligned
from limner.measure.search.own import contenders
from limner.measure.search.trial import recall
from limner.measure.search.workload import Opened

LIMITS = (None, 1024, 512, 256)
"""MiB"""
RECALLS = (0.95, 0.98)
QUERIES = 300
GROUPS = Path("/sys/fs/cgroup")


def answer(workload: Opened, folder: Path) -> list[dict[str, float]]:
    """What a process finds and how long it takes."""
    index, items, queries = contenders()[0], workload.items, workload.queries("cross-modal")
    index.open(items, folder)
    rows = []
    for asked in RECALLS:
        found, times = [], []
        for number in range(min(QUERIES, len(queries))):
            query, start = queries.take(slice(number, number + 1)), time.perf_counter()
            found.append(index.search(query, 10, {"recall": asked}))
            times.append(1e3 * (time.perf_counter() - start))
        warm = times[len(times) // 3 :]
        rows.append(
            {
                "asked": asked,
                "recall@10": recall(found, workload.truth("cross-modal"), 10),
                "first ms": times[0],
                "p50 ms": float(np.median(warm)),
                "p99 ms": float(np.quantile(warm, 0.99)),
            }
        )
    return rows


def limited(limit: int | None, workload: Opened, folder: Path) -> list[dict[str, float]]:
    """The same in a process of its own that may use `limit` MiB, with the most that it used."""
    for path in [*folder.rglob("*"), *workload.folder.iterdir()]:
        if path.is_file():
            with path.open("rb") as file:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    with control_group(limit) as (group, peak):
        words = [sys.executable, __file__, "--inside", str(group), str(workload.folder), str(folder)]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(f"the search with {limit} MiB ended with status {done.returncode}: {done.stderr[-300:]}")
        used = int((group / peak).read_text()) >> 20
        return [row | {"limit MiB": limit or 0, "used MiB": used} for row in json.loads(done.stdout)]


@contextmanager
def control_group(limit: int | None) -> Iterator[tuple[Path, str]]:
    """A new group of processes with this much memory, and the name of the file that tells the most it used."""
    first = (GROUPS / "memory").is_dir()
    most, peak = ("memory.limit_in_bytes", "memory.max_usage_in_bytes") if first else ("memory.max", "memory.peak")
    group = (GROUPS / "memory" if first else GROUPS) / f"limner-bench-{os.getpid()}"
    try:
        group.mkdir()
        if limit is not None:
            (group / most).write_text(str(limit << 20))
    except OSError as error:
        sys.exit(f"no control group can be made here ({error.strerror}): run this on Linux as root")
    try:
        yield group, peak
    finally:
        group.rmdir()


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--size", default="1M", metavar="N", help="vectors (1M)")
    arguments = parser.parse_args()
    workload = clustered_vectors(arguments.size, arguments.seed)
    with workplace(arguments.keep) as folder:
        contenders()[0].build(Dense(workload.items.values), folder)
        rows = [row for limit in LIMITS for row in limited(limit, workload, folder)]
    header = list(rows[0])
    print(aligned(header, [[f"{row[name]:.4g}" for name in header] for row in rows]))
    store(arguments, "none", {"rows": rows})


if __name__ == "__main__":
    if sys.argv[1:2] == ["--inside"]:
        group, made, place = map(Path, sys.argv[2:])
        (group / "cgroup.procs").write_text(str(os.getpid()))
        json.dump(answer(Opened(made), place), sys.stdout)
    else:
        main()
