"""What search by tokens costs beside search by one vector: bytes a picture, time a question."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from limner.core.types import Floats
from limner.nn.blocks.tokens import word_mask
from limner.train.evaluations.token_search import with_tokens
from limner.train.outcome import Measured, Outcome
from limner.train.trained import Trained


@dataclass(frozen=True, slots=True)
class TokenCost:
    """Bytes of a picture as float16 tokens, as int8 tokens with a float16 scale each, and as one float32 vector; the
    median time of one thread, in ms, that scores all pictures of a split for one of its first `asked` texts."""

    split: str = "test"
    asked: int = 100

    def __call__(self, trained: Trained) -> Outcome:
        corpus = trained.corpora.split(self.split)
        images = with_tokens(trained, trained.encode_images(corpus))
        asked = [some[0].text for some in corpus.texts if some][: self.asked]
        texts = with_tokens(trained, trained.encode_texts(asked))
        tokens = np.ascontiguousarray(images.tokens.cpu().numpy())
        real = word_mask(texts).cpu()
        words = [one[kept].cpu().numpy() for one, kept in zip(texts.tokens, real, strict=True)]
        vectors, questions = images.vectors.cpu().numpy(), texts.vectors.cpu().numpy()
        _, count, dimension = tokens.shape
        return {
            "bytes a picture, tokens": Measured.of(2 * count * dimension),
            "bytes a picture, tokens of one byte": Measured.of(count * (dimension + 2)),
            "bytes a picture, vector": Measured.of(4 * dimension),
            "ms a question, tokens": Measured.of(median_ms(lambda row: max_sim(words[row], tokens), len(words))),
            "ms a question, vector": Measured.of(median_ms(lambda row: vectors @ questions[row], len(words))),
        }


def max_sim(words: Floats, tokens: Floats) -> Floats:
    """Words (t, d) of a question, tokens (n, p, d) -> (n,): the mean over the words of the best token."""
    products = (tokens.reshape(-1, tokens.shape[-1]) @ words.T).reshape(*tokens.shape[:2], len(words))
    scores: Floats = products.max(1).mean(1)
    return scores


def median_ms(answer: Callable[[int], object], questions: int) -> float:
    """Of the processor time of this thread."""
    spent = []
    for row in range(questions):
        began = time.thread_time()
        answer(row)
        spent.append(time.thread_time() - began)
    return 1000 * statistics.median(spent)
