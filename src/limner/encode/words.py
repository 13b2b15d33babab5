"""Words: the texts of items and questions as weighted words, without a model (BM25).

    weight of a word in an item      tf (k1 + 1) / (tf + k1 (1 - b + b length / usual length))
    weight of a word in a question   its idf, log(1 + (n - df + 1/2) / (df + 1/2)), as a share of the question's

so a score is the share of the question that an item's texts hold: about 1 where they hold every word once.
(Robertson et al., TREC-3, 1994; the usual length is a constant, so that a weight stays what it is while a
collection grows.) A word is known by 29 bits of its CRC-32: no dictionary has to be kept, and of a
million different words one in 500 shares its number with another. (Stores elsewhere take no more bits.)
"""

from __future__ import annotations

import re
import unicodedata
import zlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from limner.core.errors import InputError
from limner.core.protocols import Encoder
from limner.core.types import Integers, Modality, Representations, Space, Sparse
from limner.encode.expansion import Expansion, Neighbour

WORDS = Space("words", "sparse", 1 << 29, "dot")
FINGERPRINT = "words-1"
"""Changes whenever the weights of a text would."""

K1, B = 1.2, 0.75
USUAL_LENGTH = 16.0

CERTAINTY = 9.0
"""By so much the log-odds that an item fits are better where its texts hold the whole question, not a word of it.

So it is with captions that ask for what another caption tells (`bench/word_evidence.py`).
"""

Frequency = Callable[[Integers], tuple[Integers, int]]
"""Terms (t,) -> in how many items each occurs, and how many items there are."""

# Words of grammar alone, in the languages that captions come in most; they tell nothing about a picture.
_GRAMMAR_WORDS = """
a an the of in on at to and or with by for from is are be as it its this that there
der die das den dem des ein eine einen einem einer und mit auf im am ist zu von
le la les l un une des du de et avec sur dans est au aux el los las una y con en del
"""
_GRAMMAR = frozenset(_GRAMMAR_WORDS.split())
_WORD = re.compile(r"[^\W_]+")
_UNSEGMENTED = re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]+")
"""Kana and Han: scripts that put no space between words."""


def words_of(text: str) -> list[str]:
    """The words of a text as they are compared: lower case, without grammar and plural s.

    Of scripts without spaces every character and every pair of neighbours is a word.
    """
    found: list[str] = []
    for word in _WORD.findall(unicodedata.normalize("NFKC", text).casefold()):
        start = 0
        for run in _UNSEGMENTED.finditer(word):
            found += _segmented(word[start : run.start()])
            found += [*run[0], *(one + other for one, other in zip(run[0], run[0][1:], strict=False))]
            start = run.end()
        found += _segmented(word[start:])
    return found


def term_of(word: str) -> int:
    return zlib.crc32(word.encode()) >> 3


def weigh_items(texts: Sequence[Sequence[str]]) -> Sparse:
    """The words of n items, each with any number of texts."""

    def weights(counts: Counter[str]) -> Iterator[tuple[int, float]]:
        length = 1 - B + B * counts.total() / USUAL_LENGTH
        return ((term_of(word), count * (K1 + 1) / (count + K1 * length)) for word, count in counts.items())

    return _rows([weights(Counter(word for text in own for word in words_of(text))) for own in texts])


def weigh_questions(texts: Sequence[str], frequency: Frequency) -> Sparse:
    """The words of n questions, weighted so that those of each add up to 1."""
    counted = _rows([[(term_of(word), 1.0) for word in words_of(text)] for text in texts])
    return as_shares(counted, frequency)


def as_shares(words: Sparse, frequency: Frequency) -> Sparse:
    """The words of n texts or items by their rarity, those of each adding up to 1: an item as a question."""
    holding, items = frequency(words.indices)
    values = words.values * np.log1p((items - holding + 0.5) / (holding + 0.5))
    owner = np.repeat(np.arange(len(words)), np.diff(words.indptr))
    total = np.bincount(owner, values, minlength=len(words))
    return Sparse(words.indptr, words.indices, (values / total[owner]).astype(np.float32), WORDS.size)


