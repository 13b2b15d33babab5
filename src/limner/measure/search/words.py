"""Weighted words: long documents as a learned sparse encoder weighs them, and pictures with their few words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from limner.core.types import Floats, Integers, Kind, Representation, Sparse
from limner.measure.search.workload import Workload, power_law

VOCABULARY = 30_522
"""Words of BERT's vocabulary, which sparse encoders use."""

_SHAPE, _ITEMS, _QUERIES = range(3)
_STEPS = 1 << 20
"""Resolution of the tables from which words are drawn."""


@dataclass(frozen=True)
class WeightedWords(Workload):
    """Rows of weighted words over one vocabulary, with topics: items of a topic share their words.

    The frequency of words follows Zipf's law, inside of a topic with words of its own; weights are log-normal, and
    rarer words weigh more. Queries ask for some of the heaviest words of an item: with weights, or, where
    `bare_queries`, as bare words of weight 1.
    """

    words_in_use: int = VOCABULARY
    weights_an_item: int = 119
    words_a_topic: int = 800
    items_a_topic: int = 1000
    topical: float = 0.6
    """Share of words that come from the item's topic."""
    exponent: float = 1.0
    """Of Zipf's law."""
    offset: float = 12
    """Added to the rank there (Mandelbrot): how much the most frequent words are alike."""
    query_terms: tuple[tuple[int, int], ...] = ((12, 12), (40, 40))
    """Fewest and most words of a query, for each set of queries."""
    bare_queries: bool = False

    kind: ClassVar[Kind] = "sparse"

    @property
    def name(self) -> str:  # type: ignore[override]
        return "picture words" if self.bare_queries else "documents"

    def block(self, number: int, rows: int) -> Sparse:
        rng = self.generator(_ITEMS, number)
        topic = np.searchsorted(self._topic_until, rng.random(rows))
        # Drawn words repeat, so some more are drawn than are kept.
        drawn = 2 * self.weights_an_item
        general = self._frequent[rng.integers(_STEPS, size=(rows, drawn), dtype=np.int32)]
        place = self._place_in_topic[rng.integers(_STEPS, size=(rows, drawn), dtype=np.int32)]
        from_topic = rng.random((rows, drawn), np.float32) < self.topical
        words = np.where(from_topic, self._topics[topic[:, None], place], general)
        wanted = np.rint(self.weights_an_item * rng.lognormal(-0.02, 0.2, rows)).clip(1, drawn)
        owner, kept = _first_different(words, wanted.astype(np.int64))
        weights = rng.lognormal(0, 0.5, len(kept)).astype(np.float32) * self._importance[kept]
        indptr = np.concatenate([[0], np.cumsum(np.bincount(owner, minlength=rows))])
        return Sparse(indptr, kept, weights.clip(0.02, 4), VOCABULARY)

    def queries(self, items: Representation) -> Mapping[str, Sparse]:
        assert isinstance(items, Sparse)
        sets = {}
        for number, (fewest, most) in enumerate(self.query_terms):
            rng = self.generator(_QUERIES, number)
            asked = items.take(np.sort(rng.choice(len(items), self.query_count)))
            name = f"{most} terms" if fewest == most else f"{fewest} to {most} terms"
            sets[name] = self._asking(rng, asked, rng.integers(fewest, most + 1, self.query_count))
        return sets

    def _asking(self, rng: np.random.Generator, items: Sparse, counts: Integers) -> Sparse:
        """One query for each item, of so many of its words: the heavier one is, the likelier."""
        words, weights, indptr = [], [], [0]
        for row, count in enumerate(counts):
            entries = slice(items.indptr[row], items.indptr[row + 1])
            blurred = items.values[entries] * rng.lognormal(0, 0.5, entries.stop - entries.start)
            chosen = np.sort(np.argsort(-blurred)[:count])
            words.append(items.indices[entries][chosen])
            weights.append(np.ones(len(chosen)) if self.bare_queries else blurred[chosen].clip(0.02, 4))
            indptr.append(indptr[-1] + len(chosen))
        return Sparse(np.array(indptr), np.concatenate(words), np.concatenate(weights).astype(np.float32), VOCABULARY)

    @cached_property
    def _word_of_rank(self) -> npt.NDArray[np.int32]:
        """(words in use,) the words, most frequent first; a word's number says nothing about it."""
        return self.generator(_SHAPE, 0).permutation(VOCABULARY)[: self.words_in_use].astype(np.int32)

    @cached_property
    def _frequent(self) -> npt.NDArray[np.int32]:
        """A table in which each word stands as often as it is frequent."""
        ranks = _table(power_law(self.words_in_use, self.exponent, self.offset))
        words: npt.NDArray[np.int32] = self._word_of_rank[ranks]
        return words

    @cached_property
    def _place_in_topic(self) -> npt.NDArray[np.int32]:
        return _table(power_law(self.words_a_topic, self.exponent, self.offset))

    @cached_property
    def _topics(self) -> npt.NDArray[np.int32]:
        """(topics, words a topic): the words of each, frequent words being in many topics."""
        count = max(2, self.n // self.items_a_topic)
        until = np.cumsum(power_law(self.words_in_use, self.exponent / 2, self.offset))
        drawn = self.generator(_SHAPE, 1).random((count, self.words_a_topic)) * until[-1]
        words: npt.NDArray[np.int32] = self._word_of_rank[np.searchsorted(until, drawn).clip(0, self.words_in_use - 1)]
        return words

    @cached_property
    def _topic_until(self) -> npt.NDArray[np.float64]:
        until = np.cumsum(power_law(len(self._topics), 0.7))
        until[-1] = 1
        return until

    @cached_property
    def _importance(self) -> Floats:
        """(vocabulary,) factor of a word's weights: from a third for the most frequent to 1 for the rarest."""
        factor = np.ones(VOCABULARY, np.float32)
        rank = np.arange(self.words_in_use)
        factor[self._word_of_rank] = 1 / 3 + 2 / 3 * np.log1p(rank) / np.log(self.words_in_use)
        return factor


def documents(n: int, seed: int = 0) -> WeightedWords:
    """Long texts: about 119 weights each, all of the vocabulary in use, queries of 12 and of 40 weighted words."""
    return WeightedWords(n, seed)


def picture_words(n: int, seed: int = 0) -> WeightedWords:
    """Pictures as a lexicon head sees them after top-k: about 20 of 3,000 words each, queries of 5 to 10 bare words."""
    return WeightedWords(
        n,
        seed,
        words_in_use=3000,
        weights_an_item=20,
        words_a_topic=60,
        query_terms=((5, 10),),
        bare_queries=True,
    )


def _table(probabilities: npt.NDArray[np.float64]) -> npt.NDArray[np.int32]:
    """(_STEPS,) numbers, each standing there in proportion to its probability."""
    middles = (np.arange(_STEPS) + 0.5) / _STEPS
    return np.searchsorted(np.cumsum(probabilities), middles).clip(0, len(probabilities) - 1).astype(np.int32)


def _first_different(words: npt.NDArray[np.int32], wanted: Integers) -> tuple[Integers, Integers]:
    """(row, word) of the first `wanted` different words of each row, or of all there are; words ascending in a row."""
    columns = words.shape[1]
    # One number for word and place: sorting it puts the first of equal words first.
    keyed = words.astype(np.int64) * columns + np.arange(columns)
    keyed.sort(axis=1)
    sorted_words, place = keyed // columns, keyed % columns
    different = np.ones(words.shape, np.bool_)
    different[:, 1:] = sorted_words[:, 1:] != sorted_words[:, :-1]
    # Of each row, the places of its different words in order of drawing: the last one that is wanted sets the limit.
    order = np.sort(np.where(different, place, columns), axis=1)
    limit = np.take_along_axis(order, wanted.clip(1, columns)[:, None] - 1, axis=1)
    owner, column = np.nonzero(different & (place <= limit))
    return owner, sorted_words[owner, column]
