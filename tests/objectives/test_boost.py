"""Boosting: closed forms where the model is its own anchor, no gradient to the anchor, the right negative."""

from __future__ import annotations

import pytest
import torch
from objectives.features import make_features

from limner.core.errors import InputError
from limner.objectives.boost import Boost, absolute_boost, relative_boost
from limner.objectives.hinge import All, Hardest

EYE = torch.eye(4, dtype=torch.bool)


@pytest.fixture
def scores() -> torch.Tensor:
    return torch.randn(4, 4, generator=torch.Generator().manual_seed(3), dtype=torch.float64)


def test_equal_to_the_anchor_every_hinge_is_at_its_margin(scores):
    """The sums of the paper are 2 B m' and 2 B gamma m + 2 B (1 - gamma) m; the means are a B-th of that."""
    for negatives in (Hardest(), Hardest(2), All()):
        assert relative_boost(scores, scores, EYE, 0.15, negatives).item() == pytest.approx(2 * 0.15)
        for gamma in (0.0, 0.3, 1.0):
            assert absolute_boost(scores, scores, EYE, 0.2, gamma, negatives).item() == pytest.approx(2 * 0.2)


def test_against_the_formulas(scores):
    anchor = torch.randn(4, 4, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    relative = absolute = 0.0
    for s, a in ((scores, anchor), (scores.T, anchor.T)):
        for i in range(4):
            others = [j for j in range(4) if j != i]
            relative += max(max(0, 0.2 + (a[i, i] - a[i, j]) - (s[i, i] - s[i, j])) for j in others)
            absolute += max(max(0, 0.7 * 0.2 + s[i, j] - a[i, j]) for j in others)
            absolute += max(0, 0.3 * 0.2 + a[i, i] - s[i, i])
    assert relative_boost(scores, anchor, EYE, 0.2, Hardest()).item() == pytest.approx(float(relative) / 4)
    assert absolute_boost(scores, anchor, EYE, 0.2, 0.3, Hardest()).item() == pytest.approx(float(absolute) / 4)


def test_the_negative_is_the_hardest_of_the_boosted_hinge():
    """Column 1 scores highest, but column 2 lies farthest above the anchor: it gets the push."""
    scores = torch.tensor([[0.5, 0.4, 0.3]], requires_grad=True)
    anchor, positive = torch.tensor([[0.5, 0.5, 0.0]]), torch.tensor([[True, False, False]])
    relative_boost(scores, anchor, positive, 0.2, Hardest()).backward()
    assert scores.grad[0, 1:].tolist() == [0.0, 1.0]
    scores.grad = None
    absolute_boost(scores, anchor, positive, 0.2, 0.5, Hardest()).backward()
    assert scores.grad[0, 1:].tolist() == [0.0, 1.0]


@pytest.mark.parametrize("kind", ["relative", "absolute"])
def test_the_anchor_gets_no_gradient_and_the_model_does(kind):
    features = make_features()
    anchor = make_features(seed=1)  # its vectors are leaves that would take a gradient
    loss = Boost(kind)(features.replace(teacher=anchor))
    loss.backward()
    assert anchor.image.vectors.grad is None
    assert anchor.text.vectors.grad is None
    assert features.image.vectors.grad.abs().max() > 0


@pytest.mark.parametrize("kind", ["relative", "absolute"])
def test_a_better_model_pays_nothing(kind):
    anchor = torch.full((4, 4), 0.5)
    better = torch.where(EYE, 0.8, 0.2)
    settings = (0.2, 0.5, Hardest()) if kind == "absolute" else (0.2, Hardest())
    loss = (absolute_boost if kind == "absolute" else relative_boost)(better, anchor, EYE, *settings)
    assert loss.item() == 0


def test_beta_scales_the_margin_and_gamma_splits_it():
    features = make_features()
    features = features.replace(teacher=features)  # the model is its own anchor: the closed forms hold
    assert Boost(beta=1.5)(features).item() == pytest.approx(2 * 1.5 * 0.2, abs=1e-5)
    assert Boost("absolute", gamma=0.9)(features).item() == pytest.approx(2 * 0.2, abs=1e-5)


def test_false_negatives_are_not_boosted_away():
    features = make_features(4, groups=torch.tensor([0, 0, 1, 2]))
    scores = features.scores.detach().requires_grad_()
    same = features.image.group[:, None] == features.text.group
    relative_boost(scores, features.teacher.scores, same, 5.0, Hardest()).backward()
    assert (scores.grad[same] < 0).all()


def test_before_the_start_nothing_is_asked():
    features = make_features(progress=0.05)
    loss = Boost(start=0.1)(features)
    loss.backward()
    assert loss.item() == 0
    assert features.image.vectors.grad.abs().max() == 0
    assert Boost(start=0.1)(features.replace(progress=0.1)) > 0


def test_without_an_anchor_the_mend_is_named():
    with pytest.raises(InputError, match="EmaTeacher"):
        Boost()(make_features().replace(teacher=None))


def test_no_pair_no_loss(scores):
    none = torch.zeros(4, 4, dtype=torch.bool)
    assert relative_boost(scores, scores, none, 0.2, Hardest()).item() == 0
    assert absolute_boost(scores, scores, none, 0.2, 0.5, Hardest()).item() == 0
