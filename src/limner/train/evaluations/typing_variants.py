"""Questions as people type them in a script without spaces: spaces all the same, other punctuation, a slip."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

import numpy as np

from limner.eval.metrics import Recall
from limner.train.evaluations.retrieval import ranked
from limner.train.evaluations.token_search import scores_by_tokens, texts_in, with_tokens
from limner.train.outcome import Measured, Outcome
from limner.train.trained import Trained


def spaced(text: str, rng: Random) -> str:
    """A space behind about every third character, punctuation of the other width."""
    return "".join(one + " " * (rng.random() < 1 / 3) for one in unicodedata.normalize("NFKC", text))


def unpunctuated(text: str, rng: Random) -> str:
    return "".join(one for one in text if not unicodedata.category(one).startswith("P"))


def one_left_out(text: str, rng: Random) -> str:
    place = rng.randrange(len(text))
    return text[:place] + text[place + 1 :]


VARIANTS: dict[str, Callable[[str, Random], str]] = {
    "as written": lambda text, rng: text,
    "typed with spaces": spaced,
    "typed without punctuation": unpunctuated,
    "typed with a character left out": one_left_out,
}


@dataclass(frozen=True, slots=True)
class TypingVariants:
    """Text-to-image recall@1 by tokens with the texts of `language`, as they are written and otherwise typed."""

    language: str = "zh"
    split: str = "test"

    def __call__(self, trained: Trained) -> Outcome:
        corpus = trained.corpora.split(self.split)
        texts = texts_in(corpus, self.language)
        owner = np.array([row for row, _ in texts])
        right = owner[:, None] == np.arange(len(corpus))[None, :]
        images = with_tokens(trained, trained.encode_images(corpus))
        outcome = {}
        for name, change in VARIANTS.items():
            typed = [change(text, Random(f"{name} {row}")) for row, (_, text) in enumerate(texts)]
            scores = scores_by_tokens(images, with_tokens(trained, trained.encode_texts(typed)))[1]
            found = ranked(scores, right, (Recall(1),))["recall@1"]
            outcome[f"{name}: text-to-image recall@1 by tokens"] = Measured.of(found, owner)
        return outcome
