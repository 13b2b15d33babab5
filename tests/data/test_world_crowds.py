"""Crowds: one rare thing in each, the window that looks at it, the quadrant in which it lies."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from limner.core.errors import InputError
from limner.data.world import WORLD_A, masks
from limner.data.world.crowds import CROWDED, SPARSE, Look, crowd_at, crowd_facts, rare_kinds, rare_number
from limner.data.world.source import caption_rng

CROWDS = [crowd_at(3, index) for index in range(40)]


def kind(thing):
    return thing.shape, thing.colour, thing.pattern


def test_the_first_object_alone_is_rare_and_it_is_small():
    rare = set(rare_kinds(CROWDED))
    for index, scene in enumerate(CROWDS):
        first, *others = scene.objects
        assert kind(first) == rare_kinds(CROWDED)[rare_number(3, index)]
        assert first.size == "small"
        assert not any(kind(thing) in rare for thing in others)
        assert CROWDED.fewest <= len(scene.objects) <= CROWDED.most


def test_every_two_attributes_of_a_rare_thing_are_common_together():
    world = WORLD_A
    everything = {(s, c, p) for s in world.shapes for c in world.colours for p in world.patterns}
    common = everything - set(rare_kinds(world))
    for one, other in ((0, 1), (0, 2), (1, 2)):
        pairs = {(told[one], told[other]) for told in common}
        assert pairs == {(told[one], told[other]) for told in everything}


def test_each_rare_kind_comes_once_a_turn():
    count = len(rare_kinds(CROWDED))
    for turn in (0, 2):
        numbers = Counter(rare_number(0, turn * count + index) for index in range(count))
        assert set(numbers.values()) == {1}
        assert len(numbers) == count


def test_what_a_glance_tells_is_true():
    for index, scene in enumerate(CROWDS):
        facts = crowd_facts(scene, caption_rng(0, index))
        assert len(facts) == 4
        assert all(fact.truth(scene) for fact in facts)


def test_few_objects_have_the_rare_one_among_them():
    scenes = [crowd_at(0, index, SPARSE) for index in range(30)]
    assert {len(scene.objects) for scene in scenes} <= set(range(1, 7))
    assert all(kind(scene.objects[0]) in rare_kinds(SPARSE) for scene in scenes)


def test_a_world_without_a_grid_is_refused():
    with pytest.raises(InputError, match="grid"):
        crowd_at(0, 0, replace(WORLD_A, most=4))


@pytest.mark.parametrize("zoom", [1.0, 2.0, 3.0])
def test_the_window_shows_the_rare_thing_larger(zoom: float):
    for scene in CROWDS[:8]:
        look = Look(scene, zoom)
        seen = look.draw(96)
        assert seen.shape == (96, 96, 3)
        left, top = look.corner
        assert 0 <= left <= 1 - 1 / zoom + 1e-9
        assert 0 <= top <= 1 - 1 / zoom + 1e-9
        x, _ = scene.objects[0].centre
        whole = masks(scene, round(96 * zoom))[0]
        column, row = (round(edge * 96 * zoom) for edge in (left, top))
        assert whole[row : row + 96, column : column + 96].sum() >= whole.sum() * 0.95
        assert abs((x - left) * zoom - 0.5) <= 0.5


def test_the_quadrant_is_where_the_thing_is_drawn():
    told = 0
    for scene in CROWDS:
        look = Look(scene)
        rows, columns = np.nonzero(masks(scene, 96)[0])
        inside = {(int(row >= 48), int(column >= 48)) for row, column in zip(rows, columns, strict=True)}
        if look.quadrant >= 0:
            assert inside == {divmod(look.quadrant, 2)}
            told += 1
    assert told > 15
