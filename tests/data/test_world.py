"""The procedural world: its truth is checked from outside, by reading the sentences and the pixels again."""

from __future__ import annotations

import doctest
import hashlib
import json
import math
import re
import sys
from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageFilter

from limner.core.errors import InputError, MissingDependency
from limner.core.types import Region
from limner.data.demo import CREDITS, write_demo_pictures
from limner.data.sources.folder import FolderSource
from limner.data.world import (
    Background,
    Object,
    Scene,
    caption_rng,
    captions,
    draw,
    full_captions,
    masks,
    render_batch,
    sample_scene,
    scene_at,
    write_world,
    wrong_caption,
)
from limner.data.world.facts import Backdrop, Count, Exists, Kind, Related
from limner.data.world.scene import OPPOSITE, PATTERNS, SHADES, SHAPES

scenes = st.builds(scene_at, st.integers(0, 10**9), st.integers(0, 10**9))
randoms = st.builds(Random, st.integers(0, 10**9))


def an_object(shape: str = "circle", colour: str = "red", x: float = 0.5, y: float = 0.5, **changes: object) -> Object:
    values: dict = {"pattern": "solid", "size": "small", "extent": 0.2, "angle": 0.0, "rgb": SHADES[colour][0]}
    return Object(shape, colour, centre=(x, y), **(values | changes))


def a_scene(*objects: Object) -> Scene:
    return Scene(objects, Background("white", "plain", (250, 250, 250)), 0)


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


@given(scenes)
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
    assert {thing.shape for thing in things} == set(SHAPES)
    assert {thing.pattern for thing in things} == set(PATTERNS)
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
    assert max(len(sample_scene(Random(seed), most=9).objects) for seed in range(60)) > 4
    with pytest.raises(InputError, match="choose 1 to 9"):
        sample_scene(Random(0), most=0)


# ---- pixels


@given(scenes, st.sampled_from([64, 101, 160]))
def test_boxes_are_tight_around_masks(scene: Scene, size: int) -> None:
    covered = masks(scene, size)
    assert covered.sum(0).max() == 1
    for mask, thing in zip(covered, scene.objects, strict=True):
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        seen = np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]) / size
        # a sharp tip covers less than half of its last pixels: up to 3 may be missing, none may be too many
        slack = np.array(thing.box) * [-1, -1, 1, 1] - seen * [-1, -1, 1, 1]
        assert slack.min() > -1 / size
        assert slack.max() < 3.5 / size


@pytest.mark.parametrize("shape", SHAPES)
def test_a_mask_covers_the_area_of_the_outline(shape: str) -> None:
    thing = an_object(shape, extent=0.6, angle=0.1)
    outer, *holes = [abs(_signed_area(loop)) for loop in thing.outline]
    assert masks(a_scene(thing), 200)[0].mean() == pytest.approx(outer - sum(holes), rel=0.015)


def _signed_area(loop: list[tuple[float, float]]) -> float:
    return sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in zip(loop, loop[1:] + loop[:1], strict=True)) / 2


def test_a_solid_object_has_exactly_its_colour_and_leaves_the_rest_alone() -> None:
    scene = a_scene(an_object("square", "green", x=0.3, extent=0.4), an_object("heart", "blue", x=0.8))
    pixels = np.asarray(draw(scene, 160)).astype(int)
    inside = masks(scene, 160)
    for mask, thing in zip(inside, scene.objects, strict=True):
        core = np.asarray(Image.fromarray(mask).convert("L").filter(ImageFilter.MinFilter(5))) > 0
        assert core.sum() > 100
        assert (pixels[core] == thing.rgb).all()
    for row, column in ((0, 0), (159, 159), (80, 100)):
        assert tuple(pixels[row, column]) == scene.background.rgb


@pytest.mark.parametrize("pattern", PATTERNS[1:])
def test_a_pattern_keeps_more_of_the_colour_than_of_the_marks(pattern: str) -> None:
    scene = a_scene(an_object("square", "blue", extent=0.5, pattern=pattern))
    pixels = np.asarray(draw(scene, 160)).astype(int)[masks(scene, 160)[0]]
    distance = np.abs(pixels - SHADES["blue"][0]).sum(1)
    assert 0.4 < (distance < 20).mean() < 0.85
    assert (distance > 300).mean() > 0.1


@given(scenes)
def test_a_scene_is_itself_at_every_size(scene: Scene) -> None:
    small, halved = draw(scene, 96), draw(scene, 192).reduce(2)
    assert np.abs(np.asarray(small).astype(int) - np.asarray(halved)).mean() < 3


def test_a_picture_size_out_of_bounds_is_refused() -> None:
    for size in (-1, 0, 15, 2049):
        with pytest.raises(InputError, match="choose 16 to 2048"):
            draw(scene_at(0, 0), size)
        with pytest.raises(InputError, match="choose 16 to 2048"):
            masks(scene_at(0, 0), size)
        with pytest.raises(InputError, match="choose 16 to 2048"):
            render_batch(0, 0, 1, size)


# ---- captions: read back by a parser that shares nothing with the grammar that wrote them

