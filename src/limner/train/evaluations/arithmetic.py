"""A picture and words as one question, by adding or taking away their unit vectors (card 17, ALIGN)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from limner.core.errors import InputError
from limner.core.types import Dense, Floats, Integers
from limner.eval.metrics import Recall
from limner.search.compose import compose
from limner.train.corpora.edits import Edit
from limner.train.evaluations.retrieval import ranked
from limner.train.outcome import Measured, Outcome
from limner.train.trained import Trained


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """Each edited scene of a split of `WithEdits` is looked for with its source and a label.

    "plus": the source's picture plus what was added finds the recoloured scene. "minus": the picture minus what was
    removed finds the scene without it. For both, also what picture and words find alone. The source itself is not
    searched; all edits of it are, so the picture alone cannot know which one is meant.
    """

    split: str = "edits"

    def __call__(self, trained: Trained) -> Outcome:
        corpus = trained.corpora.split(self.split)
        edits: Sequence[Edit] = corpus.truth
        if not edits or not isinstance(edits[0], Edit):
            raise InputError(f"{corpus.name}: query arithmetic needs a test set of edited scenes (WithEdits)")
        pictures = trained.encode_images(corpus).vectors.cpu().numpy()
        outcome: dict[str, Measured] = {}
        for name, sign in (("plus", 1.0), ("minus", -1.0)):
            rows = np.array(
                [row for row, edit in enumerate(edits) if edit.source >= 0 and bool(edit.added) == (sign > 0)]
            )
            labels = [edits[row].added or edits[row].removed for row in rows]
            words = trained.encode_texts(labels).vectors.cpu().numpy()
            sources = np.array([edits[row].source for row in rows])
            asked = {
                "picture and words": np.stack(
                    [
                        compose(("picture", "words"), np.array([1.0, sign]), Dense(np.stack(pair))).queries.values[0]
                        for pair in zip(pictures[sources], words, strict=True)
                    ]
                ),
                "picture alone": pictures[sources],
                "words alone": sign * words,
            }
            for question, vectors in asked.items():
                outcome |= self._found(f"{name}, {question}:", vectors, pictures, rows, sources)
        return outcome

    def _found(self, name: str, queries: Floats, pool: Floats, rows: Integers, sources: Integers) -> Outcome:
        scores = queries @ pool.T
        scores[np.arange(len(rows)), sources] = -np.inf
        right = np.zeros(scores.shape, bool)
        right[np.arange(len(rows)), rows] = True
        found = ranked(scores, right, (Recall(1), Recall(10)))
        return {f"{name} {metric}": Measured.of(values, sources) for metric, values in found.items()}
