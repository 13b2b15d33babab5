"""InfoNCE against numbers worked out by hand."""

import math

import pytest
import torch
import torch.nn.functional as F

from limner.objectives.infonce import infonce


def test_two_pairs_by_hand():
    left = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    right = torch.tensor([[1.0, 0.0], [0.6, 0.8]])
    # logits, scale 2: [[2, 1.2], [0, 1.6]]
    rows = math.log(1 + math.exp(1.2 - 2)) + math.log(1 + math.exp(0 - 1.6))
    columns = math.log(1 + math.exp(0 - 2)) + math.log(1 + math.exp(1.2 - 1.6))
    assert infonce(left, right, torch.tensor(2.0)).item() == pytest.approx((rows + columns) / 4, abs=1e-6)


def test_unrelated_vectors_cost_log_n():
    same = F.normalize(torch.ones(16, 4), dim=1)
    assert infonce(same, same, torch.tensor(5.0)).item() == pytest.approx(math.log(16), abs=1e-5)


def test_each_in_its_own_group_is_the_plain_loss():
    generator = torch.Generator().manual_seed(0)
    left, right = (F.normalize(torch.randn(8, 5, generator=generator), dim=1) for _ in range(2))
    scale = torch.tensor(7.0)
    plain, grouped = infonce(left, right, scale), infonce(left, right, scale, torch.arange(8))
    torch.testing.assert_close(plain, grouped)


def test_equal_words_are_no_negatives():
    """Two pictures with one caption: the best that can be reached is log 2, and no gradient pushes them apart."""
    left = torch.tensor([[1.0, 0.0], [1.0, 0.0]], requires_grad=True)
    right = torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    loss = infonce(left, right, torch.tensor(10.0), torch.tensor([3, 3]))
    loss.backward()
    assert loss.item() == pytest.approx(math.log(2), abs=1e-6)
    assert left.grad is not None
    assert left.grad.abs().max() < 1e-6
