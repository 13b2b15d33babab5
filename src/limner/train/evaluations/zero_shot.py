"""Zero-shot classification: each picture goes to the class whose texts are nearest to it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from limner.core.errors import InputError
from limner.core.features import Encoded
from limner.core.types import Floats
from limner.data.corpus import Corpus
from limner.eval.calibration import calibration_errors
from limner.train.outcome import Measured, Outcome
from limner.train.trained import Trained


@dataclass(frozen=True, slots=True)
class ZeroShot:
    """The classes are the concepts of a split; a class is the mean of its texts' vectors (Radford et al. 2021, CLIP).

    `roles`: only such texts describe a class; a text that several pictures of it share counts once. Besides the
    accuracy there is the calibration error of the softmax over the classes at the model's own temperature. The names
    of the metrics begin with `name` where one is given.
    """

    split: str = "test"
    roles: tuple[str, ...] = ()
    name: str = ""

    def __call__(self, trained: Trained) -> Outcome:
        corpus = trained.corpora.split(self.split)
        if corpus.concepts is None:
            raise InputError(f"{corpus.name}: zero-shot classification needs a concept for each picture")
        classes, labels = np.unique(corpus.concepts, return_inverse=True)
        prompts = [self._prompts(corpus, int(concept)) for concept in classes]
        scores = trained.scores(trained.encode_images(corpus), class_vectors(trained, prompts))
        chances = _softmax(trained.model.scale().item() * scores)
        right = scores.argmax(1) == labels
        prefix = f"{self.name} " if self.name else ""
        return {
            f"{prefix}zero-shot accuracy": Measured.of(right),
            f"{prefix}zero-shot calibration error": Measured.of(calibration_errors(chances.max(1), right)),
        }

    def _prompts(self, corpus: Corpus, concept: int) -> list[str]:
        rows = np.flatnonzero(corpus.concepts == concept)
        texts = (text for row in rows for text in corpus.texts[row] if not self.roles or text.role in self.roles)
        prompts = list(dict.fromkeys(text.text for text in texts))
        if not prompts:
            raise InputError(f"{corpus.name}: class {concept} has no text of role {self.roles}")
        return prompts


def class_vectors(trained: Trained, prompts: list[list[str]]) -> Encoded:
    """A unit vector for each class: the mean of its prompts."""
    vectors = trained.encode_texts([text for some in prompts for text in some]).vectors
    means = torch.stack([part.mean(0) for part in vectors.split([len(some) for some in prompts])])
    return Encoded(torch.nn.functional.normalize(means, dim=1), torch.arange(len(prompts)))


def _softmax(logits: Floats) -> Floats:
    raised = np.exp(logits - logits.max(1, keepdims=True))
    return raised / raised.sum(1, keepdims=True)
