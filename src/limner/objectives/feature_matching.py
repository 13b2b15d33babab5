"""Feature matching: learn to see what a teacher sees, place by place (Romero et al. 2015, "FitNets")."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def feature_matching(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean cosine distance (0 to 2) of `student` (..., d) to `teacher` (..., d)."""
    return 1 - F.cosine_similarity(student, teacher, dim=-1).mean()
