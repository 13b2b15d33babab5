"""A temperature for each pair (card 55), against the direct formula."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from objectives.features import make_features
from torch import Tensor

from limner.core.errors import InputError
from limner.core.features import Encoded, Features
from limner.nn.blocks.similarity import CosineSimilarity
from limner.objectives.contrast import Contrast
from limner.objectives.semantic_temperature import SemanticTemperature, semantic_guidance

seeds = st.integers(0, 2**16)


def pairs(pictures: Tensor, texts: Tensor, scale: float) -> Features:
    number = torch.arange(len(pictures))
    image, text = Encoded(pictures, number), Encoded(texts, number)
    return Features(image, text, torch.tensor(scale), CosineSimilarity(), owner=number, rows=number)


def direct(pictures: Tensor, texts: Tensor, scale: float, kappa: float) -> Tensor:
    """Entry by entry."""
    n = len(pictures)
    logits = pictures.new_zeros(n, n)
    u = [[(texts[i] @ texts[j] + pictures[i] @ pictures[j]).item() / 2 for j in range(n)] for i in range(n)]
    mean = sum(u[i][j] for i in range(n) for j in range(n) if i != j) / (n * n - n)
    for i in range(n):
        for j in range(n):
            temperature = (1 / scale) * (1 if i == j else 1 + kappa * max(0.0, u[i][j] - mean))
            logits[i, j] = pictures[i] @ texts[j] / temperature
    answer = torch.arange(n)
    return (F.cross_entropy(logits, answer) + F.cross_entropy(logits.T, answer)) / 2


@given(seeds, st.floats(0, 0.9))
def test_loss_and_gradient_are_those_of_the_direct_formula(seed: int, kappa: float):
    generator = torch.Generator().manual_seed(seed)
    pictures, texts = (F.normalize(torch.randn(5, 4, generator=generator), dim=1).requires_grad_() for _ in range(2))
    ours = Contrast(temperature=SemanticTemperature(kappa))(pairs(pictures, texts, 8.0))
    theirs = direct(pictures, texts, 8.0, kappa)
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)
    gradients = (torch.autograd.grad(loss, [pictures, texts]) for loss in (ours, theirs))
    torch.testing.assert_close(*gradients, rtol=1e-3, atol=1e-5)


@given(seeds)
def test_factors_are_positive_and_one_for_positives(seed: int):
    features = make_features(6, seed=seed, groups=torch.tensor([0, 1, 2, 2, 4, 5]))
    factors = SemanticTemperature(0.9)(features)
    right = features.image.group[:, None] == features.text.group[None, :]
    assert factors.shape == (6, 18)
    assert not factors.requires_grad
    assert (factors[right] == 1).all()
    assert (factors >= 1).all()
    assert (factors <= 2.8 + 1e-6).all()


def test_a_model_to_which_all_is_alike_gains_nothing():
    """Else it would be where training ends: cooler positives than negatives without any difference between them."""
    alike = F.normalize(torch.ones(4, 3), dim=1)
    features = pairs(alike, alike, 20.0)
    torch.testing.assert_close(Contrast(temperature=SemanticTemperature(0.9))(features), torch.tensor(4.0).log())


def test_far_negatives_are_pushed_as_usual():
    pictures = F.normalize(torch.tensor([[1.0, 0.0], [0.9, 0.1], [-1.0, 0.1]]), dim=1)
    factors = SemanticTemperature()(pairs(pictures, pictures, 10.0))
    assert (factors[2] == 1).all()
    assert factors[0, 1] > 1.2
    lonely = make_features(3, groups=torch.zeros(3, dtype=torch.int64))
    assert (SemanticTemperature()(lonely) == 1).all()


def test_guidance_of_several_texts_a_picture_by_hand():
    features = make_features(3, roles=("a", "b"))
    texts, pictures = features.text.vectors, features.image.vectors
    guidance = semantic_guidance(features)
    # Picture 0 has texts 0 and 3; text 4 was written for picture 1.
    expected = ((texts[0] @ texts[4] + texts[3] @ texts[4]) / 2 + pictures[0] @ pictures[1]) / 2
    assert guidance[0, 4].item() == pytest.approx(expected.item(), abs=1e-6)


def test_near_negatives_are_pushed_less_than_by_one_temperature():
    """Two texts that say nearly the same, of two pictures that look nearly the same, and one far pair."""
    pictures = F.normalize(torch.tensor([[1.0, 0.0, 0.0], [1.0, 0.2, 0.0], [-0.8, 0.0, 1.0]]), dim=1)
    texts = F.normalize(torch.tensor([[1.0, 0.0, 0.1], [1.0, 0.1, 0.1], [-0.8, 0.3, 1.0]]), dim=1)
    scores = (pictures @ texts.T).requires_grad_()
    features = pairs(pictures, texts, 10.0).replace(similarity=lambda image, text: scores)

    def push(objective: Contrast) -> Tensor:
        """How hard the loss presses each score down."""
        return torch.autograd.grad(objective(features), scores)[0]

    one, own = push(Contrast()), push(Contrast(temperature=SemanticTemperature(0.5)))
    assert 0 < own[0, 1] < 0.9 * one[0, 1]
    assert 0 < own[1, 0] < 0.9 * one[1, 0]


def test_no_kappa_is_one_temperature():
    features = make_features(5)
    torch.testing.assert_close(Contrast(temperature=SemanticTemperature(0.0))(features), Contrast()(features))


@pytest.mark.parametrize("kappa", [-0.1, 1.0, float("nan")])
def test_factors_could_vanish(kappa: float):
    with pytest.raises(InputError, match="kappa"):
        SemanticTemperature(kappa)