SAME = {
    "little": "small", "tiny": "small", "big": "large", "spotted": "dotted", "chequered": "checkered",
    "plain": "solid", "disc": "circle", "plus sign": "cross", "half moon": "crescent", "gray": "grey",
}  # fmt: skip
NUMBERS = {"a": 1, "an": 1, "no": 0, "one": 1, "two": 2, "three": 3, "four": 4}
FRAME = re.compile(
    r"^(a picture (?:of|with)|a drawing (?:of|with)|a scene with|an image with|this shows) "
    r"(?=(an?|no|one|two|three|four) )"
)
GROUND = re.compile(r" on an? (?:(plain|grainy) )?(\w+) (background|gradient)$")
DIRECTION = re.compile(r" (?:to the )?(left of|right of|above|over|below|under|beneath) ")


def read(text: str) -> list[tuple]:
    """("things", least, most, words) · ("relation", words, direction, words) · ("ground", colour, texture)."""
    text = FRAME.sub("", text)
    facts: list[tuple] = []
    if ground := GROUND.search(text):
        texture = "gradient" if ground[3] == "gradient" else ground[1]
        facts.append(("ground", SAME.get(ground[2], ground[2]), texture))
        text = text[: ground.start()]
    for part in re.split(r", | and ", text):
        sides = DIRECTION.split(part)
        if len(sides) == 3:
            way = {"over": "above", "under": "below", "beneath": "below"}.get(sides[1], sides[1])
            facts.append(("relation", _noun(sides[0])[2], way, _noun(sides[2])[2]))
        else:
            facts.append(("things", *_noun(part)))
    return facts


def _noun(text: str) -> tuple[int, int, frozenset[str]]:
    article, rest = text.split(" ", 1)
    for old, new in SAME.items():
        rest = re.sub(rf"\b{old}(?=e?s?\b)", new, rest)
    words = rest.split()
    last = words[-1]
    singular = next(noun for noun in (*SHAPES, "object", "shape") if last in (noun, noun + "s", noun + "es"))
    known = {*SHAPES, *SHADES, *PATTERNS, "small", "large"}
    assert set(words[:-1]) <= known, text
    number = NUMBERS[article]
    most = 99 if article in ("a", "an") else number
    assert (last == singular) == (number == 1) or number == 0, text
    return number, most, frozenset([*words[:-1], singular]) & known


def seen(fact: tuple, scene: Scene) -> bool:
    def like(words: frozenset[str]) -> list[Object]:
        return [t for t in scene.objects if words <= {t.shape, t.colour, t.pattern, t.size}]

    match fact:
        case ("ground", colour, texture):
            return scene.background.colour == colour and texture in (None, scene.background.texture)
        case ("things", least, most, words):
            return least <= len(like(words)) <= most
        case ("relation", first, way, second):
            axis, sign = {"left of": (0, -1), "right of": (0, 1), "above": (1, -1), "below": (1, 1)}[way]
            pairs = [(a.centre, b.centre) for a in like(first) for b in like(second) if a is not b]
            return any(
                sign * (a[axis] - b[axis]) > 0.1 and abs(a[axis] - b[axis]) > 0.99 * abs(a[1 - axis] - b[1 - axis])
                for a, b in pairs
            )
    raise AssertionError(fact)


@given(scenes, randoms)
def test_every_caption_is_true(scene: Scene, rng: Random) -> None:
    for caption in full_captions(scene, rng, 8):
        assert all(seen(fact, scene) for fact in read(caption.text)), caption
        assert len(read(caption.text)) == len(caption.facts)
        assert caption.truth(scene) is True


@given(scenes, randoms)
def test_a_wrong_caption_is_wrong_in_one_fact_only(scene: Scene, rng: Random) -> None:
    wrong = wrong_caption(scene, rng)
    now, before = read(wrong.text), read(wrong.right)
    assert all(seen(fact, scene) for fact in before), wrong
    changed = [a for a, b in zip(now, before, strict=True) if a != b]
    assert [seen(fact, scene) for fact in changed] == [False], wrong
    assert len(set(wrong.text.split()) ^ set(wrong.right.split())) <= 8, "more than a word and its grammar changed"


def test_every_way_of_being_wrong_occurs() -> None:
    ways = {wrong_caption(scene_at(1, index), Random(index)).changed for index in range(200)}
    assert ways == {"shape", "colour", "pattern", "size", "count", "relation", "background"}


@given(scenes, randoms, st.integers(1, 50))
def test_as_many_different_captions_as_asked_for(scene: Scene, rng: Random, n: int) -> None:
    texts = captions(scene, rng, n)
    assert len(set(texts)) == len(texts) == n
    named = {fact for fact in read(texts[0]) if fact[0] == "things"}
    assert sum(least for _, least, _, _ in named) == len(scene.objects), "the first tells of all objects"


def test_captions_depend_on_the_generator_only() -> None:
    scene = scene_at(0, 5)
    assert captions(scene, Random(1)) == captions(scene, Random(1)) != captions(scene, Random(2))
    for n in (0, 51):
        with pytest.raises(InputError, match="choose 1 to 50"):
            captions(scene, Random(0), n)


def test_captions_use_negation_counts_and_relations() -> None:
    texts = " | ".join(text for index in range(50) for text in captions(scene_at(2, index), Random(index)))
    for words in (" no ", "two ", "left of", "above", " gradient", "grainy", "striped"):
        assert words in texts


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


def test_the_page_shows_what_the_code_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (Path(__file__).parents[2] / "docs" / "world.md").read_text("utf-8")
    monkeypatch.chdir(tmp_path)
    snippets = "\n".join(re.findall(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE))
    outcome = doctest.DocTestRunner().run(doctest.DocTestParser().get_doctest(snippets, {}, "world.md", None, 0))
    assert outcome.attempted > 10
    assert outcome.failed == 0
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
