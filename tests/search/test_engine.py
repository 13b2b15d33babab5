"""The engine on a model small enough to follow by hand.

The model: a picture is its mean colour (red, green, blue); a word is its axis, the three colours first, any
other word on one of five more axes by its hash. A text is the sum of its words. Items are pictures of one
colour; yellow = red + green = (1, 1, 0), white = (1, 1, 1).
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from limner.core.errors import InputError, PictureError
from limner.core.query import Compare, Predicate, Query, Term, Text, Turns
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
    Space,
)
from limner.search import engine as engine_module
from limner.search.engine import Engine
from limner.search.fuse import log_odds
from limner.search.illustrate import illustrate
from limner.search.query import parse_query

SIZE, WORDS_AT_MOST = 8, 6
COLOURS = {"red": (1, 0, 0), "green": (0, 1, 0), "blue": (0, 0, 1), "yellow": (1, 1, 0), "white": (1, 1, 1)}
YEARS = {"red": 2001, "green": 2002, "blue": 2003, "yellow": 2004, "white": 2005}
IDS = {"red": 3, "green": 5, "blue": 8, "yellow": 13, "white": 21}


def vector_of_text(words: str) -> Floats:
    vector = np.zeros(SIZE, np.float32)
    for word in words.replace(",", "").split():
        axis = list(COLOURS).index(word) if word in ("red", "green", "blue") else 3 + zlib.crc32(word.encode()) % 5
        vector[axis] += 1
    return vector


def vector_of_colour(colour: Sequence[float]) -> Floats:
    return np.array([*colour, 0, 0, 0, 0, 0], np.float32)


class ColourModel:
    """An encoder of one space or more; all spaces but the first see red twice as bright."""

    fingerprint = "colour"
    modalities: frozenset[Modality] = frozenset({"text", "image"})

    def __init__(self, *names: str) -> None:
        self.spaces: Mapping[str, Space] = {name: Space(name, "dense", SIZE, "cosine") for name in names}
        self.batches: list[int] = []

    def prepare(self, modality: Modality, content: Any) -> Any:
        if modality == "text":
            if len(content.split()) > WORDS_AT_MOST:
                raise InputError(f"the text has more than {WORDS_AT_MOST} words")
            return vector_of_text(content)
        return vector_of_colour(np.asarray(content).reshape(-1, 3).mean(axis=0) / 255)

    def encode(self, modality: Modality, prepared: Sequence[Any]) -> Representations:
        self.batches.append(len(prepared))
        return {name: Dense(seen_in(name, np.stack(prepared))) for name in self.spaces}

    def word(self, space: str, term: int) -> str:
        raise NotImplementedError("no space of this model is sparse")

    grid = None

    def pieces(self, text: str) -> list[str]:
        return text.split()

    def calibrate(self, space: str, question: Modality, scores: Any) -> Any:
        return (scores + 1) / 2 if question == "text" else np.clip(scores, 0, 1)


def seen_in(space: str, vectors: Floats) -> Floats:
    return vectors if space == "colour" else vectors * np.array([2, *[1] * (SIZE - 1)], np.float32)


class ExactIndex:
    def __init__(self, space: Space) -> None:
        self.space = space
        self.vectors: dict[int, Floats] = {}

    def add(self, ids: Integers, vectors: Representation) -> None:
        assert isinstance(vectors, Dense)
        units = vectors.values / np.linalg.norm(vectors.values, axis=1, keepdims=True)
        self.vectors.update(zip(ids.tolist(), units, strict=True))

    def remove(self, ids: Integers) -> int:
        return sum(self.vectors.pop(id, None) is not None for id in ids.tolist())

    def search(self, queries: Representation, k: int, among: Selection | None = None) -> list[tuple[Integers, Any]]:
        assert isinstance(queries, Dense)
        if k < 1:
            raise InputError("k < 1")
        ids = np.array(sorted(self.vectors), np.int64)
        if among is not None:
            ids = np.intersect1d(ids, among.ids)
        matrix = np.stack([self.vectors[id] for id in ids.tolist()]) if len(ids) else np.empty((0, SIZE), np.float32)
        scores = queries.values @ matrix.T
        order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
        return [(ids[rows], own[rows]) for rows, own in zip(order, scores, strict=True)]

    def refresh(self) -> bool:
        return False

    def stats(self) -> Mapping[str, int | float | str]:
        return {"vectors": len(self.vectors)}


class Shelf:
    """A ledger in memory. It knows one field, the year, and `>=`."""

    def __init__(self) -> None:
        self.known = {IDS[name]: Item(f"/{name}.png", name, fields={"year": YEARS[name]}) for name in COLOURS}

    def items(self, ids: Integers) -> Mapping[int, Item]:
        return {id: self.known[id] for id in ids.tolist() if id in self.known}

    def select(self, predicate: Predicate) -> Selection:
        if not isinstance(predicate, Compare) or predicate.field != "year":
            raise InputError(f"unknown field in {predicate}")
        found = sorted(id for id, item in self.known.items() if item.fields["year"] >= predicate.value)
        return Selection(np.array(found, np.int64))

    def example(self, id: str) -> Representations:
        if id not in COLOURS:
            raise InputError(f"no item {id!r}")
        vector = 7 * vector_of_colour(COLOURS[id])
        return {name: Dense(seen_in(name, vector[None])) for name in ("colour", "warm")}

    def vectors(self, space: str, ids: Integers) -> tuple[Integers, Representation]:
        raise NotImplementedError("no space of this model has a vector for each place")

    def picture(self, uri: str, region: Region | None) -> Image.Image:
        """ "red.png" is a red picture, "red+blue.png" one that is red in its left half and blue in its right."""
        names = uri.removesuffix(".png").split("+")
        if not set(names) <= set(COLOURS):
            raise PictureError(uri, "no such file")
        picture = Image.new("RGB", (100, 10))
        for place, name in enumerate(names):
            left, right = 100 * place // len(names), 100 * (place + 1) // len(names)
            picture.paste(tuple(255 * part for part in COLOURS[name]), (left, 0, right, 10))
        if region is None:
            return picture
        left, top, right, bottom = region.box
        return picture.crop((round(100 * left), round(10 * top), round(100 * right), round(10 * bottom)))


def make_engine(*names: str, reranker: Any = None) -> Engine:
    model = ColourModel(*names or ("colour",))
    indexes = {}
    for name, space in model.spaces.items():
        indexes[name] = ExactIndex(space)
        vectors = np.stack([vector_of_colour(colour) for colour in COLOURS.values()])
        indexes[name].add(np.array(list(IDS.values())), Dense(seen_in(name, vectors)))
    return Engine(model, indexes, Shelf(), reranker)


def found(hits: Sequence[Hit]) -> list[tuple[str, float]]:
    return [(hit.item.id, round(hit.score, 4)) for hit in hits]


def test_words_worked_by_hand() -> None:
    hits = make_engine().search(parse_query("red"), k=3)
    assert found(hits) == [("red", 1.0), ("yellow", 0.7071), ("white", 0.5774)]
    assert [hit.probability for hit in hits] == pytest.approx([1.0, 0.85355, 0.78868], abs=1e-4)
    assert hits[1].parts == {"colour: red": hits[1].score}
    assert hits[0].uri == "/red.png"


def test_adjacent_words_are_one_text_and_a_phrase_is_a_term_of_its_own() -> None:
    engine = make_engine()
    [one] = engine.search(parse_query("red green"), k=1)
    assert one.item.id == "yellow"
    assert set(one.parts) == {"colour: red green"}
    [two] = engine.search(parse_query('red "green"'), k=1)
    assert two.score == pytest.approx(one.score)
    assert two.parts == pytest.approx({"colour: red": 0.5, "colour: green": 0.5}, abs=1e-6)


def test_minus_and_weights_worked_by_hand() -> None:
    """q = (2, -1, 0) / sqrt 5; white = (1, 1, 1) / sqrt 3: red's share 2 / sqrt 15, green's -1 / sqrt 15."""
    hits = make_engine().search(parse_query("2:red -green"), k=10)
    assert found(hits) == [("red", 0.8944), ("yellow", 0.3162), ("white", 0.2582), ("blue", 0.0), ("green", -0.4472)]
    white = hits[2]
    assert white.parts == pytest.approx({"colour: 2:red": 2 / 15**0.5, "colour: -green": -1 / 15**0.5}, abs=1e-6)
    assert white.score == pytest.approx(1 / 15**0.5, abs=1e-6)


def test_only_minus_ranks_the_least_like_first() -> None:
    """Words calibrate by (s + 1) / 2, so that "not red" has the probability 1 - (cos(red, x) + 1) / 2."""
    hits = make_engine().search(parse_query("-red"), k=10)
    assert found(hits) == [("green", 0.0), ("blue", 0.0), ("white", -0.5774), ("yellow", -0.7071), ("red", -1.0)]
    assert [hit.probability for hit in hits] == pytest.approx([0.5, 0.5, 0.21132, 0.14645, 0.0], abs=1e-4)
    assert make_engine().search(parse_query("-image:red.png"), k=1)[0].probability == pytest.approx(1, abs=1e-6)


def test_pictures_and_their_regions() -> None:
    engine = make_engine()
    assert engine.search(parse_query("image:blue.png"), k=1)[0].item.id == "blue"
    half = engine.search(parse_query("image:red+blue.png@0.5,0,1,1"), k=1)[0]
    assert (half.item.id, half.score) == ("blue", 1.0)
    assert half.parts == {"colour: image:red+blue.png@0.5,0,1,1": 1.0}
    with pytest.raises(PictureError, match="no such file"):
        engine.search(parse_query("image:mauve.png"))


def test_words_with_a_picture_take_both_calibrations_by_weight() -> None:
    """red and a green picture: yellow scores 1; blue scores 0, where words say 0.5 and pictures 0."""
    hits = make_engine().search(parse_query("red image:green.png"), k=5)
    assert found(hits)[0] == ("yellow", 1.0)
    [blue] = [hit for hit in hits if hit.item.id == "blue"]
    assert blue.probability == pytest.approx(0.25)
    weighted = make_engine().search(parse_query("3:red image:green.png"), k=5)
    [blue] = [hit for hit in weighted if hit.item.id == "blue"]
    assert blue.probability == pytest.approx(0.375)


def test_a_dialogue_is_read_as_one_text() -> None:
    [hit] = make_engine().search(Query((Term(Turns(("red", "green"))),)), k=1)
    assert hit.item.id == "yellow"
    assert hit.parts == {'colour: dialogue:("red", "green")': hit.score}


def test_the_same_term_twice_gives_both_its_shares() -> None:
    [hit] = make_engine().search(parse_query('red -blue "red"'), k=1)
    assert hit.parts == pytest.approx({"colour: red": 2 / 5**0.5}, abs=1e-6)


def test_filter_and_terms() -> None:
    engine = make_engine()
    assert found(engine.search(parse_query("red where:(year >= 2004)"))) == [("yellow", 0.7071), ("white", 0.5774)]
    assert engine.search(parse_query("red where:(year >= 2100)")) == []
    assert engine.search(parse_query("red -blue where:(year >= 2100)")) == []
    with pytest.raises(InputError, match="unknown field"):
        engine.search(parse_query("red where:(month >= 5)"))


def test_a_filter_alone_lists_what_it_selects_by_id() -> None:
    hits = make_engine().search(parse_query("where:(year >= 2002)"), k=3, min_probability=1.0)
    assert found(hits) == [("green", 0.0), ("blue", 0.0), ("yellow", 0.0)]
    assert [(hit.probability, dict(hit.parts)) for hit in hits] == [(1.0, {})] * 3


def test_the_least_probability_makes_nothing_found_possible() -> None:
    engine = make_engine()
    assert len(engine.search(parse_query("red"), min_probability=0.8)) == 2
    assert engine.search(parse_query("dinosaur"), min_probability=0.6) == []


def test_limits() -> None:
    engine = make_engine()
    assert len(engine.search(parse_query("red"), k=1000)) == len(COLOURS)
    for k in (0, -1):
        with pytest.raises(InputError, match=f"k is {k}"):
            engine.search(parse_query("red"), k=k)
    for wrong in (-0.1, 1.1, float("nan")):
        with pytest.raises(InputError, match="from 0 to 1"):
            engine.search(parse_query("red"), min_probability=wrong)
    with pytest.raises(InputError, match="empty"):
        engine.search(Query())
    with pytest.raises(InputError, match="weight nan"):
        engine.search(Query((Term(Text("red"), float("nan")),)))
    with pytest.raises(InputError, match="more than 6 words"):
        engine.search(parse_query("a b c d e f g"))
    with pytest.raises(InputError, match="cancel"):
        engine.search(parse_query('red "red" -2:red'))
    with pytest.raises(InputError, match="zero or not finite"):
        engine.search(Query((Term(Text(",")),)))


def test_a_model_that_does_not_read_pictures_says_so() -> None:
    model = ColourModel("colour")
    model.modalities = frozenset({"text"})
    engine = Engine(model, {"colour": ExactIndex(model.spaces["colour"])}, Shelf())
    assert engine.search(parse_query("red")) == []
    with pytest.raises(InputError, match=r"image:red\.png: the model does not read image"):
        engine.search(parse_query("red image:red.png"))


def test_an_index_of_another_kind_or_model_is_refused() -> None:
    model = ColourModel("colour")
    with pytest.raises(InputError, match="at least one"):
        Engine(model, {}, Shelf())
    with pytest.raises(InputError, match="not what the model gives"):
        Engine(model, {"colour": ExactIndex(replace(model.spaces["colour"], size=9))}, Shelf())
    tokens = Space("colour", "tokens", SIZE, "dot")
    model.spaces = {"colour": tokens}
    with pytest.raises(InputError, match="tokens vectors by maxsim"):
        Engine(model, {"colour": ExactIndex(tokens)}, Shelf())


def test_an_item_that_a_writer_removed_meanwhile_is_left_out() -> None:
    engine = make_engine()
    shelf = engine._ledger
    assert isinstance(shelf, Shelf)
    del shelf.known[IDS["red"]]
    assert found(engine.search(parse_query("red"), k=2)) == [("yellow", 0.7071)]


def test_many_queries_give_what_each_alone_gives() -> None:
    written = [
        "red",
        "2:red -green",
        "where:(year >= 2003)",
        "blue where:(year >= 2003)",
        "image:white.png red",
        "-red",
    ]
    queries = [parse_query(text) for text in written * 40]
    engine = make_engine()
    together = engine.search_many(queries, k=3)
    alone = [engine.search(query, k=3) for query in queries[: len(written)]]
    for row, hits in enumerate(together):
        expected = alone[row % len(written)]
        assert [hit.item.id for hit in hits] == [hit.item.id for hit in expected]
        for hit, same in zip(hits, expected, strict=True):
            assert (hit.score, hit.probability) == pytest.approx((same.score, same.probability), abs=1e-6)
            assert hit.parts == pytest.approx(same.parts, abs=1e-6)
    assert engine.search_many([]) == []


def test_many_queries_are_encoded_in_batches() -> None:
    engine = make_engine()
    engine.search_many([parse_query("red -blue")] * 100, k=1)
    assert isinstance(engine._encoder, ColourModel)
    assert engine._encoder.batches == [64, 64, 64, 8]


words = st.sampled_from(["red", "green", "blue", "red blue", "green cat"])
weights = st.sampled_from([0.5, 1.0, 2.0, -1.0, -0.3])


@given(st.lists(st.tuples(words, weights), min_size=1, max_size=4), st.sampled_from([("colour",), ("colour", "warm")]))
def test_against_the_formula(terms: list[tuple[str, float]], names: tuple[str, ...]) -> None:
    query = Query(tuple(Term(Text(text), weight) for text, weight in terms))
    expected = np.zeros(len(COLOURS))
    for name in names:
        units = [
            seen_in(name, vector_of_text(text)) / np.linalg.norm(seen_in(name, vector_of_text(text)))
            for text, _ in terms
        ]
        direction = sum(weight * unit for (_, weight), unit in zip(terms, units, strict=True))
        if np.linalg.norm(direction) < 1e-3:
            return
        items = seen_in(name, np.stack([vector_of_colour(colour) for colour in COLOURS.values()]))
        items /= np.linalg.norm(items, axis=1, keepdims=True)
        cosines = items @ direction / np.linalg.norm(direction)
        expected += log_odds((cosines + 1) / 2) / len(names) if len(names) > 1 else cosines
    if all(weight < 0 for _, weight in terms) and len(names) > 1:
        return
    hits = make_engine(*names).search(query, k=len(COLOURS))
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert {hit.item.id: hit.score for hit in hits} == pytest.approx(
        dict(zip(COLOURS, expected, strict=True)), abs=1e-5
    )
    for hit in hits:
        assert sum(hit.parts.values()) == pytest.approx(hit.score, abs=1e-5)


def test_two_spaces_worked_by_hand() -> None:
    """ "red" and yellow: 1 / sqrt 2 in one space; 2 / sqrt 5 in the other, which sees red twice as bright."""
    hits = make_engine("colour", "warm").search(parse_query("red"), k=2)
    each = [log_odds((cosine + 1) / 2) / 2 for cosine in (1 / 2**0.5, 2 / 5**0.5)]
    assert [hit.item.id for hit in hits] == ["red", "yellow"]
    assert hits[1].parts == pytest.approx({"colour: red": each[0], "warm: red": each[1]}, abs=1e-6)
    assert hits[1].score == pytest.approx(sum(each), abs=1e-6)
    assert hits[1].probability == pytest.approx(1 / (1 + np.exp(-sum(each))), abs=1e-6)
    assert make_engine("colour", "warm").search(parse_query("red where:(year >= 2100)")) == []


def test_the_more_spaces_an_item_does_well_in_the_better(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every candidate of one space is scored in the others too, however few candidates each gives."""
    monkeypatch.setattr(engine_module, "FUSE_DEPTH", 1)
    model = ColourModel("colour", "warm")
    ids = np.arange(1, 41)
    random = np.random.default_rng(0)
    indexes = {name: ExactIndex(space) for name, space in model.spaces.items()}
    for index in indexes.values():
        index.add(ids, Dense(random.normal(size=(40, SIZE)).astype(np.float32)))
    shelf = Shelf()
    shelf.known = {int(id): Item(f"/{id}", str(id)) for id in ids}
    for hit in Engine(model, indexes, shelf).search(parse_query("red"), k=3):
        cosines = [index.vectors[int(hit.item.id)][0] for index in indexes.values()]
        assert hit.score == pytest.approx(sum(log_odds((np.array(cosines) + 1) / 2)) / 2, abs=1e-5)


