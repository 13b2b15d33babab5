"""Whether the likeness of two frozen spaces foretells how well projectors will align them (card 29)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from limner.core.types import Floats
from limner.data.corpus import Corpus
from limner.eval.cka import cka, rank_correlation
from limner.nn.adapters.projectors import ProjectedTower
from limner.nn.blocks.transformer import masked_mean
from limner.train.batches import pad
from limner.train.evaluations.retrieval import Retrieval
from limner.train.experiment import Experiment
from limner.train.outcome import Measured, Outcome
from limner.train.trained import CHUNK, Trained


@dataclass(frozen=True, slots=True, repr=False)
class Alignment:
    """Trains each experiment of `pairs` (projectors on two frozen encoders: stored maps, and a text tower), and
    compares the CKA of their pooled features on the validation split with the recall@1 that is reached on the test
    split, over all pairs: Spearman's rank correlation.
    """

    pairs: tuple[Experiment, ...]

    def __repr__(self) -> str:
        return f"Alignment({', '.join(experiment.fingerprint for experiment in self.pairs)})"

    def __call__(self, trained: Trained) -> Outcome:
        assert trained.other is not None
        outcome: dict[str, Measured] = {}
        likeness, recalls = [], []
        for experiment in self.pairs:
            pair = trained.other(experiment)
            found = Retrieval()(pair)["text-to-image recall@1"]
            likeness.append(cka(*pooled_features(pair, pair.corpora.validation)))
            recalls.append(found.mean)
            outcome |= {
                f"{experiment.name}: recall@1": found,
                f"{experiment.name}: CKA": Measured.of(likeness[-1]),
            }
        return {
            **outcome,
            "rank correlation of CKA and recall@1": Measured.of(rank_correlation(likeness, recalls)),
            "rank correlation by chance": Measured.of(0.0),
        }


def pooled_features(trained: Trained, corpus: Corpus) -> tuple[Floats, Floats]:
    """(n, c) of the pictures and (n, w) of each one's first text: means of what the frozen encoders say."""
    tower = trained.model.text.tower
    assert isinstance(tower, ProjectedTower)
    texts = [some[0].text for some in corpus.texts]
    parts = []
    for start in range(0, len(texts), CHUNK):
        ids = pad([trained.tokenizer.encode(text) for text in texts[start : start + CHUNK]])
        _, states, mask = tower.read(ids.to(trained.device))
        assert mask is not None
        parts.append(masked_mean(states, mask).cpu())
    return np.asarray(corpus.images, np.float32).mean(1), torch.cat(parts).numpy()
