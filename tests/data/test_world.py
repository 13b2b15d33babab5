"""Scenes of the procedural world, their facts, and many of them as arrays and files."""

from __future__ import annotations

import hashlib
import json
import math
import sys
from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from world_reader import read, seen
from world_scenes import a_scene, an_object, numbers, scenes, scenes_of_any_world

from limner.core.errors import InputError, MissingDependency
from limner.core.types import Region
from limner.data.demo import CREDITS, write_demo_pictures
from limner.data.sources.folder import FolderSource
from limner.data.world import (
    WORLD_A,
    WORLD_B,
    Scene,
    caption_rng,
    captions,
    draw,
    render_batch,
    render_scenes,
    sample_scene,
    scene_at,
    write_world,
)
from limner.data.world.examples import example_sheet
from limner.data.world.facts import Backdrop, Count, Exists, Kind, Located, Related, Written
from limner.data.world.sampling import colours_on, sample_background
from limner.data.world.scene import OPPOSITE, PLACES, lies, place_of
from limner.data.world.worlds import SHADES

# ---- scenes


def test_a_scene_is_the_same_for_ever() -> None:
    scene = scene_at(7, 1)
    assert scene == scene_at(7, 1) != scene_at(7, 2)
    assert scene_at(8, 1) != scene
    assert [(thing.size, thing.pattern, thing.colour, thing.shape) for thing in scene.objects] == [
        ("large", "striped", "white", "diamond"),
        ("small", "solid", "red", "diamond"),
        ("small", "solid", "red", "diamond"),
    ]
    assert (scene.background.colour, scene.background.texture) == ("grey", "gradient")


@given(scenes_of_any_world)
def test_objects_lie_inside_apart_and_visible(scene: Scene) -> None:
    assert 1 <= len(scene.objects) <= 4
    boxes = [thing.box for thing in scene.objects]
    for left, top, right, bottom in boxes:
        assert 0 <= left < right <= 1
        assert 0 <= top < bottom <= 1
    for i, a in enumerate(boxes):
        for b in boxes[:i]:
            assert a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]
    for thing in scene.objects:
        assert math.dist(thing.rgb, scene.background.rgb) > 80
        assert min(math.dist(thing.rgb, shade) for shade in SHADES[thing.colour]) < 15


def test_every_word_of_the_world_occurs() -> None:
    things = [thing for index in range(300) for thing in scene_at(0, index).objects]
    assert {thing.shape for thing in things} == set(WORLD_A.shapes)
    assert {thing.pattern for thing in things} == set(WORLD_A.patterns)
    assert {thing.size for thing in things} == {"small", "large"}
    assert min(thing.extent for thing in things if thing.size == "large") > 1.4 * max(
        thing.extent for thing in things if thing.size == "small"
    )


@given(scenes)
def test_relations_come_in_opposite_pairs_and_follow_the_geometry(scene: Scene) -> None:
    relations = {(r.subject, r.direction, r.other) for r in scene.relations}
    for subject, direction, other in relations:
        assert (other, OPPOSITE[direction], subject) in relations
        assert (subject, OPPOSITE[direction], other) not in relations
        (ax, ay), (bx, by) = scene.objects[subject].centre, scene.objects[other].centre
        assert {"left of": ax < bx, "right of": ax > bx, "above": ay < by, "below": ay > by}[direction]


def test_a_relation_in_dispute_is_not_stated() -> None:
    scene = a_scene(an_object(x=0.2, y=0.2), an_object("star", "blue", x=0.7, y=0.5))
    assert [r.direction for r in scene.relations] == ["left of", "right of"]
    circle, star = Kind("circle"), Kind("star")
    assert Related(circle, "left of", star).truth(scene) is True
    assert Related(circle, "right of", star).truth(scene) is False
    assert Related(circle, "above", star).truth(scene) is None
    assert Related(circle, "below", star).truth(scene) is False
    assert Related(circle, "above", Kind("heart")).truth(scene) is False
    level = a_scene(an_object(x=0.2, y=0.50), an_object("star", "blue", x=0.7, y=0.51))
    assert Related(circle, "above", star).truth(level) is Related(circle, "below", star).truth(level) is None


def test_counts_are_exact_and_kinds_match_only_what_they_name() -> None:
    scene = a_scene(an_object(), an_object("circle", "blue", x=0.2), an_object("star", "red", x=0.8))
    assert Count(Kind("circle"), 2).truth(scene)
    assert Count(Kind("circle"), 1).truth(scene) is False
    assert Count(Kind(colour="green"), 0).truth(scene)
    assert Exists(Kind("circle", "red")).truth(scene)
    assert Exists(Kind("star", "blue")).truth(scene) is False
    assert Exists(Kind("star", pattern="dotted")).truth(scene) is False
    assert Backdrop("white").truth(scene)
    assert Backdrop("white", "gradient").truth(scene) is False


