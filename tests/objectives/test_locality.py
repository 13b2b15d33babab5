"""Locality and self-distinctiveness against their formulas."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from limner.objectives.locality import locality, self_distinctiveness


def test_locality_by_hand():
    whole = torch.tensor([[0.9, 0.5, 0.1]])
    partial = torch.tensor([[0.6, 0.5, -0.9]])
    assert locality(whole, partial, nearest=1, slack=0.01).item() == pytest.approx(0.08, abs=1e-6)
    assert locality(whole, partial, nearest=2, slack=0.01).item() == pytest.approx(0.04, abs=1e-6)
    assert locality(whole, partial, nearest=10, slack=0.0).item() == pytest.approx((0.09 + 1.0) / 3, abs=1e-6)


def test_the_neighbourhood_is_that_of_the_whole_item():
    """Only the far item moves: within the nearest two nothing has changed."""
    whole, partial = torch.tensor([[0.9, 0.5, 0.1]]), torch.tensor([[0.9, 0.5, 0.99]])
    assert locality(whole, partial, nearest=2, slack=0.0).item() == 0


def test_what_differs_within_the_slack_is_free():
    whole = torch.rand(4, 20, generator=torch.Generator().manual_seed(0))
    assert locality(whole, whole + 0.099, slack=0.01).item() == 0
    assert locality(whole, whole + 0.11, slack=0.01).item() > 0


def test_self_distinctiveness_by_hand():
    whole = torch.eye(2)
    partial = F.normalize(torch.tensor([[1.0, 1.0], [0.0, 1.0]]), dim=1)
    # S = [[.707, .707], [0, 1]], margin 0.2: row 0 misses it by 0.2, row 1 keeps it
    assert self_distinctiveness(partial, whole, torch.arange(2)).item() == pytest.approx(0.1, abs=1e-6)


def test_one_product_is_not_told_from_itself():
    """Both items of a batch are one product: nothing is pushed apart."""
    partial = F.normalize(torch.randn(2, 5, generator=torch.Generator().manual_seed(1)), dim=1)
    assert self_distinctiveness(partial, partial.flip(0), torch.tensor([7, 7])).item() == 0
    assert self_distinctiveness(partial, partial.flip(0), torch.tensor([7, 8])).item() > 0
