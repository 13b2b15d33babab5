"""Cluster discrimination: exact against the formulas, finite far out, own clusters never among the negatives."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from objectives.features import make_features, make_model

from limner.core.errors import InputError
from limner.objectives.cluster_discrimination import ClusterDiscrimination, discriminate, sample_negatives

KINDS = ["separated", "joint", "softmax", "bce"]


def drawn(seed: int, own: int, others: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return tuple(4 * torch.randn(3, c, generator=generator, dtype=torch.float64) for c in (own, others))


@given(seed=st.integers(0, 10_000), own=st.integers(1, 8), others=st.integers(1, 20))
def test_the_formulas_in_float64(seed, own, others):
    s_own, s_others = drawn(seed, own, others)
    p, n = (-s_own).exp().sum(1), s_others.exp().sum(1)
    close = {"atol": 1e-9, "rtol": 1e-9}
    separated = discriminate(s_own, s_others, "separated")
    torch.testing.assert_close(separated, torch.log(1 + n * p + n + p), **close)
    torch.testing.assert_close(separated, torch.log(1 + p) + torch.log(1 + n), **close)
    torch.testing.assert_close(discriminate(s_own, s_others, "joint"), torch.log(1 + n * p), **close)
    bce = F.binary_cross_entropy_with_logits(
        torch.cat([s_own, s_others], 1),
        torch.cat([torch.ones_like(s_own), torch.zeros_like(s_others)], 1),
        reduction="none",
    ).sum(1)
    torch.testing.assert_close(discriminate(s_own, s_others, "bce"), bce, **close)
    softmax = F.cross_entropy(
        torch.cat([s_own[:, :1], s_others], 1), torch.zeros(3, dtype=torch.long), reduction="none"
    )
    torch.testing.assert_close(discriminate(s_own, s_others, "softmax"), softmax, **close)
    assert (separated <= bce + 1e-9).all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("own", "others"), [(100.0, -100.0), (-100.0, 100.0), (100.0, 100.0), (-100.0, -100.0)])
def test_finite_far_out(kind, own, others):
    scores = torch.full((2, 3), own, requires_grad=True), torch.full((2, 5), others, requires_grad=True)
    loss = discriminate(*scores, kind).sum()
    loss.backward()
    assert loss.isfinite()
    assert all(one.grad.isfinite().all() for one in scores)


@pytest.mark.parametrize("kind", KINDS)
def test_gradients(kind):
    own, others = (one.requires_grad_() for one in drawn(1, 3, 4))
    assert torch.autograd.gradcheck(lambda a, b: discriminate(a, b, kind), (own, others))


def test_the_joint_form_sees_differences_only_and_the_separated_one_the_place():
    """The paper's example: (0.1, 0.4) and (0.5, 0.8) are the same to the joint form."""
    low, high = ((torch.tensor([[a]]), torch.tensor([[b]])) for a, b in ((0.4, 0.1), (0.8, 0.5)))
    torch.testing.assert_close(discriminate(*low, "joint"), discriminate(*high, "joint"))
    assert not torch.isclose(discriminate(*low, "separated"), discriminate(*high, "separated"), atol=1e-3)


def test_negatives_are_fresh_distinct_and_not_ones_own():
    torch.manual_seed(0)
    labels = torch.tensor([[0, 1], [2, 3]])
    sampled, mine = sample_negatives(40, 0.25, labels)
    assert len(sampled) == len(set(sampled.tolist())) == 10
    assert not torch.equal(sampled, sample_negatives(40, 0.25, labels)[0])
    everything, mine = sample_negatives(40, 1.0, labels)
    assert sorted(everything.tolist()) == list(range(40))
    for row in range(2):  # own ones are masked, those of the other picture are not
        assert sorted(everything[mine[row]].tolist()) == labels[row].tolist()
    assert len(sample_negatives(40, 0.001, labels)[0]) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_the_objective_is_the_formula_over_its_parts(kind):
    objective = ClusterDiscrimination(clusters=9, kind=kind, scale=5.0, margin=0.2, rate=1.0)
    labels = torch.tensor([[0, 1], [2, 3], [8, 0], [4, 7], [1, 2], [5, 6]])
    features = make_features(targets={"clusters": labels})
    head = objective.head(make_model())
    cosine = (features.image.vectors @ F.normalize(head.weight, dim=1).T).detach()
    kept = labels[:, :1] if kind == "softmax" else labels
    losses = []
    for i in range(6):
        own = [5.0 * math.cos(math.acos(cosine[i, k]) + 0.2) for k in kept[i].tolist()]
        others = [5.0 * cosine[i, k].item() for k in range(9) if k not in kept[i].tolist()]
        losses.append(discriminate(torch.tensor([own]), torch.tensor([others]), kind))
    torch.testing.assert_close(objective(features, head), torch.cat(losses).mean(), atol=1e-4, rtol=1e-4)


def test_centres_learn_only_where_they_were_used():
    torch.manual_seed(1)
    objective = ClusterDiscrimination(clusters=200, rate=0.1)
    features = make_features(targets={"clusters": torch.arange(6)[:, None]})
    head = objective.head(make_model())
    objective(features, head).backward()
    touched = head.weight.grad.abs().sum(1) > 0
    assert touched[:6].all()
    assert 20 <= touched.sum() <= 26
    assert features.image.vectors.grad.abs().max() > 0


def test_training_separates_planted_clusters():
    torch.manual_seed(0)
    objective = ClusterDiscrimination(clusters=6, rate=1.0, scale=16.0, margin=0.1)
    features = make_features(targets={"clusters": torch.arange(6)[:, None]})
    head = objective.head(make_model())
    optimiser = torch.optim.Adam(head.parameters(), lr=0.02)
    for _ in range(80):
        optimiser.zero_grad()
        objective(features, head).backward()
        optimiser.step()
    assert torch.equal((features.image.vectors @ head().T).argmax(1), torch.arange(6))


def test_bad_labels_are_named():
    objective = ClusterDiscrimination(clusters=4)
    head = objective.head(make_model())
    with pytest.raises(InputError, match="targets 'clusters'"):
        objective(make_features(targets={}), head)
    with pytest.raises(InputError, match="0 to 3, found 4"):
        objective(make_features(targets={"clusters": torch.full((6, 1), 4)}), head)