def test_more_like_an_item() -> None:
    engine, like = make_engine(), parse_query("like:yellow")
    assert found(engine.search(like, k=2)) == [("yellow", 1.0), ("white", 0.8165)]
    others = engine.search(like, k=2, exclude=np.array([IDS["yellow"]]))
    assert found(others) == [("white", 0.8165), ("red", 0.7071)]
    assert others[0].parts == {"colour: like:yellow": others[0].score}
    assert others[0].probability == pytest.approx(others[0].score)  # the calibration of pictures, not of words
    assert len(engine.search(like, k=2, exclude=np.array([999]))) == 2
    assert found(engine.search(parse_query("like:yellow where:(year >= 2005)"))) == [("white", 0.8165)]
    assert found(engine.search(like, min_probability=0.9)) == [("yellow", 1.0)]
    assert found(engine.search(parse_query("like:yellow -like:red"), k=1)) == [("green", 0.9239)]
    with pytest.raises(InputError, match="no item 'pink'"):
        engine.search(parse_query("like:pink"))


class Backwards:
    """A reranker that turns the order round and is sure of it."""

    def __init__(self) -> None:
        self.seen: list[int] = []

    def rerank(self, query: Query, hits: Sequence[Hit]) -> list[Hit]:
        self.seen.append(len(hits))
        return [replace(hit, score=-hit.score, probability=1.0) for hit in reversed(hits)]


