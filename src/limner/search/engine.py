"""The engine: a Query in, Hits out.

    plan         the contents of all terms are encoded together; their weights make one direction (compose.py)
    candidates   each dense space gives its best items, among those that the filter selects
    fuse         with several spaces: the mean of the cosines of all candidates (fuse.py)
    calibrate    scores -> probabilities, by the model's own calibration
    rerank       a Reranker, where there is one, sees the best hits and has the last word

It meets models, indexes and the catalogue through protocols only.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from limner.core.errors import InputError
from limner.core.protocols import Encoder, Index, Reranker
from limner.core.query import Content, Picture, Predicate, Query, Text
from limner.core.types import Dense, Floats, Hit, Integers, Item, Modality, Region
from limner.search.compose import compose, shares
from limner.search.fuse import best_first, weighted_sum
from limner.search.query import check_query, print_term

if TYPE_CHECKING:
    from PIL import Image

ENCODE_BATCH = 64
RERANK_DEPTH = 50
"""How many hits a reranker sees (at least k)."""
FUSE_DEPTH = 200
"""How many candidates each of several spaces gives (at least 4 k); beyond them an item cannot be found."""


class Ledger(Protocol):
    """What the engine asks of a collection. Ids are those of the index."""

    def items(self, ids: Integers) -> Mapping[int, Item]:
        """The items with these ids; one that is gone (removed by a writer meanwhile) is left out."""
        ...

    def select(self, predicate: Predicate) -> Integers:
        """The ids (n,) of all items that the predicate holds for, ascending. Raises InputError (unknown field)."""
        ...

    def picture(self, uri: str, region: Region | None) -> Image.Image:
        """The picture that a query names, upright RGB, cut to the region. Raises PictureError."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class _Question:
    """A query with its terms encoded: t terms, one direction in each space."""

    labels: tuple[str, ...]
    modalities: tuple[Modality, ...]
    weights: npt.NDArray[np.float64]
    units: Mapping[str, Floats]
    """Space -> unit vectors (t, d) of the terms."""
    directions: Mapping[str, tuple[Floats, float]]
    """Space -> the query's unit vector (d,) and the scale of its shares."""


@dataclass(frozen=True, slots=True, eq=False)
class _Ranking:
    """n answers, best first."""

    ids: Integers
    scores: Floats
    probabilities: Floats
    labels: tuple[str, ...]
    parts: Floats
    """(labels, n): the shares of each score."""

    @classmethod
    def unscored(cls, ids: Integers) -> _Ranking:
        """The answer to a query that only filters: every item is as good and certain."""
        n = len(ids)
        return cls(ids, np.zeros(n, np.float32), np.ones(n, np.float32), (), np.empty((0, n), np.float32))

    def parts_of(self, column: int) -> dict[str, float]:
        """The parts of one answer, by label; a term that the query says twice gives both its shares."""
        parts: dict[str, float] = {}
        for label, share in zip(self.labels, self.parts[:, column].tolist(), strict=True):
            parts[label] = parts.get(label, 0.0) + share
        return parts

    def take(self, rows: Integers | slice) -> _Ranking:
        return _Ranking(self.ids[rows], self.scores[rows], self.probabilities[rows], self.labels, self.parts[:, rows])


