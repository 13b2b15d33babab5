"""The protocol for small things in crowds, and what is said of focused vectors, on cases whose answer is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from train.fixed import fixed

from limner.core.errors import InputError
from limner.core.features import Encoded
from limner.data.corpus import Corpora, Corpus, Text
from limner.data.world.crowds import Look, crowd_at
from limner.nn.blocks.similarity import BestVectorSimilarity
from limner.train.augment import crop
from limner.train.corpora.backbone import CELLS, SIZE, cut, maps, put_together
from limner.train.corpora.crowds import Crowds
from limner.train.evaluations.focused_vectors import FocusedVectors, hits, winners, within
from limner.train.evaluations.zoom_levels import ZoomLevels, one_level, windows
from limner.train.runs import Place


def views(vectors: list[list[float]], names: list[str]) -> Corpora:
    """Three views of each picture, with these vectors, and its name as the text of each."""
    texts = [[Text(names[row // 3], "object", part=0)] for row in range(len(vectors))]
    corpus = Corpus("views", np.array(vectors, np.float32)[:, None], texts)
    return Corpora(corpus, corpus, corpus, {"test views": corpus})


def test_another_level_of_the_same_picture_is_no_hit_and_takes_no_place():
    own, far, third = [1.0, 0.0, 0.0], [0.6, 0.8, 0.0], [0.0, 0.0, 1.0]
    # Of "one" the medium and easy views are nearest to the text, its hard view comes after them and before all others.
    corpora = views([far, own, own, third, third, third], ["one", "two"])
    found = ZoomLevels()(fixed(corpora, {"one": own, "two": third}))
    assert found["hard text-to-image recall@1"].values.tolist() == [1, 1]
    # Another picture's view that is nearer does stand in the way.
    corpora = views([far, own, own, own, third, third], ["one", "two"])
    found = ZoomLevels()(fixed(corpora, {"one": own, "two": third}))
    assert found["hard text-to-image recall@1"].values.tolist() == [0, 0]
    assert found["hard text-to-image recall@5"].values.tolist() == [1, 1]
    assert found["hard text-to-image recall@10, half as much again"].values.tolist() == [1.5, 1.5]
    assert found["hard image-to-text recall@1"].values.tolist() == [1, 0]
    assert found["easy image-to-text recall@1"].values.tolist() == [1, 1]


def test_the_pool_of_a_level():
    scores = np.arange(12, dtype=np.float32).reshape(6, 2)
    pool, right = one_level(scores, 1)
    assert np.argwhere(right).tolist() == [[0, 1], [1, 4]]
    assert np.argwhere(np.isinf(pool)).tolist() == [[0, 0], [0, 2], [1, 3], [1, 5]]
    kept = ~np.isinf(pool)
    assert (pool[kept] == scores.T[kept]).all()


def test_windows_tile_the_picture():
    grid = torch.arange(16.0).view(1, 1, 4, 4)
    tiles = [crop(grid, window[None], 2)[0, 0] for window in windows(0.5, 0.5)]
    assert torch.allclose(torch.cat([torch.cat(tiles[:2], 1), torch.cat(tiles[2:], 1)]), grid[0, 0], atol=1e-5)
    assert len(windows(1 / 3, 1 / 6)) == 25


class Several(torch.nn.Module):
    """A picture's vectors are its map's places."""

    similarity = BestVectorSimilarity()

    def __init__(self, plain: torch.nn.Module) -> None:
        super().__init__()
        self.plain = plain

    def encode_image(self, images: torch.Tensor, group: torch.Tensor) -> Encoded:
        unit = F.normalize(images.float(), dim=-1)
        return Encoded(unit[:, 0], group, tokens=unit)

    def encode_text(self, ids: torch.Tensor, group: torch.Tensor) -> Encoded:
        return self.plain.encode_text(ids, group)


def test_the_quadrant_of_the_thing_wins_where_its_vector_does():
    looks = [look for index in range(30) if (look := Look(crowd_at(1, index))).quadrant >= 0][:8]
    names = [chr(ord("a") + row) for row in range(len(looks))]
    said = {name: np.eye(len(looks) + 5)[row].tolist() for row, name in enumerate(names)}
    tokens = np.zeros((3 * len(looks), 5, len(looks) + 5), np.float32)
    tokens[:, np.arange(5), len(looks) + np.arange(5)] = 1
    for row, look in enumerate(looks):
        prompt = 1 + (look.quadrant if row % 2 else (look.quadrant + 1) % 4)  # every second one by a wrong quadrant
        tokens[3 * row, prompt] = said[names[row]]
    texts = [[Text(names[row // 3], "object")] for row in range(len(tokens))]
    corpus = Corpus("views", tokens, texts, truth=[look for look in looks for _ in range(3)])
    model = fixed(Corpora(corpus, corpus, corpus, {"test views": corpus}), said)
    object.__setattr__(model, "model", Several(model.model))
    found = FocusedVectors()(model)
    assert found["right quadrant wins"].values.tolist() == [row % 2 for row in range(len(looks))]
    assert found["vectors a picture"].mean == 5
    assert np.allclose(found["cosine within a picture"].values, 0, atol=1e-6)


def test_hits_winners_and_likeness_by_hand():
    scores = np.zeros((36, 12), np.float32)
    scores[np.arange(0, 36, 3), np.arange(12)] = 0.5
    scores[3:, 0] = 1.0  # of text 0, 33 views of others come first
    assert hits(scores).tolist() == [False] + [True] * 11
    best = np.array([[0.1, 0.9, 0, 0], [0.9, 0.1, 0, 0]])
    assert winners(best, np.array([1, 1]), np.array([True, True])).tolist() == [1, 0]
    assert winners(best, np.array([1, 1]), np.array([False, False])).tolist() == [0]
    one = np.array([1.0, 0.0])
    assert np.allclose(within(np.stack([[one, one, one], [one, -one, one]])), [1, -1 / 3])


def test_one_vector_has_no_winner():
    corpora = views([[1.0, 0.0]] * 3, ["one"])
    with pytest.raises(InputError, match="focus"):
        FocusedVectors()(fixed(corpora, {"one": [1.0, 0.0]}))


def test_large_pictures_are_seen_part_by_part():
    pictures = torch.arange(2 * 4 * 4 * 3).view(2, 4, 4, 3)
    parts = cut(pictures, 2)
    assert torch.equal(parts[1], pictures[0, :2, 2:])
    assert torch.equal(put_together(parts.flatten(1, 2), 2), pictures.flatten(1, 2))


def test_maps_of_a_crowd_are_those_of_its_parts(tmp_path: Path):
    place = Place(tmp_path)
    corpora = Crowds(6, 3, wordings=1).load(place)
    train, test, views = corpora.train, corpora.test, corpora.split("test views")
    assert train.images.shape[1:] == (4 * CELLS**2, 96)
    quarter = train.truth[1].draw(2 * SIZE)[None, :SIZE, SIZE:]
    grid = train.images[1].reshape(2 * CELLS, 2 * CELLS, -1)
    assert np.allclose(grid[:CELLS, CELLS:].reshape(CELLS**2, -1), maps(quarter, place)[0], atol=0.02)
    assert [look.zoom for look in views.truth[:3]] == [1, 2, 3]
    assert np.array_equal(test.images, views.images[::3])
    assert [look.zoom == 1 for look in train.truth] == [any(t.role == "scene" for t in some) for some in train.texts]
    for row, look in enumerate(train.truth):
        thing = look.scene.objects[0]
        about = next(text.text for text in train.texts[row] if text.role == "object")
        assert thing.shape in about or thing.shape in ("circle", "cross", "crescent")
        assert thing.colour in about
        assert train.targets["quadrant"][row] == look.quadrant
    assert [some[0].text for some in views.texts] == [some[0].text for some in test.texts for _ in range(3)]
