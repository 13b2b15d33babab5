"""A process may die at any instant: what was committed stays, what was not was never there."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from limner.core.types import Space
from limner.index.arrays import ArrayFolder
from limner.index.catalogue import Catalogue
from limner.index.vectors import VectorStore

ONE_THREAD = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}

WRITER = """
import sys
import numpy as np
from limner.core.types import Dense, Item, Space
from limner.index.catalogue import Catalogue
from limner.index.records import Entry
from limner.index.arrays import ArrayFolder
from limner.index.vectors import VectorStore

folder, size = sys.argv[1], int(sys.argv[2])
catalogue = Catalogue(folder + "/catalogue.sqlite", create=True)
shards = ArrayFolder(folder + "/vectors")
store = VectorStore(catalogue, shards, "model", Space("image", "dense", 4, "dot"))
with catalogue.writing():
    shards.sweep(catalogue.shards.files())
    batch = catalogue.count()[0] // size
    while True:
        with catalogue.transaction():
            keys = catalogue.put([Entry(Item(f"/{batch}/{row}", fields={"batch": batch})) for row in range(size)])
            store.add(keys, Dense(np.outer(keys, np.ones(4)).astype(np.float32)))
        print(batch, flush=True)
        batch += 1
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_death_at_any_line_leaves_before_or_after(folder: Path) -> None:
    program = Path(__file__).with_name("die_anywhere.py")
    run = subprocess.run(
        [sys.executable, str(program), str(folder), "50"], env=ONE_THREAD, capture_output=True, text=True, timeout=250
    )
    assert run.returncode == 0, run.stderr
    deaths, finished = map(int, run.stdout.split())
    assert deaths == 50
    assert 3 <= finished <= 47, "deaths before the commit as well as after it"


def test_sigkill_loses_nothing_that_was_reported(folder: Path) -> None:
    size, reported = 5, -1
    rng = np.random.default_rng(0)
    for _ in range(4):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(folder), str(size)], env=ONE_THREAD, stdout=subprocess.PIPE, text=True
        ) as writer:
            assert writer.stdout is not None
            first = writer.stdout.readline()
            assert int(first) > reported
            time.sleep(rng.uniform(0.0, 0.3))
            writer.kill()
            reported = max([int(first), *(int(line) for line in writer.stdout if line.endswith("\n"))])
        catalogue = Catalogue(folder / "catalogue.sqlite")
        store = VectorStore(catalogue, ArrayFolder(folder / "vectors"), "model", Space("image", "dense", 4, "dot"))
        keys = catalogue.select()
        assert len(keys) % size == 0
        assert len(keys) // size - 1 in (reported, reported + 1), "the last one may have died before it could report"
        placed, vectors = store.take(keys)
        assert placed.tolist() == keys.tolist()
        np.testing.assert_array_equal(vectors.values[:, 0], keys)
        assert store.stats()["vectors"] == len(keys)
        assert catalogue.check() == store.verify() == []
        catalogue.close()
