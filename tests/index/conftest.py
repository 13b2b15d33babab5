from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from limner.index.catalogue import Catalogue


@pytest.fixture
def folder() -> Iterator[Path]:
    """An empty folder, in memory where the system has such a place: a flush to disk takes no time there."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as path:
        yield Path(path)


@pytest.fixture
def catalogue(folder: Path) -> Iterator[Catalogue]:
    catalogue = Catalogue(folder / "catalogue.sqlite", create=True)
    yield catalogue
    catalogue.close()
