"""Search by the tokens of pictures and texts: all pairs, in two stages, and with tokens of one byte a number."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from limner.core.errors import InputError
from limner.core.features import Encoded
from limner.core.types import Floats
from limner.data.corpus import Corpus
from limner.eval.metrics import Recall, Success
from limner.nn.blocks.tokens import token_scores
from limner.train.evaluations.reranking import reordered
from limner.train.evaluations.retrieval import ranked
from limner.train.outcome import Measured, Outcome
from limner.train.trained import Trained

CUTS = (1, 5, 10)
ALL, IN_TWO = "all pairs", "in two stages"


@dataclass(frozen=True, slots=True)
class TokenSearch:
    """Recall in both directions by the token-wise maximum similarity, each by the score of the side that asks.

    "in two stages": the cosine of the vectors finds `depth` pictures, the tokens order them; "first is that of all":
    whether the best picture is then the one that all pairs give. "one byte": the tokens of pictures are kept as int8
    with a scale for each. `language`: only such texts ask. A model that was not
    trained on tokens is asked for them all the same.
    """

    depth: int = 200
    split: str = "test"
    language: str = ""

    def __call__(self, trained: Trained) -> Outcome:
        corpus = trained.corpora.split(self.split)
        texts = texts_in(corpus, self.language)
        owner = np.array([row for row, _ in texts])
        images = with_tokens(trained, trained.encode_images(corpus))
        words = with_tokens(trained, trained.encode_texts([text for _, text in texts]))
        right = owner[:, None] == np.arange(len(corpus))[None, :]
        pictures_ask, texts_ask = scores_by_tokens(images, words)
        vectors = (words.vectors @ images.vectors.T).cpu().numpy()
        two = reordered(vectors, texts_ask, self.depth)
        small = scores_by_tokens(images.replace(tokens=of_one_byte(images.tokens)), words)[1]
        asked = np.flatnonzero(right.any(0))
        back = ranked(pictures_ask[:, asked].T, right.T[asked], tuple(map(Success, CUTS)))
        return {
            **_found("tokens", texts_ask, right, owner),
            **_found("tokens in two stages", two, right, owner),
            **_found("tokens of one byte", small, right, owner),
            **{f"image-to-text {name} by tokens": Measured.of(values) for name, values in back.items()},
            "first by tokens in two stages is that of all": Measured.of(two.argmax(1) == texts_ask.argmax(1), owner),
            "first by tokens of all is that of all": Measured.of(np.ones(len(owner)), owner),
        }


def texts_in(corpus: Corpus, language: str) -> list[tuple[int, str]]:
    """Row of the picture and text, for every text of a language; empty: of any. Raises InputError for none."""
    texts = [(row, one.text) for row, some in enumerate(corpus.texts) for one in some if language in ("", one.language)]
    if not texts:
        raise InputError(f"{corpus.name}: no text in language {language!r} to ask with")
    return texts


def _found(by: str, scores: Floats, right: np.ndarray, owner: np.ndarray) -> Outcome:
    values = ranked(scores, right, tuple(map(Recall, CUTS)))
    return {f"text-to-image {name} by {by}": Measured.of(found, owner) for name, found in values.items()}


@torch.no_grad()
def with_tokens(trained: Trained, encoded: Encoded) -> Encoded:
    """Tokens also of a model that was not trained on them. Texts are told from pictures by their mask."""
    if encoded.tokens is not None:
        return encoded
    encoder = trained.model.image if encoded.mask is None else trained.model.text
    return encoded.replace(tokens=encoder.tokens(encoded.states))


@torch.no_grad()
def scores_by_tokens(images: Encoded, texts: Encoded) -> tuple[Floats, Floats]:
    """(m texts, n pictures) as pictures ask and as texts ask (see `token_scores`)."""
    pictures_ask, texts_ask = token_scores(images, texts)
    return pictures_ask.T.cpu().numpy(), texts_ask.T.cpu().numpy()


def of_one_byte(tokens: Tensor) -> Tensor:
    """(n, t, d) -> what is left of it when each vector is stored as int8 and one scale."""
    scale = tokens.abs().amax(-1, keepdim=True).clamp(min=1e-12) / 127
    return (tokens / scale).round().to(torch.int8) * scale
