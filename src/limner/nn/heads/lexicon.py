"""Lexicon heads: what a tower says of each place or word, as logits of the words of the tokenizer's vocabulary.

    w_v = log(1 + max_p relu(l[p, v])),   l = f(states, whole) W^T + b

LexLIP (card 1, arXiv 2302.02908). f is the transform of a masked language model's head (Devlin et al. 2019), one of its
own for each side, as towers differ in width; the text's is trained as one, too (objectives/lexicon_bottleneck.py). W,
one row a word, is shared. It is not the table that the text tower reads: each step moves every row of W.

f reads a place together with the whole that the vector is made of. The paper's towers are deep enough for each place to
know the others; a small one is not, and what only all places together say ("playing", "three") would have no word. It
also brings a gradient to every place, where the maximum brings it to one a word.

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
from limner.nn.encoders import ImageEncoder, Reading, TextEncoder

SMALL = 0.02
"""Rows are kept small and brought to length 1 by a factor: steps of Adam, all of one size, then turn them faster."""
OWN = 8.0
"""What a text's own word begins with."""
IMAGE_BIAS, TEXT_BIAS = -1.0, -3.0
"""Logits are about normal at first, and the maximum is over dozens of them."""
LENGTH = 4.0
"""Of an exported row. An index keeps weights up to 4 in 255 steps: of such a row none is cut, and no step lies idle.

A score is 16 times the cosine, whichever side asks; calibration takes it as it is.
"""


class Transform(nn.Module):
    """The transform of a masked language model's head, told of the whole beside the state."""

    def __init__(self, width: int, whole: int, into: int) -> None:
        super().__init__()
        self.state, self.whole = nn.Linear(width, into), nn.Linear(whole, into)
        self.norm = nn.LayerNorm(into)

    def forward(self, states: Tensor, whole: Tensor | None = None) -> Tensor:
        """(n, t, width) of n wholes (n, its width), or (k, width) of none -> the same with `into` for the width."""
        x = self.state(states)
        if whole is not None:
            x = x + self.whole(whole)[:, None]
        normed: Tensor = self.norm(F.gelu(x))
        return normed


class LexiconHeads(nn.Module):
    """One head for pictures and one for texts.

    `image`, `text`: the widths of a state and of the whole. `image_words`, `text_words`: how many words an exported row
    keeps.
    """

    def __init__(
        self, image: tuple[int, int], text: tuple[int, int], vocabulary: int, *, image_words: int, text_words: int
    ) -> None:
        super().__init__()
        width, _ = text
        self.vocabulary, self.image_words, self.text_words = vocabulary, image_words, text_words
        self.words = nn.Parameter(SMALL * torch.randn(vocabulary, width))
        self.unit = 1 / (SMALL * width**0.5)
        self.image, self.text = Transform(*image, width), Transform(*text, width)
        self.image_bias, self.text_bias = (
            nn.Parameter(torch.full((vocabulary - FIRST_WORD,), bias)) for bias in (IMAGE_BIAS, TEXT_BIAS)
        )
        self.own = nn.Parameter(torch.tensor(OWN))

    def of_pictures(self, reading: Reading) -> Tensor:
        """(n, V): the greatest logit of each word over all places."""
        logits = self._logits(self.image(reading.states, reading.latent))
        # Not amax, whose gradient costs a CPU twice the time.
        return _all_words(logits.max(1).values, self.image_bias)

    def of_texts(self, reading: Reading, ids: Tensor) -> Tensor:
        """The same over the words of the texts (n, t) that were read."""
        assert reading.mask is not None
        near = self.text(reading.states, reading.latent) + self.own * self.unit * self.words[ids]
        logits = self._logits(near).masked_fill(~reading.mask[..., None], IMPOSSIBLE)
        return _all_words(logits.max(1).values, self.text_bias)

    def guesses(self, states: Tensor) -> Tensor:
        """(k, text width) of hidden words, from their states alone -> (k, V)."""
        return _all_words(self._logits(self.text(states)), self.text_bias)

    def exported_pictures(self, lexicon: Tensor) -> Tensor:
        """(n, V) greatest logits -> what is stored: weights of the heaviest words, rows of length LENGTH."""
        return LENGTH * heaviest_vectors(lexicon, self.image_words)

    def exported_texts(self, lexicon: Tensor) -> Tensor:
        """The same of what asks."""
        return LENGTH * heaviest_vectors(lexicon, self.text_words)

    def _logits(self, near: Tensor) -> Tensor:
        return F.linear(self.unit * near, self.words)


def _all_words(logits: Tensor, bias: Tensor) -> Tensor:
    """(..., V) with the bias of each word; what is no word is IMPOSSIBLE."""
    words = logits[..., FIRST_WORD:].float() + bias
    return torch.cat([torch.full_like(words[..., :FIRST_WORD], IMPOSSIBLE), words], -1)


@dataclass(frozen=True, slots=True)
class Lexicon:
    """Settings of LexiconHeads: the words that an exported vector keeps. In training all weigh in."""

    image_words: int = 32
    text_words: int = 64

    def build(self, image: ImageEncoder, text: TextEncoder, vocabulary: int) -> LexiconHeads:
        """For towers of these widths."""
        return LexiconHeads(
            (image.width, image.latent_width),
            (text.width, text.latent_width),
            vocabulary,
            image_words=self.image_words,
            text_words=self.text_words,
        )
