"""Term expansion by image-word grounding: beside the words of a question, those that pictures show to be like them.

    candidates     what is written about the `DEPTH` pictures that the model finds for the whole question
    neighbours     of each asked word the `EACH` candidates whose own vectors are nearest, from the cosine `LEAST` on
    weights        of a neighbour `SHARE` x cosine x that of the asked word; what was asked keeps its weight

IMAGINATOR (2023, card 65) grounds words in one space of words and objects, built from what occurs together in texts
and in pictures. Here the space is the model's, whose text tower has learnt from pictures what words have in common, and
the pictures of the collection say which of its words can be meant: with pictures drawn by chance hardly anything is
gained (`bench/word_expansion.py`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import numpy as np

from limner.core.errors import InputError
from limner.core.protocols import Encoder
from limner.core.types import Dense, Floats, Representation

DEPTH, EACH, LEAST, SHARE = 50, 2, 0.6, 0.6

ENCODE_BATCH = 64
REMEMBERED = 50_000
"""Words whose vectors are kept for the next questions."""

Neighbour = tuple[str, str, float]
"""An asked word, a word like it, and which share of its weight that gets."""

Nearby = Callable[[Representation], Sequence[Sequence[str]]]
"""Vectors of n questions -> the words that are written about the `DEPTH` nearest pictures of each."""


class Expansion:
    """Neighbours of words in a dense space of the model. Safe to use from several threads."""

    def __init__(self, model: Encoder, space: str, nearby: Nearby) -> None:
        self.space = space
        self._model, self._nearby = model, nearby
        self._known: dict[str, Floats | None] = {}
        self._lock = threading.Lock()

    def neighbours(self, questions: Sequence[Sequence[str]], vectors: Representation) -> list[list[Neighbour]]:
        """For each question, its words and vector given: (asked word, neighbour, share of the asked word's weight)."""
        return [
            self._of(list(dict.fromkeys(asked)), sorted(set(near) - set(asked)))
            for asked, near in zip(questions, self._nearby(vectors), strict=True)
        ]

    def _of(self, asked: Sequence[str], candidates: Sequence[str]) -> list[Neighbour]:
        known = self._vectors([*asked, *candidates])
        asked, candidates = ([word for word in words if word in known] for words in (asked, candidates))
        if not asked or not candidates:
            return []
        cosines = np.stack([known[word] for word in asked]) @ np.stack([known[word] for word in candidates]).T
        return [
            (word, candidates[place], SHARE * float(own[place]))
            for word, own in zip(asked, cosines, strict=True)
            for place in np.argsort(-own, kind="stable")[:EACH].tolist()
            if own[place] >= LEAST
        ]

    def _vectors(self, words: Sequence[str]) -> dict[str, Floats]:
        """The vector, of length 1, of each word that the model can read alone."""
        with self._lock:
            new = [word for word in words if word not in self._known]
            if len(self._known) + len(new) > REMEMBERED:
                self._known.clear()
                new = list(words)
            readable = []
            for word in new:
                try:
                    readable.append((word, self._model.prepare("text", word)))
                except InputError:
                    self._known[word] = None
            for start in range(0, len(readable), ENCODE_BATCH):
                batch = readable[start : start + ENCODE_BATCH]
                made = self._model.encode("text", [prepared for _, prepared in batch])[self.space]
                assert isinstance(made, Dense)
                lengths = np.linalg.norm(made.values, axis=1, keepdims=True)
                units = made.values / np.maximum(lengths, np.finfo(np.float32).tiny)
                self._known.update(zip((word for word, _ in batch), units, strict=True))
            return {word: vector for word in words if (vector := self._known[word]) is not None}
