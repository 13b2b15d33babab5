"""An objective for a part of the training, and one asked of two networks."""

from __future__ import annotations

import pytest
import torch
from objectives.features import PAIRS_IN_DATA, make_features, make_model

from limner.core.errors import InputError
from limner.core.protocols import Objective
from limner.objectives.both_networks import BothNetworks
from limner.objectives.during import During
from limner.objectives.hinge import All, Hardest, RankingHinge
from limner.objectives.pseudo_classes import PseudoClassification

WIDE = RankingHinge(margin=2.5)


@pytest.mark.parametrize(
    ("progress", "on"), [(0.0, False), (0.29, False), (0.3, True), (0.69, True), (0.7, False), (1.0, False)]
)
def test_from_its_beginning_to_before_its_end(progress, on):
    features = make_features(progress=progress)
    loss = During(WIDE, since=0.3, until=0.7)(features, None)
    assert loss.item() == pytest.approx(WIDE(features).item() if on else 0)
    loss.backward()  # also where it is zero, so that it can stand alone


def test_two_after_one_another_cover_the_training():
    pair = (
        During(RankingHinge(negatives=All(), margin=2.5), until=0.4),
        During(RankingHinge(negatives=Hardest()), 0.4),
    )
    for progress, of in ((0.0, 0), (0.39, 0), (0.4, 1), (1.0, 1)):
        features = make_features(progress=progress)
        losses = [objective(features, None).item() for objective in pair]
        assert losses[1 - of] == 0
        assert losses[of] == pytest.approx(pair[of].objective(features).item())


def test_it_stands_for_its_objective():
    inner = PseudoClassification(PAIRS_IN_DATA, weight=0.3)
    for outer in (During(inner, until=0.5), BothNetworks(inner)):
        assert isinstance(outer, Objective)
        assert (outer.name, outer.weight) == (inner.name, inner.weight)
    assert len(During(inner).head(make_model()).bank) == PAIRS_IN_DATA


def test_no_time_at_all_is_refused():
    with pytest.raises(InputError, match="0 <= since < until <= 1"):
        During(WIDE, since=0.5, until=0.5)


def test_both_networks_are_asked_each_with_its_own_head():
    torch.manual_seed(0)
    inner = PseudoClassification(PAIRS_IN_DATA, classes=4)
    objective, model = BothNetworks(inner), make_model()
    heads = objective.head(model)
    first, second = make_features(seed=0, model=model), make_features(seed=1, model=model)
    expected = inner(first, heads[0]) + inner(second, heads[1])
    assert objective(first.replace(partner=second), heads).item() == pytest.approx(expected.item())
    assert inner(first, heads[0]).item() != pytest.approx(inner(first, heads[1]).item())
    assert BothNetworks(WIDE).head(model) is None
    assert BothNetworks(WIDE)(first.replace(partner=second), None).item() == pytest.approx(
        (WIDE(first) + WIDE(second)).item()
    )


def test_without_a_second_network_it_says_what_to_add():
    with pytest.raises(InputError, match="Twins and the modifier Partner"):
        BothNetworks(WIDE)(make_features(), None)
