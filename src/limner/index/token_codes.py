"""TokenCodes: a shortlist by MaxSim from compressed tokens, for spaces with many vectors an item.

A token is the number of the nearest of K centroids and a residual of little more than a bit a dimension (ColBERTv2,
arXiv 2112.01488). A search has three steps, each with fewer items:

1. The centroids most similar to each vector of the query are probed: the items of their postings get the similarity
   of the centroid, the others that of the best centroid not probed (PLAID, arXiv 2205.09707; XTR, arXiv 2304.01982).
   What the centroids leave out of an item, on average over its tokens, is added. So an item is found by a small thing
   in it, which the mean of its tokens would hide, and by what sets it apart in a dense neighbourhood, which the
   centroids hide.
2. MaxSim over the compressed tokens of the best candidates; tokens of centroids not probed cannot win and are left out.
3. The caller scores the shortlist exactly, from the vectors themselves (`maxsim.maxsim`).

How many centroids, candidates and items of the shortlist are needed for a recall is measured when the structure is
built (`token_effort`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from limner.core.errors import InputError
from limner.core.types import Floats, Integers, Tokens
from limner.index.maxsim import Allowed
from limner.index.token_effort import Effort, choose, learn
from limner.index.token_training import SUBVECTOR, nearest, padded, single, train

Arrays = dict[str, npt.NDArray[Any]]

POOLED_FROM = 8
"""From so many tokens an item on average the mean residual is kept: a byte a dimension and item.

