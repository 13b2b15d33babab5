"""`limner bench search`, end to end at a small size."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.mark.usefixtures("home")
def test_a_small_collection_is_measured(limner: Callable[..., Any], tmp_path: Path) -> None:
    done = limner("bench", "search", "--size", "2000", "--kind", "dense", "--no-peers", "--out", tmp_path / "out")
    assert done.code == 0, done.err
    assert "clustered vectors, 2,000 items, queries: cross-modal" in done.out
    assert "limner DenseIndex" in done.out
    assert "limner DenseIndex: add" in done.err
    stored = json.loads((tmp_path / "out/search-dense-2k.json").read_text())
    assert stored["command"] == "limner bench search --size 2k --kind dense --no-peers --seed 0"
    assert stored["finished"]
    assert {"processor", "cores", "packages"} <= stored["machine"].keys()
    assert (tmp_path / "out/search-clustered-vectors-2k.png").exists()
    assert str(tmp_path) not in json.dumps(stored)


def test_a_size_that_is_none(limner: Callable[..., Any]) -> None:
    done = limner("bench", "search", "--size", "lots")
    assert (done.code, done.err) == (2, "limner: --size lots: give a number of items, such as 20k, 1M or 2500\n")