def test_the_number_of_objects_can_be_chosen() -> None:
    assert max(len(sample_scene(Random(seed), replace(WORLD_A, most=9)).objects) for seed in range(60)) > 4
    with pytest.raises(InputError, match="choose 1 to 30"):
        replace(WORLD_A, most=0)


def test_a_world_that_cannot_be_is_refused() -> None:
    for change, reason in (
        ({"most": 31}, "choose 1 to 30"),
        ({"fewest": 5}, "the fewest first"),
        ({"scale": 0.1}, "choose 0.2 to 1"),
        ({"grid": 2, "most": 5}, "one cell for each"),
        ({"written": 1.5}, "a share from 0 to 1"),
    ):
        with pytest.raises(InputError, match=reason):
            replace(WORLD_A, **change)
    with pytest.raises(InputError, match="choose a smaller scale"):
        sample_scene(Random(0), replace(WORLD_A, fewest=30, most=30))


@given(numbers, st.integers(1, 12))
def test_as_many_objects_as_the_world_asks_for(seed: int, number: int) -> None:
    assert len(scene_at(seed, 0, replace(WORLD_B, fewest=number, most=number, scale=0.5)).objects) == number
    grid = scene_at(seed, 0, replace(WORLD_A, fewest=number, most=number, grid=4))
    cells = {(int(x * 4), int(y * 4)) for x, y in (thing.centre for thing in grid.objects)}
    assert len(cells) == len(grid.objects) == number
    assert {thing.size for thing in grid.objects if thing.extent > 0.16} <= {"large"}


def test_the_other_world_looks_different_and_shares_two_shapes() -> None:
    assert not {*WORLD_A.grounds} & {*WORLD_B.grounds}
    assert {*WORLD_A.shapes} & {*WORLD_B.shapes} == {"square", "star"}
    assert {*WORLD_A.patterns} & {*WORLD_B.patterns} == {"solid"}
    found = [scene_at(0, index, WORLD_B) for index in range(300)]
    assert {thing.shape for scene in found for thing in scene.objects} == set(WORLD_B.shapes)
    assert {thing.pattern for scene in found for thing in scene.objects} == set(WORLD_B.patterns)
    assert {scene.background.texture for scene in found} == set(WORLD_B.textures)


@given(numbers)
def test_on_every_background_several_colours_stand_out(seed: int) -> None:
    for world in (WORLD_A, WORLD_B):
        assert len(colours_on(sample_background(Random(seed), world), world)) >= 3


@pytest.mark.parametrize(
    ("x", "y", "place", "open_to_some"),
    [
        (0.1, 0.1, "top left", {"top", "left"}),
        (0.5, 0.1, "top", set()),
        (0.9, 0.5, "right", set()),
        (0.5, 0.5, "middle", set()),
        (0.34, 0.9, None, {"bottom left", "bottom"}),
    ],
)
def test_places_are_the_ninths_of_the_picture(x: float, y: float, place: str | None, open_to_some: set[str]) -> None:
    thing = an_object(x=x, y=y)
    assert place_of(thing) == place
    assert {name for name in PLACES if lies(thing, name) is None} - {"left", "top", "right", "bottom"} <= open_to_some
    assert open_to_some <= {name for name in PLACES if lies(thing, name) is None}
    if place:
        assert Located(Kind("circle"), place).truth(a_scene(thing)) is True
        assert Located(Kind("star"), place).truth(a_scene(thing)) is False
    assert Located(Kind("circle"), "bottom right").truth(a_scene(thing)) is False


def test_a_fact_names_the_objects_that_it_fits() -> None:
    scene = a_scene(an_object(x=0.2), an_object("star", x=0.8), an_object("circle", "blue", x=0.2, y=0.8))
    assert Exists(Kind("circle")).objects(scene) == (0, 2)
    assert Count(Kind(colour="red"), 2).objects(scene) == (0, 1)
    assert Located(Kind("circle"), "bottom left").objects(scene) == (2,)
    assert Related(Kind("star"), "right of", Kind("circle", "red")).objects(scene) == (1, 0)
    assert Backdrop("white").objects(scene) == Written("NO").objects(scene) == ()


# ---- many scenes


