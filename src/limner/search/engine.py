"""The engine: a Query in, Hits out.

    plan         the contents of all terms are encoded together and composed by their weights (compose.py)
    candidates   each space gives its best items, among those that the filter selects
    fuse         with several spaces: each scores the candidates of all, and their evidence is added up (fuse.py)
    calibrate    scores -> probabilities, by the model's own calibration
    rerank       a Reranker, where there is one, sees the best hits and has the last word

It meets models, indexes and the catalogue through protocols only.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from limner.core.errors import InputError
from limner.core.protocols import Encoder, Index, Reranker
from limner.core.query import Content, Example, Picture, Predicate, Query, Term, Text
from limner.core.selection import Selection
from limner.core.types import (
    Dense,
    Floats,
    Hit,
    Integers,
    Item,
    Modality,
    Region,
    Representation,
    Representations,
    Sparse,
    Tokens,
    concatenate,
)
from limner.search.compose import Asked, compose
from limner.search.explain import best_place, find_words
from limner.search.fuse import Calibrated, Doubles, Fusion, best_first, log_odds
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

    def select(self, predicate: Predicate) -> Selection:
        """All items that the predicate holds for. Raises InputError (unknown field)."""
        ...

    def example(self, id: str) -> Representations:
        """What stands of an item in each space. Raises InputError for an unknown id."""
        ...

    def vectors(self, space: str, ids: Integers) -> tuple[Integers, Representation]:
        """What stands of items in one space: those of `ids` that have a vector (m,), ascending, and the m of them."""
        ...

    def picture(self, uri: str, region: Region | None) -> Image.Image:
        """The picture that a query names, upright RGB, cut to the region. Raises PictureError."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class _Question:
    """A query with its terms encoded: t terms, composed in each space."""

    modalities: tuple[Modality, ...]
    weights: npt.NDArray[np.float64]
    asked: Mapping[str, Asked]


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
        """The parts of one answer that are not 0, by label; a term that is said twice gives both its shares."""
        parts: dict[str, float] = {}
        for label, share in zip(self.labels, self.parts[:, column].tolist(), strict=True):
            if share:
                parts[label] = parts.get(label, 0.0) + share
        return parts

    def take(self, rows: Integers | slice) -> _Ranking:
        return _Ranking(self.ids[rows], self.scores[rows], self.probabilities[rows], self.labels, self.parts[:, rows])


_SERVED = {"dense": "cosine", "sparse": "dot", "tokens": "maxsim"}
"""The similarity in which the terms of each kind of space can be composed."""


