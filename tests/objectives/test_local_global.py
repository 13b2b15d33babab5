"""Whole against parts (card 49), against the loss written out part by part."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from objectives.features import make_features
from torch import Tensor

from limner.core.errors import InputError
from limner.objectives.local_global import LocalGlobal, local_global, pool_grid

seeds = st.integers(0, 2**16)


def drawn(seed: int, n: int = 4, p: int = 3, d: int = 5) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    vectors = F.normalize(torch.randn(n, d, generator=generator, dtype=torch.float64), dim=-1)
    parts = F.normalize(torch.randn(n, p, d, generator=generator, dtype=torch.float64), dim=-1)
    real = torch.rand(n, p, generator=generator) < 0.7
    real[:, 0] = True
    return vectors, parts, real


def written_out(vectors: Tensor, parts: Tensor, real: Tensor, group: Tensor, scale: float) -> float:
    items = []
    for i in range(len(vectors)):
        negatives = sum(
            math.exp(scale * (vectors[i] @ parts[j, q]).item())
            for j in range(len(vectors))
            for q in range(parts.shape[1])
            if group[i] != group[j] and real[j, q]
        )
        own = [math.exp(scale * (vectors[i] @ parts[i, p]).item()) for p in range(parts.shape[1]) if real[i, p]]
        items.append(sum(-math.log(one / (one + negatives)) for one in own) / len(own))
    return sum(items) / len(items)


@given(seeds)
def test_by_hand(seed: int):
    vectors, parts, real = drawn(seed)
    group = torch.tensor([0, 1, 2, 1])
    ours = local_global(vectors, parts, real, group, torch.tensor(3.0))
    assert ours.item() == pytest.approx(written_out(vectors, parts, real, group, 3.0), rel=1e-5)


@given(seeds)
def test_padding_weighs_nothing(seed: int):
    vectors, parts, real = drawn(seed)
    group, scale = torch.arange(4), torch.tensor(3.0)
    loss = local_global(vectors, parts.requires_grad_(), real, group, scale)
    (gradient,) = torch.autograd.grad(loss, parts)
    assert (gradient[~real] == 0).all()
    other = torch.where(real[..., None], parts, torch.full_like(parts, 7.0))
    torch.testing.assert_close(local_global(vectors, other, real, group, scale), loss)


def test_own_parts_are_no_negatives():
    """One item alone, or several of one group, have nothing to stand out against: no loss, no gradient, no nan."""
    vectors, parts, real = drawn(0)
    loss = local_global(vectors.requires_grad_(), parts, real, torch.zeros(4, dtype=torch.int64), torch.tensor(3.0))
    loss.backward()
    assert loss.item() == 0
    assert (vectors.grad == 0).all()


def test_gradient():
    vectors, parts, real = drawn(1)
    # The op computes in float32, so the check is one of its steps: larger ones and a wider tolerance.
    group, scale = torch.arange(4), torch.tensor(2.0, dtype=torch.float64)
    assert torch.autograd.gradcheck(
        lambda v, p: local_global(v, p, real, group, scale),
        (vectors.requires_grad_(), parts.requires_grad_()),
        eps=1e-2,
        atol=1e-3,
    )


def test_items_count_alike_however_long():
    vectors, parts, _ = drawn(2, n=2)
    short = torch.tensor([[True, False, False], [True, True, True]])
    group, scale = torch.arange(2), torch.tensor(3.0)
    expected = written_out(vectors, parts, short, group, 3.0)
    assert local_global(vectors, parts, short, group, scale).item() == pytest.approx(expected, rel=1e-5)


def test_texts_without_words():
    vectors, parts, _ = drawn(3)
    none = torch.zeros(4, 3, dtype=torch.bool)
    assert local_global(vectors, parts, none, torch.arange(4), torch.tensor(3.0)).item() == 0


class TestPooling:
    def test_sixteen_by_sixteen_to_four_by_four(self):
        grid = torch.arange(16 * 16)
        tokens = F.one_hot(grid // 64 * 4 + grid % 16 // 4, 16).float()[None]
        torch.testing.assert_close(pool_grid(tokens)[0], torch.eye(16))

    @pytest.mark.parametrize(("side", "cells"), [(1, 1), (2, 2), (3, 2), (4, 2), (7, 3), (14, 4)])
    def test_places_are_never_pooled_away(self, side: int, cells: int):
        tokens = torch.randn(2, side**2, 6, generator=torch.Generator().manual_seed(0))
        pooled = pool_grid(tokens)
        assert pooled.shape == (2, cells**2, 6)
        torch.testing.assert_close(pooled.norm(dim=-1), torch.ones(2, cells**2))

    def test_no_square(self):
        with pytest.raises(InputError, match="square grid of places; a picture has 10"):
            pool_grid(torch.randn(2, 10, 4))


class TestObjective:
    def test_parts_of_the_teacher_or_of_the_view(self):
        features = make_features()
        text = features.text
        for keys, other in (("teacher", features.teacher), ("view", features.view)):
            words = torch.zeros_like(text.mask)
            words[:, 1:-1] = other.text.mask[:, 2:]  # neither begin nor end of the text
            parts = other.text.tokens
            expected = local_global(text.vectors, parts, words, text.group, features.scale)
            torch.testing.assert_close(LocalGlobal(sides=("text",), keys=keys)(features), expected)

    def test_mean_over_sides(self):
        features = make_features()
        image, text = (LocalGlobal(sides=(side,))(features) for side in ("image", "text"))
        torch.testing.assert_close(LocalGlobal()(features), (image + text) / 2)

    def test_the_batch_itself_learns_through_its_vectors_only(self):
        features = make_features()
        LocalGlobal()(features).backward()
        assert features.image.vectors.grad is not None
        assert features.text.vectors.grad is not None
        assert features.image.tokens.grad is None
        assert features.view.image.tokens.grad is None

    def test_tokens_are_needed(self):
        features = make_features()
        blind = dataclasses.replace(features.teacher.image, tokens=None)
        with pytest.raises(InputError, match="token vectors"):
            LocalGlobal()(features.replace(teacher=features.teacher.replace(image=blind)))
