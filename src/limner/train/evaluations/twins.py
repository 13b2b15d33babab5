"""Near-twins told apart by one fact, by where in the text this fact stands."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from limner.core.errors import InputError
from limner.core.types import Floats
from limner.data.corpus import Corpus
from limner.train.outcome import Measured, Outcome
from limner.train.trained import Trained


@dataclass(frozen=True, slots=True)
class TwinsByPosition:
    """Texts choose between two pictures that differ in one fact: recall@1 by the place of the first word that differs.

    Rows 2 i and 2 i + 1 of the split are twins, each with a text of role "long", which the model reads, and one of
    role "uncut", which tells where the fact stands. A tie counts one half, as where "long" ends before the fact.
    `edges`: words at which buckets begin.
    """

    split: str = "twins"
    edges: tuple[int, ...] = (0, 20, 60)

    def __call__(self, trained: Trained) -> Outcome:
        corpus = trained.corpora.split(self.split)
        read, uncut = (_texts(corpus, role) for role in ("long", "uncut"))
        image = trained.encode_images(corpus)
        text = trained.encode_texts(read)
        won = chosen_right(trained.scores(image, text))
        place = np.array([first_difference(uncut[row], uncut[row ^ 1]) for row in range(len(uncut))])
        outcome = {}
        for start, end in pairwise((*self.edges, None)):
            chosen = (place >= start) & (place < (np.inf if end is None else end))
            if chosen.any():
                words = f"from word {start}" if end is None else f"in words {start}-{end - 1}"
                outcome[f"twins, fact {words}: recall@1"] = Measured.of(won[chosen], np.flatnonzero(chosen) // 2)
        return {**outcome, "twins recall@1": Measured.of(won, np.arange(len(won)) // 2)}


def chosen_right(scores: Floats) -> np.ndarray:
    """(2 p, 2 p) scores, picture by text, of p pairs of twins -> (2 p,): 1 where a text prefers its own, 0.5 a tie."""
    rows = np.arange(len(scores))
    own, other = scores[rows, rows], scores[rows ^ 1, rows]
    return np.where(own == other, 0.5, own > other)


def first_difference(text: str, other: str) -> int:
    """The number of words, from 0, at which they part; the length of the shorter one where none differs before."""
    words, others = text.split(), other.split()
    parted = [one != two for one, two in zip(words, others, strict=False)]
    return parted.index(True) if True in parted else len(parted)


def _texts(corpus: Corpus, role: str) -> list[str]:
    texts = [next((text.text for text in some if text.role == role), None) for some in corpus.texts]
    if None in texts or len(texts) % 2:
        raise InputError(f"{corpus.name}: twins are an even number of pictures, each with a text of role {role!r}")
    return [text for text in texts if text is not None]