class Engine:
    def __init__(
        self,
        encoder: Encoder,
        indexes: Mapping[str, Index],
        ledger: Ledger,
        reranker: Reranker | None = None,
        fusion: Fusion | None = None,
    ) -> None:
        """`indexes`: the index of each space to search, by the space's name. `fusion`: how several are made one."""
        if not indexes:
            raise InputError("an engine needs an index of at least one space")
        for name, index in indexes.items():
            if index.space != encoder.spaces.get(name):
                raise InputError(f"the index of space {name} holds {index.space}, not what the model gives")
            if _SERVED[index.space.kind] != index.space.similarity:
                needed = _SERVED[index.space.kind]
                raise InputError(f"space {name}: the engine combines terms of {index.space.kind} vectors by {needed}")
        self._encoder, self._indexes, self._ledger, self._reranker = encoder, indexes, ledger, reranker
        self._fusion = fusion or Calibrated()

    def search(
        self,
        query: Query,
        k: int = 10,
        *,
        min_probability: float = 0.0,
        exclude: Integers | None = None,
        explain: bool = False,
    ) -> list[Hit]:
        """The k best hits, best first, fewer where fewer exist or reach `min_probability`. Errors: see `search_many`.

        A query without terms lists what its filter selects, by id, with score 0 and probability 1.
        `exclude`: ids that are no answers (the example itself, say). `explain`: the parts of a hit name the single
        words that a space matched, not only the terms of the query; where the model looks at places of a picture,
        `regions` tells where each word was found, and `region` the place that gave most.
        """
        return self.search_many([query], k, min_probability=min_probability, exclude=exclude, explain=explain)[0]

    def search_many(
        self,
        queries: Sequence[Query],
        k: int = 10,
        *,
        min_probability: float = 0.0,
        exclude: Integers | None = None,
        explain: bool = False,
    ) -> list[list[Hit]]:
        """`search` for each of many queries, encoded in batches and scored in one pass for each filter.

        Raises InputError: k < 1, an empty query, terms that cancel, a text too long for the model, an
        unknown field or item; PictureError where a picture of a query cannot be read.
        """
        _check_limits(k, min_probability)
        for query in queries:
            check_query(query)
        gone = np.empty(0, np.int64) if exclude is None else exclude
        depth = (max(k, RERANK_DEPTH) if self._reranker else k) + len(gone)
        questions = self._plan(queries, explain)
        rankings: dict[int, _Ranking] = {}
        groups: defaultdict[Predicate | None, list[int]] = defaultdict(list)
        for row, query in enumerate(queries):
            groups[query.where].append(row)
        for where, rows in groups.items():
            among = None if where is None else self._ledger.select(where)
            asked = [row for row in rows if row in questions]
            rankings.update(zip(asked, self._rank([questions[row] for row in asked], depth, among), strict=True))
            if among is not None:
                rankings.update((row, _Ranking.unscored(among.ids[:depth])) for row in rows if row not in questions)
        kept = [ranking.take(np.flatnonzero(~np.isin(ranking.ids, gone))) for _, ranking in sorted(rankings.items())]
        answers = self._hits(kept, [questions.get(row) if explain else None for row in sorted(rankings)])
        if self._reranker:
            for row in questions:
                answers[row] = self._reranker.rerank(queries[row], answers[row])
        return [[hit for hit in hits[:k] if hit.probability >= min_probability] for hits in answers]

    def _plan(self, queries: Sequence[Query], explain: bool) -> dict[int, _Question]:
        """The encoded question of each query (by its row) that has terms."""
        terms = [term for query in queries for term in query.terms]
        labels = [print_term(term) for term in terms]
        units = self._units([term.content for term in terms], labels)
        questions: dict[int, _Question] = {}
        start = 0
        for row, query in enumerate(queries):
            own = slice(start, start + len(query.terms))
            start = own.stop
            if query.terms:
                weights = np.array([term.weight for term in query.terms], np.float64)
                modalities = tuple(_modality(term.content) for term in query.terms)
                asked = {name: compose(tuple(labels[own]), weights, every.take(own)) for name, every in units.items()}
                if explain:
                    asked = {name: self._by_word(name, own, query.terms) for name, own in asked.items()}
                questions[row] = _Question(modalities, weights, asked)
        return questions

    def _by_word(self, space: str, asked: Asked, terms: Sequence[Term]) -> Asked:
        """The same question with each word as a term of its own, where the space keeps them apart."""
        if isinstance(asked.units, Sparse):
            return asked.by_word(partial(self._encoder.word, space))
        if isinstance(asked.units, Tokens):
            texts = [self._open(term.content) if _modality(term.content) == "text" else None for term in terms]
            return asked.by_vector([[] if text is None else self._encoder.pieces(text) for text in texts])
        return asked

    def _units(self, contents: Sequence[Content], labels: Sequence[str]) -> dict[str, Representation]:
        """Space -> what the model makes of the contents, in their order; dense vectors have length 1."""
        made: list[Representations] = [{} for _ in contents]
        rows_of: defaultdict[Modality, list[int]] = defaultdict(list)
        for row, content in enumerate(contents):
            if isinstance(content, Example):
                made[row] = self._ledger.example(content.id)
            else:
                rows_of[_modality(content)].append(row)
        for modality, rows in rows_of.items():
            if modality not in self._encoder.modalities:
                raise InputError(f"{labels[rows[0]]}: the model does not read {modality}")
            for start in range(0, len(rows), ENCODE_BATCH):
                batch = rows[start : start + ENCODE_BATCH]
                prepared = [self._encoder.prepare(modality, self._open(contents[row])) for row in batch]
                features = self._encoder.encode(modality, prepared)
                for place, row in enumerate(batch):
                    made[row] = {name: every.take(slice(place, place + 1)) for name, every in features.items()}
        units: dict[str, Representation] = {}
        for name, index in self._indexes.items():
            if lacking := [label for label, own in zip(labels, made, strict=True) if name not in own]:
                raise InputError(f"{lacking[0]}: the model gives nothing for it in space {name}")
            joined = concatenate([own[name] for own in made], index.space)
            units[name] = Dense(_directions(joined.values, labels)) if isinstance(joined, Dense) else joined
        return units

    def _open(self, content: Content) -> Any:
        """What the encoder takes: a picture, or a text. A dialogue is read as one text, turn after turn."""
        if isinstance(content, Picture):
            return self._ledger.picture(content.uri, content.region)
        assert not isinstance(content, Example)
        return content.words if isinstance(content, Text) else ", ".join(content.turns)

    def _rank(self, questions: Sequence[_Question], depth: int, among: Selection | None) -> list[_Ranking]:
        """The best `depth` items of each question, among the selected ones."""
        if not questions:
            return []
        candidates = depth if len(self._indexes) == 1 else max(4 * depth, FUSE_DEPTH)
        found: list[dict[str, list[tuple[Integers, Floats]]]] = [{} for _ in questions]
        for name, index in self._indexes.items():
            own = [question.asked[name].queries for question in questions]
            answers = iter(index.search(concatenate(own, index.space), candidates, among))
            for into, queries in zip(found, own, strict=True):
                into[name] = [next(answers) for _ in range(len(queries))]
        return [self._judge(question, own, depth) for question, own in zip(questions, found, strict=True)]

    def _judge(
        self, question: _Question, found: Mapping[str, Sequence[tuple[Integers, Floats]]], depth: int
    ) -> _Ranking:
        """Score, fuse, calibrate and explain the candidates (ids, scores) that each space found for one question."""
        answers = [answer for own in found.values() for answer in own]
        units = next(iter(question.asked.values())).units
        if len(self._indexes) == len(question.weights) == len(answers) == 1 and isinstance(units, Dense):
            ids, scores = answers[0]
            shares = [scores[None]]  # one term in one space: its share is the score
        else:
            ids = np.unique(np.concatenate([np.empty(0, np.int64), *(ids for ids, _ in answers)]))
            shares = [asked.shares(self._similarities(name, asked, ids)) for name, asked in question.asked.items()]
        by_space = np.stack([own.sum(axis=0, dtype=np.float64) for own in shares])
        evidence, zero = self._evidence(question, by_space)
        names = list(self._indexes)
        if len(names) == 1:
            gains, probabilities = by_space, _probability(evidence[0] + zero[0])
        else:
            gains = self._fusion(names, by_space, evidence)
            weights = self._fusion.of(names) if isinstance(self._fusion, Calibrated) else Calibrated().of(names)
            probabilities = _probability(weights @ (evidence + zero[:, None]))
        fused = gains.sum(axis=0).astype(np.float32)
        parts = [_split(own, total, gain) for own, total, gain in zip(shares, by_space, gains, strict=True)]
        labels = tuple(f"{name}: {label}" for name, asked in question.asked.items() for label in asked.labels)
        ranking = _Ranking(ids, fused, probabilities.astype(np.float32), labels, np.concatenate(parts))
        return ranking.take(best_first(ids, fused)[:depth])

    def _similarities(self, name: str, asked: Asked, ids: Integers) -> Floats:
        """The similarities (t, n) of the terms and n items (ids ascending) in one space; 0 where there is none."""
        similarities = np.zeros((len(asked.weights), len(ids)), np.float32)
        if len(ids):
            for row, (found, scores) in enumerate(self._indexes[name].search(asked.units, len(ids), Selection(ids))):
                similarities[row, np.searchsorted(ids, found)] = scores
        return similarities

    def _evidence(self, question: _Question, scores: Doubles) -> tuple[Doubles, Doubles]:
        """Scores (s, n) of each space as log-odds (s, n) above those (s,) of a score of 0, and these.

        Words and pictures are calibrated apart: a question of both takes the mean, weighted by |w|. A
        question of nothing but minus asks for what is unlike: the probability of the opposite is turned round.
        """
        size = np.abs(question.weights)
        only_minus = bool((question.weights < 0).all())
        probabilities = np.zeros((len(scores), scores.shape[1] + 1))
        with_zero = np.concatenate([scores, np.zeros((len(scores), 1))], axis=1)
        for modality in sorted(set(question.modalities)):
            portion = size[[own == modality for own in question.modalities]].sum() / size.sum()
            for row, name in enumerate(self._indexes):
                asked = -with_zero[row] if only_minus else with_zero[row]
                calibrated = np.asarray(self._encoder.calibrate(name, modality, asked))
                probabilities[row] += portion * (1 - calibrated if only_minus else calibrated)
        odds = log_odds(probabilities)
        return odds[:, :-1] - odds[:, -1:], odds[:, -1]

    def _hits(self, rankings: Sequence[_Ranking], explained: Sequence[_Question | None]) -> list[list[Hit]]:
        """The answers; the question of each ranking where its words are to be found in the pictures, too."""
        ids = np.concatenate([np.empty(0, np.int64), *(ranking.ids for ranking in rankings)])
        items = self._ledger.items(np.unique(ids))
        answers = []
        for ranking, question in zip(rankings, explained, strict=True):
            places = self._places(question, ranking.ids) if question else {}
            hits = []
            for column, id in enumerate(ranking.ids.tolist()):
                parts = ranking.parts_of(column)
                regions = {label: region for label, region in places.get(id, {}).items() if label in parts}
                numbers = float(ranking.scores[column]), float(ranking.probabilities[column])
                if id in items:
                    hits.append(Hit(items[id], *numbers, parts, best_place(parts, regions), regions))
            answers.append(hits)
        return answers

    def _places(self, question: _Question, ids: Integers) -> dict[int, dict[str, Region]]:
        """By item, then by the label of a part: where in the picture it was found."""
        places: defaultdict[int, dict[str, Region]] = defaultdict(dict)
        if (grid := self._encoder.grid) is None:
            return places
        for space, asked in question.asked.items():
            if not isinstance(asked.units, Tokens):
                continue
            words = np.flatnonzero(np.diff(asked.units.offsets) == 1)
            labels = [asked.labels[row] for row in words]
            found, pictures = self._ledger.vectors(space, np.sort(ids))
            for row, id in enumerate(found.tolist()):
                tokens = pictures.take(slice(row, row + 1)).values
                regions = find_words(labels, asked.units.take(words).values, tokens, grid)
                places[id] |= {f"{space}: {region.label}": region for region in regions}
        return places


