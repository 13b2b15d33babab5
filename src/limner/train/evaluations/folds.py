"""Recall in small pools: the "1K" protocol, next to which the whole pool looks worse (card 7)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from limner.core.errors import InputError
from limner.eval.retrieval import CUTS, evaluate_vectors
from limner.nn.blocks.similarity import CosineSimilarity
from limner.train.outcome import Measured, Outcome
from limner.train.trained import Trained


@dataclass(frozen=True, slots=True)
class FoldedRetrieval:
    """The pictures of a split in so many consecutive folds, each searched by itself.

    The vectors are those of `Retrieval`; only the pools differ. The similarity must fold into a dot product.
    """

    folds: int = 5
    split: str = "test"

    def __call__(self, trained: Trained) -> Outcome:
        corpus = trained.corpora.split(self.split)
        similarity = trained.model.similarity
        if not isinstance(similarity, CosineSimilarity):
            raise InputError("retrieval in folds compares vectors by a dot product; this model has another similarity")
        if len(corpus) % self.folds:
            raise InputError(f"{corpus.name}: {len(corpus)} pictures cannot be cut into {self.folds} equal folds")
        chosen = [(row, text.text) for row, texts in enumerate(corpus.texts) for text in texts]
        images = trained.encode_images(corpus).vectors.cpu().numpy()
        texts = trained.encode_texts([text for _, text in chosen]).vectors
        captions = similarity.fold_text(texts).detach().cpu().numpy()
        owner = np.array([row for row, _ in chosen])
        report = evaluate_vectors(images, captions, owner, name=corpus.name, fold_size=len(corpus) // self.folds)
        samples = {sample.name: sample for sample in report.samples}
        wanted = [f"text-to-image recall@{cut}" for cut in CUTS]
        return {
            f"{name} in {self.folds} folds": Measured.of(samples[name].values, samples[name].clusters)
            for name in wanted
        }
