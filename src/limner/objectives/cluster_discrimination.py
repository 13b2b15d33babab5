"""Cluster discrimination: tell apart the clusters that pictures fall into, several clusters a picture
(card 50, MLCD, arXiv 2407.17331).

With s the scaled cosines of a picture to the learned centres, margin added to the angle of its own ones,
P = sum_own exp(-s_i) and N = sum_sampled exp(s_j):

    separated   log(1 + P) + log(1 + N) = log(1 + N P + N + P)     own ones above zero, others below, each by itself
    joint       log(1 + N P)                                       only the differences count
    softmax     the joint form of the nearest cluster alone: the ordinary cross-entropy (An et al. 2023, "UNICOM")
    bce         sum_own log(1 + exp(-s_i)) + sum_sampled log(1 + exp(s_j))     without the sums in the logarithm
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from limner.core.errors import InputError
from limner.core.features import Features
from limner.objectives.arc_margin import Centres, add_angle

Kind = Literal["separated", "joint", "softmax", "bce"]


def discriminate(own: Tensor, others: Tensor, kind: Kind) -> Tensor:
    """`own` (n, l) and `others` (n, c) scores, scaled, nearest cluster first -> (n,) losses (formulas above)."""
    if kind == "softmax":
        own = own[:, :1]
    if kind == "bce":
        return F.softplus(-own).sum(1) + F.softplus(others).sum(1)
    log_p, log_n = (-own).logsumexp(1), others.logsumexp(1)
    return F.softplus(log_p) + F.softplus(log_n) if kind == "separated" else F.softplus(log_p + log_n)


def sample_negatives(count: int, rate: float, labels: Tensor) -> tuple[Tensor, Tensor]:
    """A fresh random part of `count` centres: their numbers (c,), and (n, c) bool, which are among `labels` (n, l)."""
    sampled = torch.randperm(count, device=labels.device)[: max(1, math.ceil(rate * count))]
    return sampled, (labels[:, :, None] == sampled[None, None, :]).any(1)


@dataclass(frozen=True, slots=True)
class ClusterDiscrimination:
    """Several clusters a picture, against a random part of the rest (formulas at the top of the file; card 50).

    Needs image vectors and targets "clusters" (n, l) int64, nearest first (`train/clusters.py`); reads no text.
    For an image tower that knows look-alikes before it has read a word. The centres are learned from a random
    start, not those of the clustering. Against `ArcMargin`: several labels, and not all classes at a time, which
    also lessens the harm of clusters that should have been one.
    """

    clusters: int
    kind: Kind = "separated"
    scale: float = 32.0
    margin: float = 0.3
    """Radians."""
    rate: float = 0.1
    """Share of the centres that are drawn as negatives at each call."""
    weight: float = 1.0
    name: str = "clusters"

    def head(self, model: Any) -> Centres:
        return Centres(self.clusters, model.dimension)

    def __call__(self, features: Features, head: Centres) -> Tensor:
        if "clusters" not in features.targets:
            raise InputError("cluster discrimination needs targets 'clusters': (n, l) numbers of the nearest clusters")
        labels = features.targets["clusters"]
        head.check(labels, "targets 'clusters'")
        if self.kind == "softmax":
            labels = labels[:, :1]
        centres, vectors = head(), features.image.vectors
        own = torch.einsum("nd,nld->nl", vectors, centres[labels])
        sampled, mine = sample_negatives(self.clusters, self.rate, labels)
        others = self.scale * (vectors @ centres[sampled].T)
        others = others.masked_fill(mine, torch.finfo(others.dtype).min)
        return discriminate(self.scale * add_angle(own, self.margin), others, self.kind).mean()
