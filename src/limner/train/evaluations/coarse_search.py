"""Short questions that many pictures answer: "a red circle"."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from limner.core.errors import InputError
from limner.data.world import label_vectors, say
from limner.data.world.facts import Exists, Kind
from limner.data.world.labels import CLASS, label_names
from limner.eval.metrics import AveragePrecision, Success
from limner.train.evaluations.retrieval import ranked
from limner.train.evaluations.token_search import scores_by_tokens, with_tokens
from limner.train.outcome import Measured, Outcome
from limner.train.trained import Trained


@dataclass(frozen=True, slots=True)
class CoarseSearch:
    """Every colour and shape that a scene of the split shows is asked for in words of `language`; right are all scenes
    that show it. By the cosine of the vectors and by tokens."""

    split: str = "test"
    language: str = "en"

    def __call__(self, trained: Trained) -> Outcome:
        corpus = trained.corpora.split(self.split)
        if not len(corpus.truth):
            raise InputError(f"{corpus.name}: a search for what is shown needs drawn scenes with their truth")
        shown = label_vectors(corpus.truth).T
        asked = np.flatnonzero(shown.any(1))
        names = [dict(zip(CLASS, label_names()[kind].split(), strict=True)) for kind in asked]
        texts = [say([Exists(Kind(**name))], corpus.truth[0], language=self.language).text for name in names]
        images = with_tokens(trained, trained.encode_images(corpus))
        words = with_tokens(trained, trained.encode_texts(texts))
        cosines = (words.vectors @ images.vectors.T).cpu().numpy()
        outcome = {}
        for by, scores in (("vectors", cosines), ("tokens", scores_by_tokens(images, words)[1])):
            for name, values in ranked(scores, shown[asked], (AveragePrecision(), Success(1))).items():
                outcome[f"coarse text-to-image {name} by {by}"] = Measured.of(values)
        return outcome
