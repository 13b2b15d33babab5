"""Placed prompts: by hand, and what is left out."""

from __future__ import annotations

import math

import pytest
import torch
from objectives.features import ROLES, make_features

from limner.core.errors import InputError
from limner.objectives.placed_prompts import PlacedPrompts

PLACED = PlacedPrompts(ROLES[0])


def placed(quadrants: list[int], best: list[int], scale: float = 10.0):
    """Pictures whose text is exactly the vector of prompt `best`, and at right angles to the others."""
    n = len(quadrants)
    features = make_features(n, scale=scale, targets={"quadrant": torch.tensor(quadrants)})
    axes = torch.eye(8)
    tokens = axes[:5].expand(n, 5, 8)
    return features.replace(
        image=features.image.replace(tokens=tokens),
        text=features.text.replace(vectors=torch.stack([axes[1 + k] for k in best]).repeat(len(ROLES), 1)),
    )


def test_by_hand():
    right, wrong = math.log(math.exp(10) + 3) - 10, math.log(math.exp(10) + 3)
    assert PLACED(placed([0, 2], [0, 2])).item() == pytest.approx(right, abs=1e-5)
    assert PLACED(placed([0, 2], [0, 1])).item() == pytest.approx((right + wrong) / 2, abs=1e-5)


def test_a_thing_across_two_quadrants_asks_nothing():
    both, alone = placed([3, -1], [2, 0]), placed([3], [2])
    assert torch.isclose(PLACED(both), PLACED(alone))
    assert PLACED(placed([-1, -1], [0, 0])).item() == 0


def test_the_vector_of_the_whole_takes_no_part():
    features = placed([1, 2], [1, 2])
    loss = PLACED(features)
    tokens = features.image.tokens.clone()
    tokens[:, 0] = -tokens[:, 0]
    assert torch.equal(PLACED(features.replace(image=features.image.replace(tokens=tokens))), loss)


def test_what_is_missing_is_named():
    features = placed([0, 1], [0, 1])
    with pytest.raises(InputError, match="focus"):
        PLACED(features.replace(image=features.image.replace(tokens=None)))
    with pytest.raises(InputError, match="'quadrant'"):
        PLACED(features.replace(targets={}))
