"""A small model that knows colours, folders of coloured pictures, and the command run in this process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from colour_model import COLOURS, write_colour_bundle, write_picture

from limner.cli import run


class Ran(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture(scope="session")
def colour_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_colour_bundle(tmp_path_factory.mktemp("models") / "colours")


@pytest.fixture(scope="session")
def new_picture() -> Callable[[Path, str], Path]:
    """Write a picture of one colour: `new_picture(path, "red")`."""
    return write_picture


@pytest.fixture(scope="session")
def new_bundle() -> Callable[..., Path]:
    """Write a model: `new_bundle(folder, size=12, name="finer")`."""
    return write_colour_bundle


@pytest.fixture
def limner(capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """Run one command line in this process: `limner("search", "dog", "-k", 5)`."""

    def call(*arguments: object) -> Ran:
        capsys.readouterr()
        code = run([str(argument) for argument in arguments])
        return Ran(code, *capsys.readouterr())

    return call


@pytest.fixture
def home(tmp_path: Path, colour_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder as home and current folder; the colour model is at hand as `colours`."""
    (tmp_path / "limner/models").mkdir(parents=True)
    (tmp_path / "limner/models/colours").symlink_to(colour_bundle, target_is_directory=True)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("LIMNER_HOME", str(tmp_path / "limner"))
    monkeypatch.delenv("LIMNER_COLLECTION", raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def photos(home: Path) -> Path:
    """`photos/` with one picture of each colour."""
    for colour in COLOURS:
        write_picture(home / "photos" / f"{colour}.png", colour)
    return home / "photos"


@pytest.fixture
def indexed(photos: Path, limner: Callable[..., Ran]) -> Path:
    """`photos/`, indexed in the default collection by the colour model."""
    ran = limner("index", photos, "--model", "colours")
    assert ran.code == 0, ran.err
    return photos