Where an item has few, its tokens are compared one by one in less time.
"""

_BLOCK = 4096
"""So many tokens are decompressed at a time: 2 MB at 128-d."""


class TokenCodes:
    """The compressed tokens of n items, ready to search. Safe to search from several threads."""

    def __init__(self, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        self._arrays = arrays
        self._centroids: Floats = arrays["centroids"]
        self._offsets: Integers = arrays["offsets"]
        self._code_words: Floats = arrays["code_words"]
        self._posting_starts: Integers = arrays["posting_starts"]
        self._pooled_scale = float(arrays["pooled_scale"][0])
        self._filled = np.diff(self._offsets) > 0
        self._first_words = np.arange(arrays["codes"].shape[1]) * 256

    def __len__(self) -> int:
        return len(self._offsets) - 1

    @property
    def centroid_count(self) -> int:
        return len(self._centroids)

    @property
    def tokens_per_item(self) -> float:
        return int(self._offsets[-1]) / max(1, len(self))

    @staticmethod
    def build(blocks: Sequence[Tokens]) -> Arrays:
        """Arrays for `TokenCodes` from the items of all blocks, in order; values float16 or float32.

        Reads all tokens twice and samples of them, block by block. Raises InputError where there is no token at all.
        """
        offsets = _joined_offsets(blocks)
        if not offsets[-1]:
            raise InputError("there are no tokens to compress; search these items exactly")
        centroids, code_words = train(blocks)
        codes, token_centroids, pooled = _compress(blocks, offsets, centroids, code_words)
        starts, postings = _postings(token_centroids, offsets, len(centroids))
        scale = np.abs(pooled).max(initial=0) / 127 or 1.0
        arrays: Arrays = {
            "offsets": offsets,
            "centroids": centroids,
            "code_words": code_words,
            "codes": codes,
            "token_centroids": token_centroids,
            "posting_starts": starts,
            "postings": postings,
            "pooled": np.rint(pooled / scale).astype(np.int8),
            "pooled_scale": np.array([scale], np.float32),
        }
        arrays["effort"] = learn(TokenCodes(arrays), blocks)
        return arrays

    def search(
        self, query: Floats, count: int, allowed: Allowed | None = None, recall: float = 0.95
    ) -> tuple[Integers, Floats]:
        """A shortlist that holds the exact `count` best items but for a share of 1 - `recall`, on average.

        `query` (a, d); `allowed` (n,): which rows may be found. Returns rows, and approximate scores, best first: at
        least `count` while so many allowed items have tokens, and more where the recall needs it.
        """
        if query.ndim != 2 or not len(query) or query.shape[1] != self._centroids.shape[1]:
            raise InputError(f"query: needs (a, {self._centroids.shape[1]}) with a >= 1, not {query.shape}")
        if count < 1:
            raise InputError(f"count is {count}; it must be at least 1")
        effort = choose(self._arrays["effort"], len(query), count, recall)
        query = np.ascontiguousarray(query, np.float32)
        similarities = self.similarities(query)
        rows, _, probed = self.candidates(query, similarities, allowed, effort)
        scores = self.compressed_scores(query, similarities, rows, probed)
        rows, scores = _cut(rows, scores, effort.shortlist)
        order = np.argsort(-scores, kind="stable")
        return rows[order], scores[order]

    def similarities(self, query: Floats) -> Floats:
        """Of each vector of the query to each centroid: (a, K)."""
        return query @ self._centroids.T

    def candidates(
        self, query: Floats, similarities: Floats, allowed: Allowed | None, effort: Effort
    ) -> tuple[Integers, Floats, Allowed | None]:
        """Step 1: rows that may be among the best, ascending; what speaks for each; which centroids were probed."""
        eligible = self._filled if allowed is None else self._filled & allowed
        available = int(np.count_nonzero(eligible))
        if available <= effort.candidates:
            return np.flatnonzero(eligible), np.zeros(available, np.float32), None
        # The fewer may be found, the farther they are: as many of them are met as without a filter.
        probes = min(self.centroid_count, effort.probes * len(self) // available)
        scores, floor, probed = self._item_scores(query, similarities, probes)
        scores[~eligible] = -np.inf
        rows = np.flatnonzero(scores > floor)
        if len(rows) < effort.shortlist:
            rows = np.flatnonzero(eligible)
        return *_cut(rows, scores[rows], effort.candidates), probed

    def _item_scores(self, query: Floats, similarities: Floats, probes: int) -> tuple[Floats, float, Allowed]:
        """Scores (n,), the score of items that no probe met, and which centroids were probed (K,)."""
        n, total = len(self), np.zeros(len(self), np.float32)
        floor, probed = np.float32(0), np.zeros(len(self._centroids), np.bool_)
        postings, starts = self._arrays["postings"], self._posting_starts
        for similarity in similarities:
            order, missed = _nearest_last(similarity, probes)
            # Ascending, as the last of several values at one place is the one that stays.
            members = np.concatenate([postings[starts[one] : starts[one + 1]] for one in order])
            scores = np.full(n, missed)
            scores[members] = np.repeat(similarity[order], starts[order + 1] - starts[order])
            total += scores
            floor += missed
            probed[order] = True
        pooled = self._arrays["pooled"]
        if not len(pooled):
            return total, float(floor), probed
        summed = query.sum(axis=0) * np.float32(self._pooled_scale)
        for start in range(0, n, _BLOCK):
            total[start : start + _BLOCK] += pooled[start : start + _BLOCK].astype(np.float32) @ summed
        return total, -np.inf, probed

    def compressed_scores(self, query: Floats, similarities: Floats, rows: Integers, probed: Allowed | None) -> Floats:
        """Step 2: the score (m,) of these rows, which have tokens, over compressed tokens of probed centroids."""
        if not len(rows):
            return np.empty(0, np.float32)
        tokens, lengths = self.probed_tokens(rows, probed)
        products = similarities.T[self._arrays["token_centroids"][tokens]]
        wide = padded(query).T
        for start in range(0, len(tokens), _BLOCK):
            part = slice(start, start + _BLOCK)
            products[part] += self._residuals(tokens[part]) @ wide
        scores: Floats = np.maximum.reduceat(products, np.cumsum(lengths) - lengths, axis=0).sum(axis=1)
        return scores

    def probed_tokens(self, rows: Integers, probed: Allowed | None) -> tuple[Integers, Integers]:
        """The tokens of these rows whose centroids were probed, and how many each row has; all of a row if none was."""
        lengths = self._offsets[rows + 1] - self._offsets[rows]
        starts = np.cumsum(lengths) - lengths
        tokens = np.arange(lengths.sum()) + np.repeat(self._offsets[rows] - starts, lengths)
        if probed is None:
            return tokens, lengths
        kept = probed[self._arrays["token_centroids"][tokens]]
        counts = np.add.reduceat(kept, starts, dtype=np.int64)
        kept |= np.repeat(counts == 0, lengths)
        return tokens[kept], np.where(counts == 0, lengths, counts)

    def cost(self, vectors: int, effort: Effort, tokens: float) -> float:
        """Nanoseconds, roughly, of a search that compares so many tokens: what was measured on one machine."""
        postings: int = len(self._arrays["postings"])
        meeting = vectors * (2 * effort.probes * postings / self.centroid_count + 0.5 * len(self))
        comparing = 10 * effort.candidates * self.tokens_per_item + tokens * (100 + 3 * vectors)
        exact = effort.shortlist * (10_000 + self.tokens_per_item * self._centroids.shape[1] * 2)
        return float(meeting + comparing + exact)

    def _residuals(self, tokens: Integers) -> Floats:
        words = self._arrays["codes"][tokens] + self._first_words
        return self._code_words.take(words, axis=0).reshape(len(tokens), -1)


def _nearest_last(similarity: Floats, probes: int) -> tuple[Integers, np.float32]:
    """The `probes` most similar centroids, the nearest last, and the similarity of the best of the others."""
    if probes >= len(similarity):
        order = np.argsort(similarity, kind="stable")
        return order, similarity[order[0]]
    order = np.argpartition(similarity, -probes - 1)[-probes - 1 :]
    order = order[np.argsort(similarity[order], kind="stable")]
    return order[1:], similarity[order[0]]


def _cut(rows: Integers, scores: Floats, count: int) -> tuple[Integers, Floats]:
    """The best `count` of ascending rows, ascending still; of equals the smaller rows."""
    if len(rows) <= count:
        return rows, scores
    floor = np.partition(scores, len(rows) - count)[len(rows) - count]
    kept = scores > floor
    kept[np.flatnonzero(scores == floor)[: count - np.count_nonzero(kept)]] = True
    return rows[kept], scores[kept]


def _joined_offsets(blocks: Sequence[Tokens]) -> Integers:
    lengths = [np.diff(block.offsets) for block in blocks]
    return np.concatenate([[0], np.cumsum(np.concatenate([np.empty(0, np.int64), *lengths]))]).astype(np.int64)


def _compress(
    blocks: Sequence[Tokens], offsets: Integers, centroids: Floats, code_words: Floats
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint16], Floats]:
    """The codes of all tokens and, where items have many, their mean residual (n, d)."""
    total, n, d = int(offsets[-1]), len(offsets) - 1, centroids.shape[1]
    words = code_words.reshape(-1, 256, SUBVECTOR)
    codes = np.empty((total, len(words)), np.uint8)
    token_centroids = np.empty(total, np.uint16)
    pooled = np.zeros((n if total >= POOLED_FROM * n else 0, d), np.float32)
    item_of = np.repeat(np.arange(n), np.diff(offsets)) if len(pooled) else None
    start = 0
    for block in blocks:
        for first in range(0, len(block.values), _BLOCK):
            values = single(block.values[first : first + _BLOCK])
            part = slice(start, start + len(values))
            token_centroids[part] = nearest(values, centroids)
            residuals = values - centroids[token_centroids[part]]
            wide = padded(residuals).reshape(len(values), len(words), SUBVECTOR)
            for column, table in enumerate(words):
                codes[part, column] = nearest(wide[:, column], table)
            if item_of is not None:
                _add_rows(pooled, item_of[part], residuals)
            start += len(values)
    if len(pooled):
        pooled /= np.maximum(np.diff(offsets), 1)[:, None]
    return codes, token_centroids, pooled


def _add_rows(sums: Floats, owners: Integers, values: Floats) -> None:
    """Add each row of `values` to that of its owner; the owners ascend."""
    starts = np.flatnonzero(np.diff(owners, prepend=-1))
    sums[owners[starts]] += np.add.reduceat(values, starts, axis=0)


def _postings(
    token_centroids: npt.NDArray[np.uint16], offsets: Integers, count: int
) -> tuple[Integers, npt.NDArray[np.int32]]:
    """For each centroid, the items that have a token there, ascending: starts (K + 1,), items."""
    n = len(offsets) - 1
    owners = np.repeat(np.arange(n), np.diff(offsets))
    pairs = np.unique(token_centroids.astype(np.int64) * n + owners)
    return np.searchsorted(pairs, np.arange(count + 1) * n).astype(np.int64), (pairs % n).astype(np.int32)
