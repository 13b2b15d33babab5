"""Pictures, masks and written words of the procedural world: pixels against geometry."""

from __future__ import annotations

import string
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageFilter
from world_scenes import a_scene, an_object, numbers, scenes

from limner.core.errors import InputError
from limner.data.world import (
    WORLD_A,
    WORLD_B,
    Scene,
    Word,
    draw,
    masks,
    patch_shares,
    render_batch,
    scene_at,
)
from limner.data.world.glyphs import bitmap
from limner.data.world.sampling import WORDS
from limner.data.world.worlds import SHADES


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


@pytest.mark.parametrize("shape", [*WORLD_A.shapes, *WORLD_B.shapes[2:]])
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


@pytest.mark.parametrize("pattern", [*WORLD_A.patterns[1:], *WORLD_B.patterns[1:]])
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


@given(numbers)
def test_a_scene_of_the_other_world_is_itself_at_every_size(seed: int) -> None:
    test_a_scene_is_itself_at_every_size.hypothesis.inner_test(scene_at(seed, 0, replace(WORLD_B, written=1.0)))


def test_a_later_object_hides_an_earlier_one_in_masks_as_in_pictures() -> None:
    scene = a_scene(an_object("square", "red", extent=0.5), an_object("circle", "blue", extent=0.2))
    below, above = masks(scene, 64)
    assert not (below & above).any()
    pixels = np.asarray(draw(scene, 64))
    assert (pixels[above][:, 2] > 100).all()
    assert not below[32, 32]


def test_patch_shares_are_means_of_the_mask() -> None:
    area = np.zeros((2, 8, 8), bool)
    area[0, :4, :2] = True
    shares = patch_shares(area, 2)
    assert shares.tolist() == [[[0.5, 0.0], [0.0, 0.0]], [[0.0, 0.0], [0.0, 0.0]]]
    with pytest.raises(InputError, match="divides 8"):
        patch_shares(area, 3)


def test_every_letter_has_its_own_shape() -> None:
    letters = [bitmap(letter) for letter in string.ascii_uppercase + string.digits]
    assert {letter.shape for letter in letters} == {(7, 5)}
    assert len({letter.tobytes() for letter in letters}) == 36
    assert bitmap("A1").shape == (7, 11)
    for text in ("", "a", "A B"):
        with pytest.raises(InputError, match="A to Z"):
            bitmap(text)


def test_a_written_word_can_be_read_in_the_pixels() -> None:
    word = Word("OPEN", (0.1, 0.2), 0.14, (10, 20, 30))
    scene = replace(a_scene(), word=word)
    left, top, right, bottom = (round(edge * 350) for edge in word.box)  # 7 pixels to a square of the font
    pixels = np.asarray(draw(scene, 350))[top:bottom, left:right]
    assert ((pixels[3::7, 3::7] == word.rgb).all(2) == bitmap("OPEN")).all()
    assert (np.asarray(draw(scene, 350))[: top - 1] == 250).all()


def test_words_stand_free_in_their_share_of_the_scenes() -> None:
    found = [scene_at(1, index, replace(WORLD_A, written=0.5)) for index in range(200)]
    words = [scene.word for scene in found if scene.word]
    assert 80 < len(words) < 120
    assert {word.text for word in words} <= set(WORDS)
    for scene in found:
        if scene.word:
            left, top, right, bottom = scene.word.box
            assert 0 <= left < right <= 1
            assert 0 <= top < bottom <= 1
            areas = masks(scene, 100)[:, int(top * 100) : int(bottom * 100), int(left * 100) : int(right * 100)]
            assert not areas.any()
    assert not any(scene_at(1, index).word for index in range(50))


def test_a_picture_size_out_of_bounds_is_refused() -> None:
    for size in (-1, 0, 15, 2049):
        with pytest.raises(InputError, match="choose 16 to 2048"):
            draw(scene_at(0, 0), size)
        with pytest.raises(InputError, match="choose 16 to 2048"):
            masks(scene_at(0, 0), size)
        with pytest.raises(InputError, match="choose 16 to 2048"):
            render_batch(0, 0, 1, size)
