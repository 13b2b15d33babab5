"""Real collections over real pictures: a model that sees colours, in a folder that costs no disk."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from colour_model import COLOURS, write_colour_bundle, write_picture

from limner.collection import Collection, adding, reindexing
from limner.core.types import FieldValue


class Kept(NamedTuple):
    """What a collection keeps of an item, but for its id."""

    texts: tuple[str, ...]
    fields: dict[str, FieldValue]
    regions: tuple[object, ...]
    vector: tuple[float, ...]


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_colour_bundle(tmp_path_factory.mktemp("models") / "colours")


@pytest.fixture(scope="session")
def finer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another model of the same colours: its vectors are refused beside those of `bundle`."""
    return write_colour_bundle(tmp_path_factory.mktemp("models") / "finer", size=12, name="finer")


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder, in memory where the system has such a place: a flush to disk takes no time there."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as path:
        monkeypatch.setenv("LIMNER_HOME", os.path.join(path, "limner"))
        monkeypatch.chdir(path)
        yield Path(path)


@pytest.fixture
def photos(home: Path) -> Path:
    """`photos/` with one picture of each colour."""
    for colour in COLOURS:
        write_picture(home / "photos" / f"{colour}.png", colour)
    return home / "photos"


@pytest.fixture
def collection(home: Path, bundle: Path) -> Iterator[Collection]:
    """A new collection of the colour model."""
    with Collection(home / "photos.limner", model=bundle) as collection:
        yield collection


@pytest.fixture
def indexed(collection: Collection, photos: Path) -> Collection:
    """The collection with `photos/` in it."""
    collection.add(photos)
    return collection


@pytest.fixture
def small_commits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few pictures make many batches and commits."""
    for module in (adding, reindexing):
        monkeypatch.setattr(module, "BATCH", 4)
        monkeypatch.setattr(module, "COMMIT_ROWS", 10)


@pytest.fixture
def ids() -> Callable[[Collection], dict[str, str]]:
    """File name -> id of all items."""
    return lambda collection: {Path(item.uri).name: item.id for item in collection.items()}


@pytest.fixture
def kept() -> Callable[[Collection], dict[str, Kept]]:
    """Uri -> everything of all items but their ids, vectors included."""

    def look(collection: Collection) -> dict[str, Kept]:
        items = {item.uri: item for item in collection.items()}
        if not items:
            return {}
        with tempfile.TemporaryDirectory() as folder:
            collection.export_vectors(Path(folder) / "x.npy")
            vectors = np.load(Path(folder) / "x.npy")
            _, *rows = (Path(folder) / "x.jsonl").read_text().splitlines()
        uris = [json.loads(row)["uri"] for row in rows]
        assert sorted(uris) == sorted(items), "an item without a vector"
        return {
            uri: Kept(items[uri].texts, dict(items[uri].fields), items[uri].regions, tuple(vector.tolist()))
            for uri, vector in zip(uris, vectors, strict=True)
        }

    return look
