"""A describer is as good as it is told to be, and writes what it perceives."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest

from limner.core.errors import InputError
from limner.data.world import scene_at
from limner.data.world.describer import Describer, listing, prose

SCENES = [scene_at(5, index) for index in range(300)]
OBJECTS = sum(len(scene.objects) for scene in SCENES)


def perceived(describer: Describer):
    return [describer.perceive(scene, Random(index)) for index, scene in enumerate(SCENES)]


def test_who_sees_all_perceives_the_scene():
    assert perceived(Describer()) == SCENES


def test_overlooks_as_often_as_told_and_what_is_left_is_there():
    seen = perceived(Describer(recall=0.7))
    assert np.isclose(sum(len(scene.objects) for scene in seen) / OBJECTS, 0.7, atol=0.05)
    assert all(set(some.objects) <= set(scene.objects) for some, scene in zip(seen, SCENES, strict=True))


def test_who_sees_less_sees_a_part_of_what_others_see():
    for less, more in zip(perceived(Describer(0.5)), perceived(Describer(0.8)), strict=True):
        assert set(less.objects) <= set(more.objects)


def test_mistakes_attributes_and_nothing_else():
    seen = perceived(Describer(wrong=0.2))
    pairs = [
        pair for some, scene in zip(seen, SCENES, strict=True) for pair in zip(some.objects, scene.objects, strict=True)
    ]
    names = ("shape", "colour", "pattern", "size")
    wrong = np.mean([getattr(one, name) != getattr(other, name) for one, other in pairs for name in names])
    assert np.isclose(wrong, 0.2, atol=0.03)
    assert all(one.centre == other.centre for one, other in pairs)


def test_invents_what_is_not_there():
    seen = perceived(Describer(invented=0.1))
    added = [
        (scene, thing) for some, scene in zip(seen, SCENES, strict=True) for thing in some.objects[len(scene.objects) :]
    ]
    assert np.isclose(len(added) / OBJECTS, 0.1, atol=0.03)
    for scene, thing in added:
        assert (thing.shape, thing.colour) not in {(other.shape, other.colour) for other in scene.objects}
    assert all(some.objects[: len(scene.objects)] == scene.objects for some, scene in zip(seen, SCENES, strict=True))


def test_the_list_has_every_object_with_all_its_attributes():
    for scene in SCENES[:50]:
        entries = listing(scene).split("; ")
        assert len(entries) == len(scene.objects)
        for thing in scene.objects:
            start = f"{thing.shape}: {thing.colour}, {thing.pattern}, {thing.size}"
            assert any(entry.startswith(start) for entry in entries)


def test_who_sees_nothing_has_something_to_say():
    blind = Describer(recall=0.0).perceive(SCENES[0], Random(0))
    assert blind.objects == ()
    assert listing(blind) == "nothing"
    assert SCENES[0].background.colour in prose(blind, Random(0)).lower()


@pytest.mark.parametrize("name", ["recall", "wrong", "invented"])
def test_a_share_out_of_bounds(name: str):
    with pytest.raises(InputError, match=name):
        Describer(**{name: 1.5})
