"""FILIP's loss (card 19): two scores, one for each side that asks; padding, begin and end take no part."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from objectives.features import make_features

from limner.core.errors import InputError
from limner.core.features import Encoded
from limner.nn.blocks import tokens as module
from limner.nn.blocks.tokens import token_scores, word_mask
from limner.objectives.contrast import contrast
from limner.objectives.targets import positives, share
from limner.objectives.token_contrast import MOST, TokenContrast

seeds = st.integers(0, 2**16)


def by_loop(image: Encoded, text: Encoded) -> tuple[torch.Tensor, torch.Tensor]:
    words = word_mask(text)
    pictures_ask = torch.empty(len(image.tokens), len(text.tokens))
    texts_ask = pictures_ask.clone()
    for i, places in enumerate(image.tokens.tolist()):
        for j, vectors in enumerate(text.tokens.tolist()):
            real = [vector for vector, word in zip(vectors, words[j].tolist(), strict=True) if word]
            dots = [[sum(a * b for a, b in zip(place, word, strict=True)) for word in real] for place in places]
            pictures_ask[i, j] = sum(max(row) for row in dots) / len(dots)
            texts_ask[i, j] = sum(max(row[k] for row in dots) for k in range(len(real))) / len(real)
    return pictures_ask, texts_ask


@settings(max_examples=15)
@given(seeds)
def test_both_scores_are_those_of_a_plain_loop(seed: int):
    features = make_features(3, seed=seed)
    for given_scores, expected in zip(
        token_scores(features.image, features.text), by_loop(features.image, features.text), strict=True
    ):
        torch.testing.assert_close(given_scores, expected, atol=1e-5, rtol=1e-4)


def test_the_two_differ():
    pictures_ask, texts_ask = token_scores(make_features().image, make_features().text)
    assert not torch.allclose(pictures_ask, texts_ask, atol=0.05)


@settings(max_examples=10)
@given(seeds)
def test_padding_begin_and_end_have_no_effect(seed: int):
    features = make_features(3, seed=seed)
    text = features.text
    outside = ~word_mask(text)
    loud = dataclasses.replace(
        text,
        tokens=F.pad(text.tokens.masked_fill(outside[:, :, None], 9.0), (0, 0, 0, 4), value=9.0),
        mask=F.pad(text.mask, (0, 4)),
    )
    for one, other in zip(token_scores(features.image, text), token_scores(features.image, loud), strict=True):
        torch.testing.assert_close(one, other)


def test_a_word_said_twice_counts_twice_where_texts_ask_and_once_where_pictures_ask():
    place, other = torch.tensor([1.0, 0.0]), torch.tensor([0.6, 0.8])
    words = torch.stack([place, place, other])

    def scores(chosen: list[int]) -> tuple[float, float]:
        said = F.pad(words[chosen], (0, 0, 1, 1), value=5.0)[None]
        image = Encoded(place[None], torch.arange(1), tokens=place[None, None])
        found = token_scores(image, Encoded(place[None], torch.arange(1), tokens=said))
        return tuple(one.item() for one in found)

    assert scores([0, 2]) == pytest.approx((1.0, (1 + 0.6) / 2))
    assert scores([0, 1, 2]) == pytest.approx((1.0, (1 + 1 + 0.6) / 3))


def test_parts_give_the_same_scores_and_gradients(monkeypatch: pytest.MonkeyPatch):
    found = []
    for at_once in (1 << 22, 1):
        monkeypatch.setattr(module, "_AT_ONCE", at_once)
        features = make_features(4)
        pictures_ask, texts_ask = token_scores(features.image, features.text)
        (pictures_ask.square().sum() + texts_ask.sum()).backward()
        found.append((pictures_ask, texts_ask, features.image.tokens.grad, features.text.tokens.grad))
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other)


def test_no_product_is_kept_for_the_gradient():
    """Of B x B x places x words numbers none: only which are best."""
    n, p, t = 16, 30, 20
    image, text = (
        F.normalize(torch.randn(n, k, 4, generator=torch.Generator().manual_seed(0)), dim=-1).requires_grad_()
        for k in (p, t)
    )
    kept: list[int] = []

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        kept.append(tensor.numel())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        token_scores(
            Encoded(image[:, 0], torch.arange(n), tokens=image), Encoded(text[:, 0], torch.arange(n), tokens=text)
        )
    assert 0 < max(kept) <= n * n * max(p, t)


def test_a_text_without_words_scores_nothing():
    features = make_features(2, roles=("caption",))
    mask = torch.zeros_like(features.text.mask)
    mask[:, :2] = True
    mask[1, :5] = True
    for scores in token_scores(features.image, dataclasses.replace(features.text, mask=mask)):
        assert (scores[:, 0] == 0).all()
        assert (scores[:, 1] != 0).all()
    mask[:] = False
    for scores in token_scores(features.image, dataclasses.replace(features.text, mask=mask)):
        assert (scores == 0).all()


def test_each_direction_has_the_score_of_the_side_that_asks():
    features = make_features(groups=torch.tensor([0, 1, 1, 3, 4, 5]))
    objective = TokenContrast(scale=20.0)
    pictures_ask, texts_ask = (20 * scores for scores in by_loop(features.image, features.text))
    right = positives(features)
    expected = (contrast(pictures_ask, share(right)) + contrast(texts_ask.T, share(right.T))) / 2
    torch.testing.assert_close(objective(features, objective.head(None)), expected, atol=1e-4, rtol=1e-4)


def test_its_temperature_is_its_own_and_bounded():
    features, objective = make_features(), TokenContrast(scale=20.0)
    head = objective.head(None)
    objective(features, head).backward()
    assert features.scale.grad is None
    assert head.log_scale.grad != 0
    head.log_scale.data.fill_(math.log(MOST) + 3)
    assert head().item() == pytest.approx(MOST)


def test_a_role_alone():
    features, objective = make_features(), TokenContrast(role="long")
    objective(features, objective.head(None)).backward()
    assert (features.text.tokens.grad[:6] == 0).all()
    assert features.text.tokens.grad[6:12].abs().sum() > 0


def test_it_needs_tokens():
    features, objective = make_features(), TokenContrast()
    with pytest.raises(InputError, match="token vectors"):
        objective(features.replace(text=dataclasses.replace(features.text, tokens=None)), objective.head(None))
