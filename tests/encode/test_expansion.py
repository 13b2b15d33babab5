"""Words like those of a question: right where the model and the pictures say so, and only there.

The planted world: things of many kinds, each with two names that nothing but the model knows to be the same. What is
written about the pictures uses the first name, the questions use the second.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from limner.core.errors import InputError
from limner.core.types import Dense, Modality, Representation, Representations, Space, Sparse
from limner.encode import expansion as expansion_module
from limner.encode.expansion import DEPTH, EACH, LEAST, SHARE, Expansion
from limner.encode.words import WORDS, WithWords, term_of, weigh_items

KINDS, PICTURES, SIZE = 30, 300, 64


class Names:
    """A model whose words are directions given by hand; a text is their sum. It reads no word of 20 letters or more."""

    fingerprint = "names"
    modalities: frozenset[Modality] = frozenset({"text"})
    picture_side = 1
    grid = None

    def __init__(self, vectors: Mapping[str, Sequence[float]]) -> None:
        self.vectors = {word: np.asarray(vector, np.float32) for word, vector in vectors.items()}
        size = len(next(iter(self.vectors.values())))
        self.spaces: Mapping[str, Space] = {"dense": Space("dense", "dense", size, "cosine")}
        self.read = 0

    def prepare(self, modality: Modality, content: Any) -> Any:
        if any(len(word) >= 20 for word in content.split()):
            raise InputError("too long")
        return content

    def encode(self, modality: Modality, prepared: Sequence[Any]) -> Representations:
        self.read += len(prepared)
        return {"dense": Dense(np.stack([sum(self.vectors[word] for word in text.split()) for text in prepared]))}

    def word(self, space: str, term: int) -> str:
        raise NotImplementedError("no space of this model is sparse")

    def pieces(self, text: str) -> list[str]:
        return text.split()

    def calibrate(self, space: str, question: Modality, scores: Any) -> Any:
        return scores


def angled(cosine: float, axis: int, size: int = 8) -> list[float]:
    """At this cosine from the first axis, towards another."""
    vector = [0.0] * size
    vector[0], vector[axis] = cosine, (1 - cosine**2) ** 0.5
    return vector


def none_holds(terms: np.ndarray) -> tuple[np.ndarray, int]:
    return np.zeros(len(terms), np.int64), 10


def weights(made: Sparse, row: int) -> dict[int, float]:
    own = slice(made.indptr[row], made.indptr[row + 1])
    return dict(zip(made.indices[own].tolist(), made.values[own].tolist(), strict=True))


COUCH = Names({"couch": angled(1, 1), "sofa": angled(0.9, 1), "settee": angled(0.8, 2), "seat": angled(0.7, 3)} | {
    "dog": angled(0, 4), "cat": angled(LEAST - 0.01, 5)
})  # fmt: skip


def test_neighbours_worked_by_hand() -> None:
    near = [["dog", "seat", "settee", "sofa", "couch", "sofa"], ["sofa"], []]
    expansion = Expansion(COUCH, "dense", lambda vectors: near)
    couch, dog, alone = expansion.neighbours([["couch", "couch"], ["dog"], ["couch"]], Dense(np.zeros((3, 8))))
    assert EACH == 2
    assert [(asked, word) for asked, word, _ in couch] == [("couch", "sofa"), ("couch", "settee")]
    assert [share for _, _, share in couch] == pytest.approx([0.9 * SHARE, 0.8 * SHARE], abs=1e-6)
    assert dog == alone == []


def test_a_question_keeps_its_words_and_asks_for_their_neighbours_too() -> None:
    expansion = Expansion(COUCH, "dense", lambda vectors: [["sofa"]] * len(vectors))
    plain, expanded = (WithWords(COUCH, none_holds, one) for one in (None, expansion))
    prepared = [plain.prepare("text", text) for text in ("couch dog", "dog")]
    before, after = (one.encode("text", prepared)[WORDS.name] for one in (plain, expanded))
    assert isinstance(before, Sparse)
    assert isinstance(after, Sparse)
    couch = weights(before, 0)[term_of("couch")]
    assert weights(after, 0) == pytest.approx(weights(before, 0) | {term_of("sofa"): 0.9 * SHARE * couch}, rel=1e-5)
    assert weights(after, 1) == weights(before, 1)
    assert [expanded.word(WORDS.name, term_of(word)) for word in ("couch", "sofa")] == ["couch", "~sofa"]


def test_words_that_are_not_like_or_that_the_model_cannot_read_are_left_out() -> None:
    expansion = Expansion(COUCH, "dense", lambda vectors: [["cat", "x" * 20, "dog"]])
    assert expansion.neighbours([["couch"]], Dense(np.zeros((1, 8)))) == [[]]
    assert expansion.neighbours([["y" * 20]], Dense(np.zeros((1, 8)))) == [[]]
    assert expansion.neighbours([[]], Dense(np.zeros((1, 8)))) == [[]]


def test_a_word_is_read_once_as_long_as_few_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    model = Names(COUCH.vectors)
    expansion = Expansion(model, "dense", lambda vectors: [["sofa", "seat"]])
    first = expansion.neighbours([["couch"]], Dense(np.zeros((1, 8))))
    assert model.read == 3
    assert expansion.neighbours([["couch"]], Dense(np.zeros((1, 8)))) == first
    assert model.read == 3
    monkeypatch.setattr(expansion_module, "REMEMBERED", 3)
    expansion.neighbours([["dog"]], Dense(np.zeros((1, 8))))
    assert expansion.neighbours([["couch"]], Dense(np.zeros((1, 8)))) == first


class World:
    """Pictures of one kind each, with a vector near that of the kind; `seed` draws them."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        kinds = rng.normal(size=(KINDS, SIZE))
        self.kind_of = rng.integers(KINDS, size=PICTURES)
        self.pictures = kinds[self.kind_of] + 0.5 * rng.normal(size=(PICTURES, SIZE))
        self.written = [[f"first{kind}", f"place{rng.integers(9)}"] for kind in self.kind_of]
        self.words = {f"place{number}": rng.normal(size=SIZE) for number in range(9)}
        for kind, direction in enumerate(kinds):
            self.words |= {f"{name}{kind}": direction + 0.3 * rng.normal(size=SIZE) for name in ("first", "second")}

    def nearby(self, vectors: Representation) -> list[list[str]]:
        order = np.argsort(-(vectors.values @ self.pictures.T), axis=1)[:, :DEPTH]
        return [[word for place in places for word in self.written[place]] for places in order.tolist()]

    def precision(self, expansion: Expansion | None, model: Names) -> float:
        """How many of the 5 best pictures by words alone are of the kind that the second name asks for."""
        encoder = WithWords(model, none_holds, expansion)
        asked = encoder.encode("text", [encoder.prepare("text", f"second{kind}") for kind in range(KINDS)])
        items = weigh_items([[" ".join(own)] for own in self.written])
        questions = [weights(asked[WORDS.name], kind) for kind in range(KINDS)]
        scores = [[dot(question, weights(items, place)) for place in range(PICTURES)] for question in questions]
        best = np.argsort(-np.array(scores), axis=1, kind="stable")[:, :5]
        return float((self.kind_of[best] == np.arange(KINDS)[:, None]).mean())


def dot(one: dict[int, float], other: dict[int, float]) -> float:
    return sum(weight * other.get(term, 0.0) for term, weight in one.items())


def test_other_names_are_found_by_a_model_that_knows_them_among_pictures_that_show_them() -> None:
    world = World(seed=0)
    model = Names(world.words)
    rng = np.random.default_rng(1)
    names = list(world.words)
    shuffled = Names({name: world.words[other] for name, other in zip(names, rng.permutation(names), strict=True)})
    elsewhere = Expansion(model, "dense", lambda vectors: [world.written[0]] * len(vectors))
    assert world.precision(Expansion(model, "dense", world.nearby), model) > 0.9
    for expansion, fake in ((None, model), (Expansion(shuffled, "dense", world.nearby), shuffled), (elsewhere, model)):
        assert world.precision(expansion, fake) < 0.15
