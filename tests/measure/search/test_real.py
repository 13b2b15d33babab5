"""A collection of real pictures for the search bench: encoded once, and enlarged only where more are asked for."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from limner.core.types import Dense
from limner.data.demo import write_demo_pictures
from limner.measure.search import real
from limner.measure.search.real import encoded
from limner.measure.search.workload import open_workload


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pairs")
    rows = [
        {"image": str(path), "captions": [f"a {path.stem.replace('-', ' ')}", "a picture"], "split": "test"}
        for path in write_demo_pictures(folder / "photos")[:12]
    ]
    (folder / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder / "pairs.jsonl"


def test_pictures_are_items_and_captions_are_queries(place: Path, tmp_path: Path) -> None:
    told: list[str] = []
    workload = encoded(place, tmp_path, 0, told.append)(12)
    assert workload.name == "pictures of pairs"
    opened = open_workload(workload, tmp_path)
    pictures, captions = (np.load(workload.folder / f"{name}.npy") for name in ("pictures", "captions"))
    assert isinstance(opened.items, Dense)
    assert np.array_equal(opened.items.values, pictures)
    assert np.allclose(np.linalg.norm(pictures, axis=1), 1, atol=1e-5)
    queries = opened.queries("captions")
    assert isinstance(queries, Dense)
    assert np.array_equal(queries.values, captions)
    assert np.array_equal(opened.truth("captions")[:, 0], (captions @ pictures.T).argmax(axis=1))


def test_more_are_pictures_moved_a_little_and_the_name_says_so(place: Path, tmp_path: Path) -> None:
    told: list[str] = []
    workload = encoded(place, tmp_path, 0, told.append)(300)
    assert workload.name == "pictures of pairs, enlarged from 12 pictures"
    items = open_workload(workload, tmp_path).items
    assert isinstance(items, Dense)
    pictures = np.load(workload.folder / "pictures.npy")
    near = (items.values[12:] * pictures[np.arange(12, 300) % 12]).sum(axis=1)
    assert ((near > 0.8) & (near < 0.99)).all()


def test_pictures_are_encoded_once(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    first = encoded(place, tmp_path, 0, told.append)(12)
    monkeypatch.delattr(real, "encode_pairs")
    assert encoded(place, tmp_path, 0, told.append)(12).label == first.label
    assert told == ["encoding 12 pictures of pairs, once"]
