"""The loss is the mean cosine distance, whatever the lengths."""

import pytest
import torch

from limner.objectives.feature_matching import feature_matching


def test_equal_opposite_and_square():
    teacher = torch.tensor([[3.0, 0.0], [0.0, 2.0], [1.0, 0.0]])
    student = torch.tensor([[0.5, 0.0], [0.0, -9.0], [0.0, 4.0]])  # distances 0, 2, 1
    assert feature_matching(student, teacher).item() == pytest.approx(1.0)


def test_grids_average_over_places():
    teacher = torch.randn(2, 49, 8, generator=torch.Generator().manual_seed(0))
    assert feature_matching(2 * teacher, teacher).item() == pytest.approx(0.0, abs=1e-6)
