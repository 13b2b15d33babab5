"""Each sentence of a long description finds the part of its picture that it is about (card 14, DreamLIP)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from limner.core.features import Features
from limner.nn.blocks.tokens import token_vectors
from limner.objectives.contrast import contrast
from limner.objectives.targets import share

MOST_SCALE = 100.0


def group_patches(tokens: Tensor, text: Tensor, threshold: float | None = None) -> tuple[Tensor, Tensor]:
    """Gather the places of a picture that a sentence of it speaks of (card 14; Bica et al. 2024, SPARC).

    s_p = <t, p>, brought by min-max over the places to 0..1; what is below `threshold` (None: 1 / places) -> 0;
    a_p = s_p / sum s;  g = normalize(sum_p a_p p). Where all places score the same, all count the same.

    tokens (m, p, d): places of the picture of each sentence, unit vectors; text (m, d), unit vectors ->
    grouped (m, d), unit vectors, and weights a (m, p), rows of sum 1. For pairs that belong together only: some
    place always has score 1, even where the sentence speaks of nothing in the picture.
    """
    scores = torch.einsum("mpd,md->mp", tokens, text)
    low, high = scores.aminmax(dim=1, keepdim=True)
    span = high - low
    flat = span <= 1e-6
    relative = torch.where(flat, torch.ones_like(scores), (scores - low) / span.masked_fill(flat, 1.0))
    kept = relative * (relative >= (1 / tokens.shape[1] if threshold is None else threshold))
    weights = kept / kept.sum(1, keepdim=True)
    return F.normalize(torch.einsum("mp,mpd->md", weights, tokens), dim=-1), weights


class OwnScale(nn.Module):
    """A learned inverse temperature, at most 100; starts at 1 / 0.07."""

    def __init__(self) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))

    def forward(self) -> Tensor:
        return self.log_scale.clamp(0, math.log(MOST_SCALE)).exp()


@dataclass(frozen=True, slots=True)
class SentenceGrouping:
    """InfoNCE in both directions between the m texts and what each of them groups in its own picture; a temperature
    of its own (card 14, DreamLIP, arXiv 2403.17007); the grouping: see `group_patches`.

    Other sentences of the same picture are negatives, which is what ties each to its own places; equal sentences
    are positives of one another, whichever picture they come from.

    Needs vectors, owners and tokens of the pictures; token ids to know equal sentences. Stands beside a `Contrast`
    over the same sentences. Against `TokenMatching`: parts are grouped by sentences instead of words, and only paired
    pictures are looked at, so it is cheap. Use it with long descriptions, or to point at what a sentence names.
    """

    role: str = ""
    """Only the texts of this role; empty: all."""
    threshold: float | None = None
    """See `group_patches`."""
    weight: float = 1.0
    name: str = "sentence_grouping"

    def head(self, model: Any) -> OwnScale:
        return OwnScale()

    def __call__(self, features: Features, head: OwnScale) -> Tensor:
        if self.role:
            features = features.with_role(self.role)
        text = features.text.vectors
        grouped, _ = group_patches(token_vectors(features.image)[features.owner], text, self.threshold)
        logits = head() * grouped @ text.T
        targets = share(equal_sentences(features))
        return (contrast(logits, targets) + contrast(logits.T, targets)) / 2


def equal_sentences(features: Features) -> Tensor:
    """(m, m) bool: whether two texts have the same tokens; without ids, only a text and itself."""
    if features.ids is None:
        return torch.eye(len(features.owner), dtype=torch.bool, device=features.owner.device)
    _, number = torch.unique(features.ids, dim=0, return_inverse=True)
    return number[:, None] == number[None, :]
