"""Lexicon heads: what a tower says of each place or word, as logits of the words of the tokenizer's vocabulary.

    w_v = log(1 + max_p relu(l[p, v])),   l = f(states) W^T + b

LexLIP (card 1, arXiv 2302.02908). f is the transform of a masked language model's head (Devlin et al. 2019), one of its
own for each side, as towers differ in width; the text's is trained as one, too (objectives/lexicon_bottleneck.py). W,
one row a word, is shared. It is not the table that the text tower reads: each step moves every row of W.

The paper begins at a BERT that names the words it reads. A tower with new weights does not, and words that stand for
anything are slow to get their meaning back. So the text's f adds the row of the word itself, by a factor that is
learned, and the biases begin below zero: a text begins as its own words and little else.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from limner.nn.blocks.word_weights import FIRST_WORD, IMPOSSIBLE, heaviest_vectors

SMALL = 0.02
"""Rows are kept small and brought to length 1 by a factor: steps of Adam, all of one size, then turn them faster."""
OWN = 8.0
"""What a text's own word begins with."""
IMAGE_BIAS, TEXT_BIAS = -1.0, -3.0
"""Logits are about normal at first, and the maximum is over dozens of them."""


class LexiconHeads(nn.Module):
    """One head for pictures and one for texts. `image_words`, `text_words`: how many an exported vector keeps."""

    def __init__(
        self, image_width: int, text_width: int, vocabulary: int, *, image_words: int, text_words: int
    ) -> None:
        super().__init__()
        self.vocabulary, self.image_words, self.text_words = vocabulary, image_words, text_words
        self.words = nn.Parameter(SMALL * torch.randn(vocabulary, text_width))
        self.unit = 1 / (SMALL * text_width**0.5)
        self.image, self.text = (
            nn.Sequential(nn.Linear(width, text_width), nn.GELU(), nn.LayerNorm(text_width))
            for width in (image_width, text_width)
        )
        self.image_bias, self.text_bias = (
            nn.Parameter(torch.full((vocabulary - FIRST_WORD,), bias)) for bias in (IMAGE_BIAS, TEXT_BIAS)
        )
        self.own = nn.Parameter(torch.tensor(OWN))

    def of_pictures(self, states: Tensor) -> Tensor:
        """(n, t, image width) -> (n, V): the greatest logit of each word over all places."""
        return _whole(self._logits(self.image(states)).max(1).values, self.image_bias)

    def of_texts(self, states: Tensor, mask: Tensor, ids: Tensor) -> Tensor:
        """(n, t, text width), (n, t) True where a word is real, (n, t) -> (n, V)."""
        logits = self._logits(self.text(states) + self.own * self.unit * self.words[ids])
        # Not amax, whose gradient costs a CPU twice the time.
        return _whole(logits.masked_fill(~mask[..., None], IMPOSSIBLE).max(1).values, self.text_bias)

    def guesses(self, states: Tensor) -> Tensor:
        """(k, text width) of hidden words -> (k, V)."""
        return _whole(self._logits(self.text(states)), self.text_bias)

    def exported_pictures(self, lexicon: Tensor) -> Tensor:
        """(n, V) greatest logits -> what is stored: weights of the heaviest words, as vectors of length 1."""
        return heaviest_vectors(lexicon, self.image_words)

    def exported_texts(self, lexicon: Tensor) -> Tensor:
        """The same of what asks."""
        return heaviest_vectors(lexicon, self.text_words)

    def _logits(self, near: Tensor) -> Tensor:
        return F.linear(self.unit * near, self.words)


def _whole(logits: Tensor, bias: Tensor) -> Tensor:
    """(..., V) with the bias of each word; what is no word is IMPOSSIBLE."""
    words = logits[..., FIRST_WORD:].float() + bias
    return torch.cat([torch.full_like(words[..., :FIRST_WORD], IMPOSSIBLE), words], -1)


@dataclass(frozen=True, slots=True)
class Lexicon:
    """Settings of LexiconHeads: the words that an exported vector keeps. In training all weigh in."""

    image_words: int = 32
    text_words: int = 64

    def build(self, image_width: int, text_width: int, vocabulary: int) -> LexiconHeads:
        return LexiconHeads(
            image_width, text_width, vocabulary, image_words=self.image_words, text_words=self.text_words
        )
