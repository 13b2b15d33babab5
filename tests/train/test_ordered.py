"""Captions in which only the order of the words tells."""

from __future__ import annotations

from dataclasses import replace

from limner.data.world import WORLD_A, scene_at
from limner.train.corpora.ordered import Ordered

SCENES = [scene_at(5, index, replace(WORLD_A, fewest=2, most=2)) for index in range(120)]


def test_the_caption_is_true_and_the_swapped_one_has_the_same_words_and_is_false():
    texts = Ordered().write(SCENES, 0, 5, train=False)
    told = [(scene, some) for scene, some in zip(SCENES, texts, strict=True) if some]
    assert len(told) > 60
    for scene, (caption, swapped) in told:
        assert (caption.role, swapped.role) == ("caption", "swapped")
        assert caption.text != swapped.text
        assert sorted(caption.text.split()) == sorted(swapped.text.split())
        one, other = scene.objects
        first, second = sorted((one.shape, other.shape), key=caption.text.index)
        places = {thing.shape: thing.centre for thing in scene.objects}
        axis = 0 if "left of" in caption.text else 1
        assert "left of" in caption.text or "above" in caption.text
        assert places[first][axis] < places[second][axis]


def test_no_text_where_two_are_of_one_shape_and_no_wrong_text_to_train_on():
    texts = Ordered().write(SCENES, 0, 5, train=True)
    assert {len(some) for some in texts} == {0, 1}
    assert all(text.role == "caption" for some in texts for text in some)
    alike = [
        some for scene, some in zip(SCENES, texts, strict=True) if len({thing.shape for thing in scene.objects}) < 2
    ]
    assert alike
    assert not any(alike)
    assert Ordered().write([scene_at(0, index) for index in range(40)], 0, 0, train=True).count([]) > 10
