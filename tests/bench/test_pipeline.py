from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image
from pipeline import Bench, evaluate, write_photographs

from limner.data.pictures import read_picture
from limner.data.world import draw, scene_at
from limner.encode.bundle import Bundle


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    place = tmp_path_factory.mktemp("pipeline")
    pictures = [draw(scene_at(0, index), 96) for index in range(3)]
    for name, seed in (("pictures", 0), ("warm-up", 1)):
        write_photographs(place / name, pictures, 5, (80, 60), seed)
    return place / "pictures", place / "warm-up"


def test_photographs_are_all_different_and_have_exif(folders: tuple[Path, Path]) -> None:
    contents = {path.read_bytes() for folder in folders for path in folder.iterdir()}
    assert len(contents) == 10
    for content in contents:
        assert Image.open(io.BytesIO(content)).size == (80, 60)
        _, fields = read_picture(content, "photo.jpg")
        assert {"taken", "year", "camera", "maker", "latitude", "longitude"} <= fields.keys()


def test_the_same_seed_gives_the_same_photographs(folders: tuple[Path, Path], tmp_path: Path) -> None:
    write_photographs(tmp_path / "again", [draw(scene_at(0, index), 96) for index in range(3)], 5, (80, 60), 0)
    for path in folders[0].iterdir():
        assert (tmp_path / "again" / path.name).read_bytes() == path.read_bytes()


@pytest.mark.parametrize("first", [0, 1, 2])
def test_a_turn_measures_all_three_and_leaves_nothing(
    folders: tuple[Path, Path], bundle: Bundle, tmp_path: Path, first: int
) -> None:
    bench = Bench(*folders, tmp_path / "collection.limner", bundle)
    measured = bench.turn(first)
    assert next(iter(measured)) == ["decode", "encode", "end to end"][first]
    assert set(measured) == {"decode", "encode", "end to end"}
    assert all(rate > 0 and used >= 0 for rate, used in measured.values())
    assert list(tmp_path.iterdir()) == []


def test_evaluate() -> None:
    one = {"decode": (100.0, 1.0), "encode": (300.0, 0.9), "end to end": (60.0, 0.8)}
    two = {"decode": (100.0, 1.0), "encode": (100.0, 0.9), "end to end": (40.0, 0.8)}
    table = evaluate([one, two, one])
    assert table["decode, pictures/s"] == {"median": 100, "least": 100, "most": 100}
    assert table["end to end, pictures/s"] == {"median": 60, "least": 40, "most": 60}
    assert table["end to end / slower half"] == {"median": 0.6, "least": 0.4, "most": 0.6}
    assert table["end to end / shared-core bound"] == pytest.approx({"median": 0.8, "least": 0.8, "most": 0.8})
    assert table["shared-core bound / slower half"] == pytest.approx({"median": 0.75, "least": 0.5, "most": 0.75})