def test_a_batch_is_the_scenes_one_after_another() -> None:
    pictures, texts = render_batch(4, 10, 3, 48)
    assert pictures.shape == (3, 48, 48, 3)
    assert pictures.dtype == np.uint8
    for row in range(3):
        scene = scene_at(4, 10 + row)
        assert (pictures[row] == np.asarray(draw(scene, 48))).all()
        assert texts[row] == captions(scene, caption_rng(4, 10 + row))
    assert (render_batch(4, 11, 1, 48)[0][0] == pictures[1]).all()
    assert render_batch(4, 0, 0, 48)[1] == []
    again, found = render_scenes(4, 10, 3, 48)
    assert (again == pictures).all()
    assert found == [scene_at(4, 10 + row) for row in range(3)]
    assert render_scenes(4, 10, 1, 48, WORLD_B)[1] == [scene_at(4, 10, WORLD_B)]
    with pytest.raises(InputError, match="begin at 0"):
        render_batch(4, -1, 2, 48)


def test_a_written_world_is_the_same_bytes_again(tmp_path: Path) -> None:
    first, second = (write_world(tmp_path / name, 5, seed=3, size=64) for name in ("a", "b"))
    assert [path.name for path in first] == [f"scene-000{index}.png" for index in range(5)]
    for a, b in zip(first, second, strict=True):
        assert a.read_bytes() == b.read_bytes()
        assert a.with_suffix(".json").read_bytes() == b.with_suffix(".json").read_bytes()
    other = write_world(tmp_path / "c", 5, seed=4, size=64)
    assert first[0].read_bytes() != other[0].read_bytes()


def test_side_cars_tell_the_truth(tmp_path: Path) -> None:
    for index, path in enumerate(write_world(tmp_path, 6, seed=3, size=100)):
        scene = scene_at(3, index)
        told = json.loads(path.with_suffix(".json").read_text("utf-8"))
        assert all(seen(fact, scene) for text in told["captions"] for fact in read(text))
        regions = [Region(tuple(region["box"]), region["label"]) for region in told["regions"]]
        assert [region.label for region in regions] == [f"{t.colour} {t.shape}" for t in scene.objects]
        assert np.allclose([region.box for region in regions], [t.box for t in scene.objects], atol=1e-4)
        assert (told["objects"], told["background"]) == (len(scene.objects), scene.background.colour)
        with Image.open(path) as picture:
            assert (picture.size, picture.mode) == ((100, 100), "RGB")


def test_a_folder_source_reads_a_written_world_whole(tmp_path: Path) -> None:
    write_world(tmp_path, 3, seed=3, size=64)
    items = list(FolderSource(tmp_path))
    assert len(items) == 3
    for index, item in enumerate(items):
        scene = scene_at(3, index)
        assert item.texts == tuple(captions(scene, caption_rng(3, index)))
        assert len(item.regions) == item.fields["objects"] == len(scene.objects)
        assert item.fields["background"] == scene.background.colour


def test_a_world_that_cannot_be_written_says_why(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match=r"file: cannot write here \(.*\); choose another folder"):
        write_world(tmp_path / "file", 1)
    with pytest.raises(InputError, match="choose 1 to"):
        write_world(tmp_path, 0)


# ---- the page about it


def test_the_sheet_of_examples_is_current_and_small() -> None:
    path = Path(__file__).parents[2] / "docs" / "images" / "world.png"
    with Image.open(path) as shown:
        assert (np.asarray(shown.convert("RGB")) == np.asarray(example_sheet().convert("RGB"))).all(), "draw it again"
    assert path.stat().st_size < 60_000


def test_the_page_credits_every_picture_of_the_demo() -> None:
    text = (Path(__file__).parents[2] / "docs" / "world.md").read_text("utf-8")
    for name, credit in CREDITS.items():
        assert f"| `{name}` | {credit} |" in text


# ---- the demo's pictures


def test_demo_pictures_are_real_and_none_is_twice(tmp_path: Path) -> None:
    pytest.importorskip("skimage")
    paths = write_demo_pictures(tmp_path)
    photographs = [path for path in paths if path.parent.name == "photographs"]
    assert {path.name for path in photographs} == set(CREDITS)
    assert len(paths) - len(photographs) == 150
    assert len({hashlib.sha256(path.read_bytes()).digest() for path in paths}) == len(paths)
    for path in photographs:
        assert json.loads(path.with_suffix(".json").read_text("utf-8")) == {"credit": CREDITS[path.name]}
        with Image.open(path) as picture:
            picture.load()
    assert {path.suffix for path in tmp_path.rglob("*") if path.is_file()} == {".png", ".jpg", ".json"}


def test_demo_without_scikit_image_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "skimage", None)  # what Python itself does for a blocked import
    with pytest.raises(MissingDependency, match=r"limner\[demo\]"):
        write_demo_pictures(tmp_path)
    assert list(tmp_path.iterdir()) == []
