"""How much work `TokenCodes` must do for a recall: measured when it is built, looked up when it is searched."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from limner.core.errors import InputError
from limner.core.types import Floats, Integers, Tokens
from limner.index.maxsim import token_blocks
from limner.index.token_training import sample, single

if TYPE_CHECKING:
    from limner.index.token_codes import TokenCodes

Efforts: TypeAlias = npt.NDArray[np.float64]

_DEPTHS = (10, 100)
"""The numbers of answers whose recall is measured."""

_RECALLS = (0.8, 0.9, 0.95, 0.98, 0.99)
_SIZES = (1, 4, 16)
"""The numbers of vectors of a query for which it is measured."""

_QUERIES = 40
_PROBES = (8, 16, 32, 64, 128, 256, 512)
_CANDIDATES = (10, 20, 30, 50, 80, 120, 200, 300, 500, 800, 1200, 2000, 3000, 5000, 8000, 12000, 20000, 30000, 50000)
_SHORTLISTS = (1.0, 1.5, 2, 3, 5, 8, 12, 20, 40, 80)
"""In answers wanted."""

_MOST_TOKENS = 200_000
"""So many compressed tokens are compared for one query at most."""

_NOISE = 0.9
"""How far a vector of a pseudo-query is from the token it names, as a share of what sets two tokens apart."""


@dataclass(frozen=True, slots=True)
class Effort:
    probes: int
    """Centroids for each vector of the query."""
    candidates: int
    """Items whose compressed tokens are compared."""
    shortlist: int
    """Items to be scored exactly."""


def choose(efforts: Efforts, vectors: int, count: int, recall: float) -> Effort:
    """The effort for `count` answers to a query of so many vectors, from what `learn` found.

    Between the depths that were measured it is interpolated, beyond them in proportion. Raises InputError for a
    recall that was not measured.
    """
    if not 0 < recall <= _RECALLS[-1]:
        raise InputError(f"recall is {recall}; from compressed tokens it may be at most {_RECALLS[-1]}: search exactly")
    size = next((size for size in _SIZES if size >= vectors), _SIZES[-1])
    step = next(step for step in _RECALLS if step >= recall)
    found = efforts[(efforts[:, 0] == size) & (efforts[:, 2] == step)]
    factor = max(1.0, count / _DEPTHS[-1])
    probes, candidates, shortlist = (float(np.interp(count, found[:, 1], column)) for column in found[:, 4:].T)
    items = max(count, math.ceil(shortlist * factor))
    return Effort(int(probes), max(items, math.ceil(candidates * factor)), items)


def learn(codes: TokenCodes, blocks: Sequence[Tokens]) -> Efforts:
    """The cheapest effort that reaches each recall: rows of (vectors of the query, answers wanted, recall asked for,
    recall measured, probes, candidates, shortlist).

    Pseudo-queries name a few tokens of one item, with noise: for 16 vectors 4 tokens, or 2. An effort
    reaches a recall if the mean over the queries does by one standard error; where none does, the best one is kept.
    """
    rng = np.random.default_rng(0)
    groups = [_pseudo_queries(blocks, size, rng) for size in _SIZES]
    truth = _truth([query for group in groups for query in group], blocks)
    found = []
    for number, (size, queries) in enumerate(zip(_SIZES, groups, strict=True)):
        trials = _trials(codes, queries, truth[number * _QUERIES : (number + 1) * _QUERIES])
        for depth in _DEPTHS:
            for recall in _RECALLS:
                reaching = [trial for trial in trials[depth] if trial.assured >= recall]
                best = min(reaching, key=_cost) if reaching else min(trials[depth], key=_shortfall)
                effort = best.effort
                found.append((size, depth, recall, best.recall, effort.probes, effort.candidates, effort.shortlist))
    return np.array(found, np.float64)


@dataclass(frozen=True, slots=True)
class _Trial:
    effort: Effort
    cost: float
    """Nanoseconds, roughly: it only compares efforts, and is computed, so that a build gives the same twice."""
    recall: float
    assured: float
    """The recall less its standard error."""


def _cost(trial: _Trial) -> float:
    return trial.cost


def _shortfall(trial: _Trial) -> tuple[float, float]:
    return -trial.recall, trial.cost


def _trials(codes: TokenCodes, queries: Sequence[Floats], truth: Sequence[Integers]) -> dict[int, list[_Trial]]:
    most = max(_DEPTHS[-1], int(_MOST_TOKENS / codes.tokens_per_item))
    sizes = sorted({min(size, len(codes), most) for size in _CANDIDATES})
    trials: dict[int, list[_Trial]] = {depth: [] for depth in _DEPTHS}
    for probes in sorted({min(probes, codes.centroid_count) for probes in _PROBES}):
        outcomes = [_ranks(codes, query, wanted, probes, sizes) for query, wanted in zip(queries, truth, strict=True)]
        tokens = np.mean([tokens for _, tokens in outcomes], axis=0)
        for index, candidates in enumerate(sizes):
            ranks = np.array([ranks[index] for ranks, _ in outcomes])
            for depth, multiple in product(_DEPTHS, _SHORTLISTS):
                shortlist = int(depth * multiple)
                if candidates < min(depth, len(codes)) or (shortlist > candidates and multiple > 1):
                    continue
                effort = Effort(probes, candidates, shortlist)
                shares = (ranks[:, :depth] < shortlist).mean(axis=1)
                recall, error = float(shares.mean()), float(shares.std()) / len(shares) ** 0.5
                cost = codes.cost(len(queries[0]), effort, float(tokens[index]))
                trials[depth].append(_Trial(effort, cost, recall, recall - error))
    return trials


def _ranks(
    codes: TokenCodes, query: Floats, wanted: Integers, probes: int, sizes: Sequence[int]
) -> tuple[list[Integers], list[int]]:
    """For each number of candidates: the rank of the wanted rows among them by compressed tokens (if none: the
    largest), and how many tokens were compared."""
    similarities = codes.similarities(query)
    rows, promise, probed = codes.candidates(query, similarities, None, Effort(probes, sizes[-1], 1))
    rows = rows[np.argsort(-promise, kind="stable")]
    scores = codes.compressed_scores(query, similarities, rows, probed)
    ends = np.cumsum(codes.probed_tokens(rows, probed)[1])
    place = {row: index for index, row in enumerate(rows.tolist())}
    at = np.array([place.get(row, len(rows)) for row in wanted.tolist()])
    own = np.append(scores, -np.inf)[at]
    ranks = []
    for size in sizes:
        above = min(size, len(scores)) - np.searchsorted(np.sort(scores[:size]), own, side="right")
        ranks.append(np.where(at < min(size, len(scores)), above, np.iinfo(np.int64).max))
    return ranks, [int(ends[min(size, len(rows)) - 1]) for size in sizes]


def _pseudo_queries(blocks: Sequence[Tokens], size: int, rng: np.random.Generator) -> list[Floats]:
    anything = sample(blocks, 1 << 12)
    anything = anything - anything.mean(axis=0)
    counts = np.concatenate([np.diff(block.offsets) for block in blocks])
    firsts = np.cumsum([0, *(len(block) for block in blocks)])
    queries = []
    for number, item in enumerate(rng.choice(np.flatnonzero(counts), _QUERIES)):
        owner = int(np.searchsorted(firsts, item, side="right")) - 1
        tokens = single(blocks[owner].take(np.array([item - firsts[owner]])).values)
        named = tokens[rng.integers(0, len(tokens), -(-size // (4 if number % 2 else 8)))]
        # Of the covariance of the tokens, as what a text leaves open is not in directions that no token has.
        noise = rng.standard_normal((size, len(anything)), dtype=np.float32) @ anything / len(anything) ** 0.5
        queries.append(np.resize(named, (size, named.shape[1])) + np.float32(_NOISE) * noise)
    return queries


def _truth(queries: Sequence[Floats], blocks: Sequence[Tokens]) -> list[Integers]:
    """The rows of the best items of each query by MaxSim in float32, best first."""
    vectors, starts = np.concatenate(queries), np.cumsum([0, *map(len, queries[:-1])])
    scores, rows, first = np.empty((0, len(queries)), np.float32), np.empty((0, len(queries)), np.int64), 0
    for block in blocks:
        for part, values, item_starts in token_blocks(block, np.flatnonzero(np.diff(block.offsets))):
            best = np.maximum.reduceat(values @ vectors.T, item_starts, axis=0)
            scores = np.concatenate([scores, np.add.reduceat(best, starts, axis=1)])
            rows = np.concatenate([rows, np.repeat(first + part[:, None], len(queries), axis=1)])
            if len(scores) > _DEPTHS[-1]:
                kept = np.argpartition(-scores, _DEPTHS[-1] - 1, axis=0)[: _DEPTHS[-1]]
                scores, rows = np.take_along_axis(scores, kept, axis=0), np.take_along_axis(rows, kept, axis=0)
        first += len(block)
    return list(np.take_along_axis(rows, np.argsort(-scores, axis=0, kind="stable"), axis=0).T)