class WithWords:
    """A model and the words of its questions as one encoder: implements `core.protocols.Encoder`.

    The words of an item come from what is written about it, not from its pixels: see `weigh_items`. With an
    `expansion` a text asks for words like its own, too, which are called with a ~ before them.
    """

    def __init__(self, model: Encoder, frequency: Frequency, expansion: Expansion | None = None) -> None:
        if WORDS.name in model.spaces:
            raise InputError(f"a model's space cannot be called {WORDS.name}: that is the space of written words")
        self._model, self._frequency, self._expansion = model, frequency, expansion
        self.spaces: Mapping[str, Space] = {**model.spaces, WORDS.name: WORDS}
        self._asked: dict[int, str] = {}
        """The words that this encoder was asked for, by their terms."""

    @property
    def fingerprint(self) -> str:
        return self._model.fingerprint

    @property
    def modalities(self) -> frozenset[Modality]:
        return self._model.modalities

    @property
    def picture_side(self) -> int:
        return self._model.picture_side

    def prepare(self, modality: Modality, content: Any) -> Any:
        return self._model.prepare(modality, content), content if modality == "text" else ""

    def encode(self, modality: Modality, prepared: Sequence[Any]) -> Representations:
        features = self._model.encode(modality, [one for one, _ in prepared])
        texts = [text for _, text in prepared]
        self._asked.update((term_of(word), word) for text in texts for word in words_of(text))
        questions = weigh_questions(texts, self._frequency)
        if self._expansion is not None and modality == "text":
            near = self._expansion.neighbours([words_of(text) for text in texts], features[self._expansion.space])
            questions = _expanded(questions, near)
            for _, word, _ in (one for own in near for one in own):
                self._asked.setdefault(term_of(word), f"~{word}")
        return {**features, WORDS.name: questions}

    def word(self, space: str, term: int) -> str:
        return self._asked.get(term, str(term)) if space == WORDS.name else self._model.word(space, term)

    def pieces(self, text: str) -> list[str]:
        return self._model.pieces(text)

    @property
    def grid(self) -> tuple[int, ...] | None:
        return self._model.grid

    def calibrate(self, space: str, question: Modality, scores: Any) -> Any:
        if space != WORDS.name:
            return self._model.calibrate(space, question, scores)
        # That nothing is written about a picture speaks neither for it nor against it.
        return 1 / (1 + np.exp(-CERTAINTY * np.asarray(scores)))


def _expanded(questions: Sparse, near: Sequence[Sequence[Neighbour]]) -> Sparse:
    """The questions with the neighbours of each added to it."""
    rows = []
    for row, own in enumerate(near):
        words = slice(questions.indptr[row], questions.indptr[row + 1])
        asked = dict(zip(questions.indices[words].tolist(), questions.values[words].tolist(), strict=True))
        added = [(term_of(neighbour), share * asked[term_of(word)]) for word, neighbour, share in own]
        rows.append([*asked.items(), *added])
    return _rows(rows)


def _segmented(word: str) -> list[str]:
    if not word or word in _GRAMMAR:
        return []
    plural = len(word) > 3 and word.isascii() and word.endswith("s") and not word.endswith(("ss", "us", "is"))
    return [word[:-1] if plural else word]


def _rows(rows: Sequence[Iterable[tuple[int, float]]]) -> Sparse:
    """Each row's (term, weight) pairs, the weights of one term added up."""
    terms: list[int] = []
    weights: list[float] = []
    offsets = [0]
    for row in rows:
        summed: defaultdict[int, float] = defaultdict(float)
        for term, weight in row:
            summed[term] += weight
        terms += summed.keys()
        weights += summed.values()
        offsets.append(len(terms))
    return Sparse(np.array(offsets, np.int64), np.array(terms, np.int64), np.array(weights, np.float32), WORDS.size)