def _check_limits(k: int, min_probability: float) -> None:
    if k < 1:
        raise InputError(f"k is {k}: ask for at least 1 hit")
    if not 0 <= min_probability <= 1:
        raise InputError(f"the least probability is {min_probability}: it goes from 0 to 1")


def _modality(content: Content) -> Modality:
    return "image" if isinstance(content, Picture | Example) else "text"


def _directions(vectors: Floats, labels: Sequence[str]) -> Floats:
    """Rows (n, d) at length 1. Raises InputError, naming the label of the row, where a row has no direction."""
    exact = np.asarray(vectors, np.float64)
    lengths: npt.NDArray[np.float64] = np.linalg.norm(exact, axis=1)
    if (bad := np.flatnonzero(~(np.isfinite(lengths) & (lengths > 0)))).size:
        raise InputError(f"{labels[bad[0]]}: its vector is zero or not finite")
    return (exact / lengths[:, None]).astype(np.float32)


def _probability(odds: Doubles) -> Doubles:
    chances: Doubles = 1 / (1 + np.exp(-np.clip(odds, -80, 80)))
    return chances


def _split(shares: Floats, total: Doubles, gain: Doubles) -> Floats:
    """What a space gives to the fused scores (n,) divided among the terms as its own scores (n,) were: (t, n)."""
    even = np.full(shares.shape, 1 / max(len(shares), 1))
    divisible = np.abs(total) > 1e-9
    portions = np.divide(shares, total, out=even, where=np.broadcast_to(divisible, shares.shape))
    parts: Floats = (portions * gain).astype(np.float32)
    return parts
