"""The linear probe: what a straight line can read off the vectors of a frozen image tower (Alain and Bengio 2016)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from limner.data.corpus import Corpus
from limner.data.world import label_vectors
from limner.eval.metrics import AveragePrecision
from limner.train.evaluations.retrieval import ranked
from limner.train.outcome import Measured, Outcome
from limner.train.trained import Trained


@dataclass(frozen=True, slots=True)
class LinearProbe:
    """Which coloured shapes are in a scene: one logistic regression a class, learnt on the training pictures.

    The mean average precision over the classes that the split shows, each class a question to all of its pictures.
    `objects`: only scenes with at least so many objects are asked about.
    """

    split: str = "test"
    objects: int = 0
    decay: float = 1e-4
    """Of the squared weights."""

    def __call__(self, trained: Trained) -> Outcome:
        corpora = trained.corpora
        tested = corpora.split(self.split)
        tested = tested.take(np.flatnonzero([len(scene.objects) >= self.objects for scene in tested.truth]))
        vectors, labels = _seen(trained, corpora.train)
        mean, deviation = vectors.mean(0), vectors.std(0).clamp(min=1e-6)
        probe = fit_probe((vectors - mean) / deviation, labels, self.decay)
        vectors, labels = _seen(trained, tested)
        with torch.no_grad():
            scores = probe((vectors - mean) / deviation).T.numpy()
        right = labels.T.numpy() > 0
        shown = right.any(1)
        return {"linear probe mAP": Measured.of(ranked(scores[shown], right[shown], (AveragePrecision(),))["mAP"])}


def _seen(trained: Trained, corpus: Corpus) -> tuple[Tensor, Tensor]:
    """(n, d) vectors, (n, classes) 0 or 1."""
    return trained.encode_images(corpus).vectors.cpu(), torch.from_numpy(label_vectors(corpus.truth)).float()


def fit_probe(vectors: Tensor, labels: Tensor, decay: float, iterations: int = 100) -> nn.Linear:
    """Logistic regressions (n, d) -> (n, classes) side by side, by L-BFGS; the same result each time."""
    probe = nn.Linear(vectors.shape[1], labels.shape[1])
    nn.init.zeros_(probe.weight)
    nn.init.zeros_(probe.bias)
    solver = torch.optim.LBFGS(probe.parameters(), max_iter=iterations, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        solver.zero_grad()
        # Summed over the classes: each is a problem of its own, however many there are.
        value = F.binary_cross_entropy_with_logits(probe(vectors), labels, reduction="sum") / len(vectors)
        value = value + decay * probe.weight.square().sum()
        value.backward()
        return value

    solver.step(loss)
    return probe
