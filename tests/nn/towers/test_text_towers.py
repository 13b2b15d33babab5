"""Text towers: one contract for all of them, and what each of them knows of the order of words."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from limner.core.errors import InputError
from limner.nn.encoders import TextEncoder, read_in_buckets
from limner.nn.towers.bag_of_words import BagTower
from limner.nn.towers.ngrams import NgramTower
from limner.nn.towers.text_transformer import TextTower
from limner.nn.towers.word_convolution import ConvolutionTower
from limner.nn.two_towers import TextTowerPart
from limner.train.export import run, text_graph

VOCABULARY, CONTEXT, WIDTH, D = 50, 20, 16, 8
BAG = BagTower(WIDTH)
ORDERED = [
    NgramTower(WIDTH),
    NgramTower(WIDTH, length=3),
    NgramTower(WIDTH, length=3, skip=2),
    ConvolutionTower(WIDTH),
    TextTower(WIDTH, depth=2, heads=2),
]
ALL = [BAG, *ORDERED]


def encoder(part: TextTowerPart) -> TextEncoder:
    torch.manual_seed(0)
    return TextEncoder(part.build(VOCABULARY, CONTEXT), WIDTH, D).eval()


def ids(*texts: list[int]) -> Tensor:
    longest = max(map(len, texts))
    return torch.tensor([text + [0] * (longest - len(text)) for text in texts])


@pytest.mark.parametrize("part", ALL, ids=repr)
def test_states_of_words_and_unit_vectors(part: TextTowerPart) -> None:
    reading = encoder(part).read(ids([3, 4, 5], [7]))
    assert reading.states.shape == (2, 3, WIDTH)
    assert reading.mask.tolist() == [[True, True, True], [True, False, False]]
    assert reading.latent.shape == (2, WIDTH)
    torch.testing.assert_close(reading.vectors.norm(dim=1), torch.ones(2))


@pytest.mark.parametrize("part", ALL, ids=repr)
@settings(max_examples=15)
@given(texts=st.lists(st.lists(st.integers(1, VOCABULARY - 1), min_size=1, max_size=12), min_size=1, max_size=5))
def test_neither_padding_nor_company_matters(part: TextTowerPart, texts: list[list[int]]) -> None:
    tower = encoder(part)
    together = tower(ids(*texts, [1] * 15))
    for text, vector in zip(texts, together[:-1], strict=True):
        torch.testing.assert_close(tower(ids(text))[0], vector, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("part", ALL, ids=repr)
def test_a_text_without_words_is_finite(part: TextTowerPart) -> None:
    assert encoder(part)(torch.zeros(2, 3, dtype=torch.int64)).isfinite().all()


@pytest.mark.parametrize("part", ALL, ids=repr)
def test_buckets_change_nothing(part: TextTowerPart) -> None:
    generator = torch.Generator().manual_seed(0)
    tower = encoder(part)
    texts = torch.randint(1, VOCABULARY, (13, 12), generator=generator)
    for row, length in enumerate(torch.randint(1, 13, (13,), generator=generator)):
        texts[row, length:] = 0
    whole, parts = tower.read(texts), read_in_buckets(tower.read, texts, 4)
    torch.testing.assert_close(parts.vectors, whole.vectors)
    torch.testing.assert_close(parts.latent, whole.latent)
    longest = parts.mask.shape[1]
    assert torch.equal(parts.mask, whole.mask[:, :longest])
    real = parts.mask
    torch.testing.assert_close(parts.states[real], whole.states[:, :longest][real])


RED_LEFT_OF_BLUE, BLUE_LEFT_OF_RED = [1, 10, 20, 30, 11, 21, 2], [1, 11, 20, 30, 10, 21, 2]


def test_a_bag_gives_swapped_words_the_same_vector() -> None:
    one, other = encoder(BAG)(ids(RED_LEFT_OF_BLUE, BLUE_LEFT_OF_RED))
    torch.testing.assert_close(one, other)


@pytest.mark.parametrize("part", ORDERED, ids=repr)
def test_the_others_tell_swapped_words_apart(part: TextTowerPart) -> None:
    one, other = encoder(part)(ids(RED_LEFT_OF_BLUE, BLUE_LEFT_OF_RED))
    assert (one - other).abs().max() > 1e-3


def test_which_ngrams_end_with_a_word() -> None:
    tower = NgramTower(WIDTH, length=3, skip=1).build(VOCABULARY, CONTEXT)
    pairs, skips, triples = (keys[0].tolist() for keys in tower.keys(torch.tensor([[5, 6, 7, 5, 6, 0]])))
    assert [key > 0 for key in pairs] == [False, True, True, True, True, False]
    assert [key > 0 for key in skips] == [key > 0 for key in triples] == [False, False, True, True, True, False]
    assert pairs[1] == pairs[4]  # 5 6, twice
    assert pairs[2] != pairs[1]
    other_order, skipped, _ = (keys[0].tolist() for keys in tower.keys(torch.tensor([[6, 5, 9, 6]])))
    assert other_order[1] != pairs[1]
    assert skipped[3] == pairs[1]  # 5 9 6 holds the pair 5 6, one word between


def test_ngrams_of_the_largest_vocabularies_stay_in_the_table() -> None:
    tower = NgramTower(WIDTH, length=3, skip=3, buckets=7).build(VOCABULARY, CONTEXT)
    huge = torch.full((1, 6), 10**6)
    assert all(keys.min() >= 0 and keys.max() <= 7 for keys in tower.keys(huge))


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning", "ignore::DeprecationWarning")
@pytest.mark.parametrize("part", ALL, ids=repr)
def test_exported_it_is_the_same(part: TextTowerPart) -> None:
    tower = encoder(part)
    graph = text_graph(tower, VOCABULARY)
    for texts in (ids([3]), ids([3, 4, 5, 6, 7, 8, 9, 3, 4, 5, 6], [7, 5])):
        given_vectors = run(graph, {"tokens": texts.numpy()})
        np.testing.assert_allclose(given_vectors, tower(texts).detach().numpy(), atol=1e-4)


def test_bad_settings_are_named() -> None:
    with pytest.raises(InputError, match="length is 2 or 3"):
        NgramTower(length=4)
    with pytest.raises(InputError, match="choose an odd number"):
        ConvolutionTower(window=4)
