"""The ranking hinge against numbers worked out by hand, and each sampler of negatives on rows whose answer is known."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from objectives.features import make_features

from limner.core.errors import InputError
from limner.objectives.hinge import (
    All,
    Hardest,
    Random,
    RankingHinge,
    SemiHard,
    collapsed,
    pair_hinges,
    ranking_hinge,
    soft_margin,
)

SCORES = torch.tensor([[0.9, 0.8, 0.1], [0.3, 0.5, 0.4], [0.2, 0.6, 0.7]])
PAIRS = torch.eye(3, dtype=torch.bool)
# Excesses at margin 0.2. Rows: (0.1, -0.6), (0.0, 0.1), (-0.3, 0.1). Columns: (-0.4, -0.5), (0.5, 0.3), (-0.4, -0.1).


@pytest.mark.parametrize(
    ("negatives", "to_texts", "to_pictures"),
    [
        (All(), (0.05 + 0.05 + 0.05) / 3, (0 + 0.4 + 0) / 3),
        (Hardest(), (0.1 + 0.1 + 0.1) / 3, (0 + 0.5 + 0) / 3),
        (Hardest(2), (0.05 + 0.05 + 0.05) / 3, (0 + 0.4 + 0) / 3),
        (Random(2), (0.05 + 0.05 + 0.05) / 3, (0 + 0.4 + 0) / 3),  # two drawn of two
        (Random(9), (0.05 + 0.05 + 0.05) / 3, (0 + 0.4 + 0) / 3),  # more than there are
        (SemiHard(), (0.1 + 0.1 + 0.1) / 3, (0 + 0.3 + 0) / 3),  # column 1: both lie above, the lower one counts
    ],
    ids=str,
)
def test_three_pairs_by_hand(negatives, to_texts, to_pictures):
    texts = ranking_hinge(SCORES, PAIRS, 0.2, negatives, to_pictures=0)
    pictures = ranking_hinge(SCORES, PAIRS, 0.2, negatives, to_texts=0)
    both = ranking_hinge(SCORES, PAIRS, 0.2, negatives, to_texts=2, to_pictures=3)
    assert texts.item() == pytest.approx(to_texts, abs=1e-6)
    assert pictures.item() == pytest.approx(to_pictures, abs=1e-6)
    assert both.item() == pytest.approx(2 * to_texts + 3 * to_pictures, abs=1e-6)


def test_the_loss_of_each_pair_by_hand():
    assert pair_hinges(SCORES, PAIRS, 0.2, Hardest()).tolist() == pytest.approx([0.1, 0.6, 0.1], abs=1e-6)
    several = torch.tensor([[True, True, False], [False, False, True]])
    assert pair_hinges(SCORES[:2], several, 0.2, All(), to_pictures=0).shape == (3,)
    assert pair_hinges(SCORES, torch.zeros_like(PAIRS), 0.2, All()).shape == (0,)


def test_semi_hard_takes_the_highest_below_the_pair():
    scores = torch.tensor([[0.5, 0.9, 0.45, 0.2]], requires_grad=True)
    loss = ranking_hinge(scores, torch.tensor([[True, False, False, False]]), 0.1, SemiHard(), to_pictures=0)
    loss.backward()
    assert loss.item() == pytest.approx(0.05, abs=1e-6)
    assert scores.grad.tolist() == [[-1.0, 0.0, 1.0, 0.0]]


@given(seed=st.integers(0, 10_000), n=st.integers(2, 6), captions=st.integers(1, 3))
def test_all_equals_a_plain_double_loop(seed, n, captions):
    scores = torch.randn(n, n * captions, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    owner = torch.arange(n).repeat(captions)
    positive = torch.arange(n)[:, None] == owner[None, :]
    total = 0.0
    for i, t in positive.nonzero().tolist():
        wrong_texts = [
            max(0.0, 0.3 - scores[i, t].item() + scores[i, u].item()) for u in range(n * captions) if owner[u] != i
        ]
        wrong_pictures = [max(0.0, 0.3 - scores[i, t].item() + scores[j, t].item()) for j in range(n) if j != i]
        total += sum(wrong_texts) / len(wrong_texts) + sum(wrong_pictures) / len(wrong_pictures)
    assert ranking_hinge(scores, positive, 0.3, All()).item() == pytest.approx(total / (n * captions))


@pytest.mark.parametrize("negatives", [All(), Random(3), SemiHard(), Hardest(2)], ids=str)
def test_siblings_are_never_negatives(negatives):
    """Two pictures of one group, each with three captions: of them all, no pair is pushed apart."""
    features = make_features(6, groups=torch.tensor([0, 0, 1, 2, 3, 4]))
    scores = features.scores.detach().requires_grad_()
    same = features.image.group[:, None] == features.text.group[None, :]
    ranking_hinge(scores, same, 2.5, negatives).backward()  # so wide a margin that every hinge is open
    assert (scores.grad[same] < 0).all()
    assert (scores.grad[~same] >= 0).all()
    assert scores.grad[~same].max() > 0


def test_what_is_neither_right_nor_wrong_is_left_alone():
    scores = SCORES.clone().requires_grad_()
    negative = ~PAIRS
    negative[0, 1] = negative[1, 0] = False
    ranking_hinge(scores, PAIRS, 5.0, All(), negative=negative).backward()
    assert scores.grad[0, 1] == scores.grad[1, 0] == 0
    assert (scores.grad[negative] > 0).all()


def test_random_draws_uniformly_and_anew():
    torch.manual_seed(0)
    excess, allowed = torch.zeros(4000, 5), torch.tensor([True, False, True, True, True]).expand(4000, 5)
    counts = Random(2)(excess, allowed, torch.zeros(4000)).mul(2).sum(0)
    assert counts[1] == 0
    assert (counts[[0, 2, 3, 4]] - 2000).abs().max() < 150  # standard deviation 32


def test_without_pairs_or_without_negatives_nothing_is_asked():
    scores = torch.zeros(2, 3, requires_grad=True)
    for positive in (torch.zeros(2, 3, dtype=torch.bool), torch.ones(2, 3, dtype=torch.bool)):
        for negatives in (All(), Random(), SemiHard(), Hardest()):
            loss = ranking_hinge(scores, positive, 0.2, negatives)
            loss.backward()
            assert loss.item() == 0
    assert scores.grad.abs().max() == 0


def test_soft_margin_ends_at_zero_and_at_the_margin():
    assert soft_margin(0.2, torch.tensor([0.0, 0.5, 1.0])).tolist() == pytest.approx([0, 0.2 * (10**0.5 - 1) / 9, 0.2])


def test_confident_pairs_are_the_plain_hinge_and_doubtful_ones_ask_less():
    sure = make_features(targets={"confidence": torch.ones(6)})
    doubt = sure.replace(targets={"confidence": torch.full((6,), 0.3)})
    torch.testing.assert_close(RankingHinge(soft=True)(sure), RankingHinge()(sure))
    assert RankingHinge(soft=True)(doubt) < RankingHinge(soft=True)(sure)
    one = sure.replace(targets={"confidence": torch.tensor([0.3, 1, 1, 1, 1, 1])})
    expected = ranking_hinge(
        sure.scores,
        sure.image.group[:, None] == sure.text.group,
        torch.tensor([0.2 * (10**0.3 - 1) / 9, 0.2, 0.2, 0.2, 0.2, 0.2]),
        All(),
    )
    torch.testing.assert_close(RankingHinge(soft=True)(one), expected)


def test_a_role_is_all_that_is_read():
    features = make_features()
    torch.testing.assert_close(RankingHinge(role="long")(features), RankingHinge()(features.with_role("long")))


def test_missing_confidence_is_named():
    with pytest.raises(InputError, match="confidence"):
        RankingHinge(soft=True)(make_features(targets={}))


def test_collapse_is_noticed():
    """The hardest negatives alone, on a model that gives all inputs nearly one vector: the loss rests at the margin."""
    point = torch.nn.functional.normalize(
        torch.ones(20, 32) + 1e-3 * torch.randn(20, 32, generator=torch.Generator().manual_seed(1)), dim=1
    )
    assert collapsed(point @ point.T)
    assert RankingHinge(negatives=Hardest()).margin == pytest.approx(
        ranking_hinge(point @ point.T, torch.eye(20, dtype=torch.bool), 0.2, Hardest(), to_pictures=0).item(), abs=1e-3
    )
    assert not collapsed(make_features().scores)
    spread = torch.nn.functional.normalize(torch.randn(50, 1024, generator=torch.Generator().manual_seed(0)), dim=1)
    assert not collapsed((spread @ spread.T)[:25, 25:])
    assert not collapsed(torch.tensor([[0.4]]))
