"""Which pairs are to be trusted: two networks judge the pairs for each other, epoch by epoch (card 99, PC2).

A pair that does not fit costs more, so the losses of one network over all pairs fall into two lots (train/mixture.py);
so do the swings of its pseudo-classes from one epoch to the next. With w and v the probabilities of the lower lot:

    clean        w > 1/2, by the judgement of the other network
    confidence   w + (1 - w) v [v > 1/2]          the soft margin of a clean pair
    the others   are left out at first; later their pictures borrow a caption of a picture of like classes
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from limner.core.errors import InputError
from limner.core.features import Features
from limner.objectives.hinge import All, pair_hinges
from limner.objectives.pseudo_classes import PseudoClasses, confidence, set_aside, with_borrowed
from limner.objectives.targets import positives
from limner.train.batches import Batch
from limner.train.mixture import probability_low, split_clean
from limner.train.modifiers import Quiet
from limner.train.task import Task


class Judgement(nn.Module):
    """What one network thinks of each of the training pairs; a pair that it has not met yet counts as clean."""

    def __init__(self, pictures: int) -> None:
        super().__init__()
        self.register_buffer("losses", torch.full((pictures,), torch.nan))
        self.register_buffer("swings", torch.full((pictures,), torch.nan))
        self.register_buffer("low_loss", torch.ones(pictures))
        self.register_buffer("settled", torch.zeros(pictures))
        self.register_buffer("clean", torch.ones(pictures, dtype=torch.bool))

    def divide(self) -> None:
        """Fit the mixtures to what was noted last of each pair."""
        met = ~self.losses.isnan()
        self.low_loss[met] = _low(self.losses[met])
        self.clean[met] = torch.from_numpy(split_clean(self.low_loss[met].double().cpu().numpy())).to(met.device)
        if not self.swings[met].isnan().any():
            self.settled[met] = _low(self.swings[met])

    @property
    def confidence(self) -> Tensor:
        """(pictures,), 0 to 1."""
        return confidence(self.low_loss, self.settled)


@dataclass(frozen=True, slots=True)
class NoisyPairs(Quiet):
    """List it after `Partner`; needs a sampler that goes by epochs. A picture and all its texts are one pair.

    Gives the hinges their targets "confidence" and takes from doubtful pictures their captions. Losses and swings are
    noted as the pairs come by in training. Beside a `PseudoClassification` in `BothNetworks`; without one it is
    co-teaching by the loss alone.
    """

    pictures: int
    """In the training data."""
    margin: float = 0.2
    """Of the hinge, over all negatives, by which the pairs are judged."""
    warm_up: float = 0.25
    """Share of the training in which all pairs are believed."""
    borrow: float = 0.5
    """Share of the training after which doubtful pictures borrow captions; before, clean pairs alone are trained."""
    shuffled: bool = False
    """Each doubtful picture gets the caption that another one would borrow: the control."""

    def start(self, task: Task) -> None:
        task.memory["noisy_pairs"] = nn.ModuleList(Judgement(self.pictures) for _ in range(2))

    def features(self, task: Task, batch: Batch, features: Features) -> Features:
        if features.partner is None:
            raise InputError("pairs are judged by another network: list Partner before NoisyPairs")
        if int(features.rows.max()) >= self.pictures:
            raise InputError(f"{self.pictures} pictures are judged, the data have more: raise `pictures`")
        judgements = task.memory["noisy_pairs"]
        heads = dict(task.heads).get("pseudo_classes", (None, None))
        networks = (features, features.partner)
        for judgement, network, head in zip(judgements, networks, heads, strict=True):
            self._note(judgement, network, head)
        first, second = (
            self._believed(network, judgement, head)
            for network, judgement, head in zip(networks, reversed(judgements), heads, strict=True)
        )
        return first.replace(partner=second)

    def after_step(self, task: Task, step: int, features: Features) -> None:
        if (step + 1) % max(1, self.pictures // len(features.rows)) == 0:
            for judgement in task.memory["noisy_pairs"]:
                judgement.divide()

    @torch.no_grad()
    def _note(self, judgement: Judgement, features: Features, head: PseudoClasses | None) -> None:
        pairs = positives(features)
        texts = pairs.sum(1)
        if not texts.all():
            raise InputError("to judge pairs, each picture of a batch needs a text")
        losses = pair_hinges(features.scores.float(), pairs, self.margin, All())
        judgement.losses[features.rows] = (
            torch.zeros_like(texts, dtype=losses.dtype).index_add(0, pairs.nonzero()[:, 0], losses) / texts
        )
        if head is not None:
            judgement.swings[features.rows] = head.oscillation(features.rows, features.image.vectors)

    def _believed(self, features: Features, judgement: Judgement, head: PseudoClasses | None) -> Features:
        """As the other network judges it."""
        rows = features.rows
        if features.progress < self.warm_up:
            return features.replace(
                targets={**features.targets, "confidence": torch.ones_like(judgement.settled[rows])}
            )
        clean = judgement.clean[rows]
        features = features.replace(targets={**features.targets, "confidence": judgement.confidence[rows]})
        if head is None or features.progress < self.borrow:
            return set_aside(features, clean)
        with torch.no_grad():
            probabilities = head(features.image.vectors).float().softmax(-1)
        if self.shuffled:
            doubtful = (~clean).nonzero()[:, 0]
            probabilities[doubtful] = probabilities[doubtful[torch.randperm(len(doubtful))]]
        return with_borrowed(features, clean, probabilities)


def _low(values: Tensor) -> Tensor:
    return torch.from_numpy(probability_low(values.double().cpu().numpy())).to(values)
