"""Pseudo-classes: one head names classes for pictures and for captions; a caption's class teaches its picture, and
a picture whose caption is wrong borrows one of a picture of like classes (card 99, PC2, arXiv 2408.01349).

    L = mean CE(p_picture, argmax p_caption) - lambda H,     H = entropy of the mean p_picture of the batch

`H` keeps the classes in use. The steps of the method that run over a whole data set (who is clean: train/mixture.py)
belong to the training, not to this file.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from limner.core.errors import InputError
from limner.core.features import Features

DECIDED = 2.0
"""Standard deviation of the logits at first."""


class PseudoClasses(nn.Module):
    """Vectors (n, d) of one side of a batch -> logits (n, classes); remembers the last prediction for each picture."""

    def __init__(self, dimension: int, classes: int, pictures: int, hidden: int) -> None:
        super().__init__()
        self.mlp = nn.Sequential(nn.Linear(dimension, hidden), nn.ReLU(), nn.Linear(hidden, classes))
        # Decided from the start: of flat predictions, whichever class comes a little ahead becomes the label of all.
        nn.init.normal_(self.mlp[-1].weight, std=DECIDED * (6 / hidden) ** 0.5)
        self.register_buffer("bank", torch.full((pictures, classes), 1 / classes))

    def forward(self, vectors: Tensor) -> Tensor:
        # Without their mean and brought to unit variance: what all captions have in common is most of each vector and
        # would at first put them all into one class, and hard labels of one class never spread.
        centred = vectors - vectors.detach().mean(0)
        return self.mlp(centred / centred.detach().square().mean().sqrt().clamp(min=1e-6))

    @torch.no_grad()
    def remember(self, rows: Tensor, probabilities: Tensor) -> None:
        """Keep (n, classes) for the pictures of number `rows` (n,). Raises InputError where the bank is too small."""
        if int(rows.max()) >= len(self.bank):
            raise InputError(f"the bank holds {len(self.bank)} pictures, the data have more: raise `pictures`")
        self.bank[rows] = probabilities.to(self.bank.dtype)

    @torch.no_grad()
    def oscillation(self, rows: Tensor, vectors: Tensor) -> Tensor:
        """(n,) KL(prediction now || prediction remembered): large where a picture does not settle."""
        log_now = self(vectors).float().log_softmax(-1)
        return (log_now.exp() * (log_now - self.bank[rows].clamp(min=1e-8).log())).sum(-1)


def entropy(probabilities: Tensor) -> Tensor:
    """(..., k) -> (...), in nats."""
    return -torch.special.xlogy(probabilities, probabilities).sum(-1)


def effective_classes(probabilities: Tensor) -> float:
    """How many of the k classes are in use: exp of the entropy of the mean of (n, k), 1 to k."""
    return float(entropy(probabilities.detach().mean(0)).exp())


def confidence(clean: Tensor, settled: Tensor) -> Tensor:
    """(n,) label of how right a pair is: w + (1 - w) v [v > 1/2], w by its loss, v by its oscillation, 0 to 1."""
    return clean + (1 - clean) * settled * (settled > 0.5)


def borrow(doubtful: Tensor, clean: Tensor, threshold: float = 0.5) -> tuple[Tensor, Tensor]:
    """For each of n doubtful pictures the clean one of m with the most similar classes, by cosine.

    Class probabilities (n, k) and (m, k) -> numbers (n,) of the clean ones, and the cosines (n,), 0 where below
    the threshold. Raises InputError where no picture is clean.
    """
    if not len(clean):
        raise InputError("no caption can be borrowed: the batch has no clean pair")
    best = (F.normalize(doubtful, dim=-1) @ F.normalize(clean, dim=-1).T).max(1)
    return best.indices, best.values * (best.values >= threshold)


def set_aside(features: Features, clean: Tensor) -> Features:
    """Doubtful pictures and their captions belong to nobody: they are wrong for all, and nothing is right for them.

    `clean` (n,) bool of the pictures.
    """
    image, text = features.image, features.text
    nobody = min(int(image.group.min()), int(text.group.min())) - 1
    of_text = text.group.masked_fill(~clean[features.owner], nobody - 1)
    return features.replace(
        image=dataclasses.replace(image, group=image.group.masked_fill(~clean, nobody)),
        text=dataclasses.replace(text, group=of_text),
    )


def with_borrowed(features: Features, clean: Tensor, probabilities: Tensor, threshold: float = 0.5) -> Features:
    """Doubtful pictures belong to the caption that they borrow; their own captions then belong to no picture.

    `clean` (n,) bool; `probabilities` (n, k) of the pictures. The borrower joins the group of the lender, so the
    two are never each other's negatives, and gets as targets "confidence" the cosine that `borrow` gives; clean
    pictures keep theirs, or 1. Of a batch without a clean pair all pictures are left without a caption.
    """
    doubtful, aside = ~clean, set_aside(features, clean)
    group = aside.image.group.clone()
    trust = features.targets.get("confidence", torch.ones_like(probabilities[:, 0])).clone()
    if clean.any() and doubtful.any():
        lender, similarity = borrow(probabilities[doubtful], probabilities[clean], threshold)
        group[doubtful] = group[clean][lender]
        trust[doubtful] = similarity.to(trust.dtype)
    return aside.replace(
        image=dataclasses.replace(aside.image, group=group), targets={**features.targets, "confidence": trust}
    )


@dataclass(frozen=True, slots=True)
class PseudoClassification:
    """A caption's class teaches its picture, all classes in use (formula at the top of the file; card 99).

    Needs vectors, groups and rows; `pictures` is the number of pictures in the training data. A picture whose own
    caption is not of its group (see `with_borrowed`) is left out of the first term. Beside a ranking hinge on
    noisy pairs; the classes serve to notice and to mend, they are of no use in search.
    """

    pictures: int
    classes: int = 128
    hidden: int = 256
    entropy: float = 10.0
    """Lambda."""
    per_picture: bool = False
    """The mean of the entropies, as in the authors' code, in place of the entropy of the mean."""
    weight: float = 1.0
    name: str = "pseudo_classes"

    def head(self, model: Any) -> PseudoClasses:
        return PseudoClasses(model.dimension, self.classes, self.pictures, self.hidden)

    def __call__(self, features: Features, head: PseudoClasses) -> Tensor:
        logits = head(features.image.vectors).float()
        probabilities = logits.softmax(-1)
        if head.training:
            head.remember(features.rows, probabilities.detach())
        with torch.no_grad():
            labels = head(features.text.vectors).argmax(-1)
        own = features.image.group[features.owner] == features.text.group
        taught = F.cross_entropy(logits[features.owner[own]], labels[own], reduction="sum") / own.sum().clamp(min=1)
        spread = entropy(probabilities).mean() if self.per_picture else entropy(probabilities.mean(0))
        return taught - self.entropy * spread