class Engine:
    def __init__(
        self, encoder: Encoder, indexes: Mapping[str, Index], ledger: Ledger, reranker: Reranker | None = None
    ) -> None:
        """`indexes`: the index of each space to search, by the space's name; all dense with cosine similarity."""
        if not indexes:
            raise InputError("an engine needs an index of at least one space")
        for name, index in indexes.items():
            if index.space != encoder.spaces.get(name):
                raise InputError(f"the index of space {name} holds {index.space}, not what the model gives")
            if (index.space.kind, index.space.similarity) != ("dense", "cosine"):
                raise InputError(f"space {name}: the engine combines terms in dense cosine spaces only")
        self._encoder, self._indexes, self._ledger, self._reranker = encoder, indexes, ledger, reranker

    def search(self, query: Query, k: int = 10, *, min_probability: float = 0.0) -> list[Hit]:
        """The k best hits, best first, fewer where fewer exist or reach `min_probability`. Errors: see `search_many`.

        A query without terms lists what its filter selects, by id, with score 0 and probability 1.
        """
        return self.search_many([query], k, min_probability=min_probability)[0]

    def search_many(self, queries: Sequence[Query], k: int = 10, *, min_probability: float = 0.0) -> list[list[Hit]]:
        """`search` for each of many queries, encoded in batches and scored in one pass for each filter.

        Raises InputError: k < 1, an empty query, terms that cancel, a text too long for the model, an
        unknown field; PictureError where a picture of a query cannot be read.
        """
        _check_limits(k, min_probability)
        for query in queries:
            check_query(query)
        depth = max(k, RERANK_DEPTH) if self._reranker else k
        questions = self._plan(queries)
        rankings: dict[int, _Ranking] = {}
        groups: defaultdict[Predicate | None, list[int]] = defaultdict(list)
        for row, query in enumerate(queries):
            groups[query.where].append(row)
        for where, rows in groups.items():
            among = None if where is None else self._ledger.select(where)
            asked = [row for row in rows if row in questions]
            rankings.update(zip(asked, self._rank([questions[row] for row in asked], depth, among), strict=True))
            if among is not None:
                rankings.update((row, _Ranking.unscored(among[:k])) for row in rows if row not in questions)
        answers = self._hits([rankings[row] for row in range(len(queries))])
        if self._reranker:
            for row in questions:
                answers[row] = self._reranker.rerank(queries[row], answers[row])
        return [[hit for hit in hits[:k] if hit.probability >= min_probability] for hits in answers]

    def search_vector(
        self,
        vectors: Mapping[str, Floats],
        k: int = 10,
        *,
        where: Predicate | None = None,
        exclude: int | None = None,
        min_probability: float = 0.0,
    ) -> list[Hit]:
        """More like a picture that is already encoded: its vector (d,) in each space of the engine.

        `exclude`: an id that is no answer (the item itself). No reranker is asked: there is no query to show it.
        Raises InputError: k < 1, a vector of the wrong shape, zero or not finite, an unknown field.
        """
        _check_limits(k, min_probability)
        for name, index in self._indexes.items():
            if name not in vectors or np.shape(vectors[name]) != (index.space.size,):
                raise InputError(f"space {name}: a vector of {index.space.size} numbers is needed")
        units = {name: _units(vectors[name][None], ["the given vector"]) for name in self._indexes}
        question = self._question(("this picture",), ("image",), np.ones(1), units)
        among = None if where is None else self._ledger.select(where)
        [ranking] = self._rank([question], k + (exclude is not None), among)
        kept = np.flatnonzero(ranking.ids != exclude)[:k] if exclude is not None else slice(None)
        [hits] = self._hits([ranking.take(kept)])
        return [hit for hit in hits if hit.probability >= min_probability]

    def _plan(self, queries: Sequence[Query]) -> dict[int, _Question]:
        """The encoded question of each query (by its row) that has terms."""
        terms = [term for query in queries for term in query.terms]
        labels = [print_term(term) for term in terms]
        units = self._encode([term.content for term in terms], labels)
        questions: dict[int, _Question] = {}
        start = 0
        for row, query in enumerate(queries):
            own = slice(start, start + len(query.terms))
            if query.terms:
                weights = np.array([term.weight for term in query.terms], np.float64)
                modalities = tuple(_modality(term.content) for term in query.terms)
                own_units = {name: values[own] for name, values in units.items()}
                questions[row] = self._question(tuple(labels[own]), modalities, weights, own_units)
            start = own.stop
        return questions

    def _question(
        self,
        labels: tuple[str, ...],
        modalities: tuple[Modality, ...],
        weights: npt.NDArray[np.float64],
        units: Mapping[str, Floats],
    ) -> _Question:
        directions = {name: compose(weights, values) for name, values in units.items()}
        return _Question(labels, modalities, weights, units, directions)

    def _encode(self, contents: Sequence[Content], labels: Sequence[str]) -> dict[str, Floats]:
        """Space -> unit vectors (contents, d), in the order of the contents."""
        units = {name: np.empty((len(contents), index.space.size), np.float32) for name, index in self._indexes.items()}
        rows_of: defaultdict[Modality, list[int]] = defaultdict(list)
        for row, content in enumerate(contents):
            rows_of[_modality(content)].append(row)
        for modality, rows in rows_of.items():
            if modality not in self._encoder.modalities:
                raise InputError(f"{labels[rows[0]]}: the model does not read {modality}")
            for start in range(0, len(rows), ENCODE_BATCH):
                batch = rows[start : start + ENCODE_BATCH]
                prepared = [self._encoder.prepare(modality, self._open(contents[row])) for row in batch]
                features = self._encoder.encode(modality, prepared)
                for name, values in units.items():
                    encoded = features.get(name)
                    if not isinstance(encoded, Dense):
                        raise InputError(f"space {name}: the model gives no vector for {modality}")
                    values[batch] = _units(encoded.values, [labels[row] for row in batch])
        return units

    def _open(self, content: Content) -> Any:
        """What the encoder takes: a picture, or a text. A dialogue is read as one text, turn after turn."""
        if isinstance(content, Picture):
            return self._ledger.picture(content.uri, content.region)
        return content.words if isinstance(content, Text) else ", ".join(content.turns)

    def _rank(self, questions: Sequence[_Question], depth: int, among: Integers | None) -> list[_Ranking]:
        """The best `depth` items of each question, among the given ids."""
        if not questions:
            return []
        candidates = depth if len(self._indexes) == 1 else max(4 * depth, FUSE_DEPTH)
        found = []
        for name, index in self._indexes.items():
            directions = np.stack([question.directions[name][0] for question in questions])
            found.append(index.search(Dense(directions), candidates, among))
        return [self._judge(question, answers, depth) for question, *answers in zip(questions, *found, strict=True)]

    def _judge(self, question: _Question, found: Sequence[tuple[Integers, Floats]], depth: int) -> _Ranking:
        """Fuse, calibrate and explain the candidates (ids, scores) that each space found for one question."""
        parts: Floats  # (spaces, terms, items)
        if len(found) == len(question.labels) == 1:
            ids, scores = found[0]
            parts = scores[None, None]  # one term in one space: its share is the score
        else:
            ids = np.unique(np.concatenate([ids for ids, _ in found]))
            parts = np.stack([self._shares(name, question, ids) for name in self._indexes])
        by_space = parts.sum(axis=1)
        calibrated = [
            self._probabilities(name, question, own) for name, own in zip(self._indexes, by_space, strict=True)
        ]
        weights = np.full(len(found), 1 / len(found))
        fused, probabilities = weighted_sum(by_space, weights), weighted_sum(np.stack(calibrated), weights)
        labels = tuple(f"{name}: {label}" for name in self._indexes for label in question.labels)
        own_parts = np.concatenate(parts / np.float32(len(found)))
        return _Ranking(ids, fused, probabilities, labels, own_parts).take(best_first(ids, fused)[:depth])

    def _shares(self, name: str, question: _Question, ids: Integers) -> Floats:
        """The shares (t, n) of the terms in one space for n items (ids ascending); 0 for an item unknown there."""
        units = question.units[name]
        cosines = np.zeros((len(units), len(ids)), np.float32)
        if len(ids):
            for row, (found, scores) in enumerate(self._indexes[name].search(Dense(units), len(ids), ids)):
                cosines[row, np.searchsorted(ids, found)] = scores
        return shares(question.weights, question.directions[name][1], cosines)

    def _probabilities(self, name: str, question: _Question, scores: Floats) -> Floats:
        """Scores (n,) of one space, calibrated.

        Words and pictures are calibrated apart: a question of both takes the mean, weighted by |w|. A
        question of nothing but minus asks for what is unlike: the probability of the opposite is turned round.
        """
        size = np.abs(question.weights)
        only_minus = bool((question.weights < 0).all())
        probabilities = np.zeros(len(scores))
        for modality in sorted(set(question.modalities)):
            portion = size[[own == modality for own in question.modalities]].sum() / size.sum()
            calibrated = np.asarray(self._encoder.calibrate(name, modality, -scores if only_minus else scores))
            probabilities += portion * (1 - calibrated if only_minus else calibrated)
        return np.asarray(probabilities, np.float32)

    def _hits(self, rankings: Sequence[_Ranking]) -> list[list[Hit]]:
        ids = np.concatenate([np.empty(0, np.int64), *(ranking.ids for ranking in rankings)])
        items = self._ledger.items(np.unique(ids))
        return [
            [
                Hit(
                    items[id],
                    float(ranking.scores[column]),
                    float(ranking.probabilities[column]),
                    ranking.parts_of(column),
                )
                for column, id in enumerate(ranking.ids.tolist())
                if id in items
            ]
            for ranking in rankings
        ]


def _check_limits(k: int, min_probability: float) -> None:
    if k < 1:
        raise InputError(f"k is {k}: ask for at least 1 hit")
    if not 0 <= min_probability <= 1:
        raise InputError(f"the least probability is {min_probability}: it goes from 0 to 1")


def _modality(content: Content) -> Modality:
    return "image" if isinstance(content, Picture) else "text"


def _units(vectors: Floats, labels: Sequence[str]) -> Floats:
    """Rows (n, d) at length 1. Raises InputError, naming the label of the row, where a row has no direction."""
    exact = np.asarray(vectors, np.float64)
    lengths: npt.NDArray[np.float64] = np.linalg.norm(exact, axis=1)
    if (bad := np.flatnonzero(~(np.isfinite(lengths) & (lengths > 0)))).size:
        raise InputError(f"{labels[bad[0]]}: its vector is zero or not finite")
    return (exact / lengths[:, None]).astype(np.float32)
