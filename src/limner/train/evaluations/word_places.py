"""Which place of its picture each word likes best, and which words win the places: what token-wise matching learns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from limner.core.features import Encoded
from limner.nn.blocks.tokens import word_mask
from limner.train.evaluations.matched_words import on_their_object, words_of
from limner.train.evaluations.token_search import with_tokens
from limner.train.outcome import Measured, Outcome
from limner.train.trained import Trained


@dataclass(frozen=True, slots=True)
class WordPlaces:
    """ "words on their object": the share of the words naming a colour or a shape, one token each, whose best place is
    one of an object that has it; where tokens are no places, the place that weighs most in the best token. As
    `MatchedWords`, but that words may share a place, as they do in a search.

    "words that win a place": the share of a text's words that some place of its picture likes best. Where a few words
    win them all, they have become hubs, and the score of a picture that asks has collapsed.
    """

    split: str = "test"

    def __call__(self, trained: Trained) -> Outcome:
        corpus = trained.corpora.split(self.split)
        owner, texts, words = words_of(trained, corpus)
        images = trained.encode_images(corpus)
        tokens = with_tokens(trained, images).tokens.cpu()[torch.from_numpy(owner)]
        scores = words.tokens @ tokens.transpose(1, 2)
        chosen = place_of_token(trained, images)[owner[:, None], scores.argmax(-1).numpy()]
        found = on_their_object(trained, corpus, owner, texts, chosen, images.states.shape[1], "words")
        return {**found, "words that win a place": Measured.of(winners(scores, words), owner)}


@torch.no_grad()
def place_of_token(trained: Trained, images: Encoded) -> np.ndarray:
    """(n, tokens): the place that each token of a picture is of, or mostly of."""
    reducer = trained.model.image.reducer
    if reducer is None:
        return np.tile(np.arange(images.states.shape[1]), (len(images.states), 1))
    return reducer.maps(images.states).argmax(-1).cpu().numpy()


def winners(scores: Tensor, words: Encoded) -> np.ndarray:
    """(m,): scores (m, words, places) of each text with its own picture -> the share of its words that win a place."""
    real = word_mask(words)
    best = scores.masked_fill(~real[:, :, None], -torch.inf).argmax(1)
    won = torch.zeros_like(real).scatter_(1, best, True)
    return ((won & real).sum(1) / real.sum(1).clamp(min=1)).numpy()