def test_a_reranker_sees_more_than_k_and_has_the_last_word() -> None:
    reranker = Backwards()
    engine = make_engine(reranker=reranker)
    hits = engine.search(parse_query("2:red -green"), k=2, min_probability=0.9)
    assert [hit.item.id for hit in hits] == ["green", "blue"]
    assert reranker.seen == [len(COLOURS)]
    assert [hit.item.id for hit in engine.search(parse_query("where:(year >= 2002)"), k=1)] == ["green"]
    assert reranker.seen == [len(COLOURS)], "a query without terms gives a reranker nothing to judge"


def test_pictures_for_a_text_worked_by_hand() -> None:
    """White fits each of the three colours by 0.79, all of them better than any other, until these are chosen, too."""
    engine, text = make_engine(), "red\n\ngreen\n\nblue"
    white, red, green = illustrate(engine, text, k=3)
    assert [(one.hit.item.id, one.passages) for one in (white, red, green)] == [
        ("white", ("blue",)),
        ("red", ("red",)),
        ("green", ("green",)),
    ]
    assert [one.hit.probability for one in (white, red)] == pytest.approx([(1 + 3**-0.5) / 2, 1.0], abs=1e-6)
    assert [one.hit.item.id for one in illustrate(engine, text, k=4)] == ["red", "green", "blue"]
