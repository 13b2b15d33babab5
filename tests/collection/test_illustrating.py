"""A few pictures for a text of many sentences."""

from __future__ import annotations

from pathlib import Path

import pytest
from colour_model import write_picture

from limner.collection import Collection
from limner.core.errors import InputError, QueryError
from limner.search.illustrate import Illustration

ARTICLE = "It is red. A red thing, red again.\n\nThere is blue! Red is red. Grey."


@pytest.fixture
def twins(collection: Collection, photos: Path) -> Collection:
    """One picture of each colour, and many that are nearly the red one."""
    for number in range(8):
        write_picture(photos / f"crimson{number}.png", (228 - number, 22, 22))
    collection.add(photos)
    return collection


def told(chosen: list[Illustration]) -> dict[str, tuple[str, ...]]:
    return {Path(one.hit.uri).stem.rstrip("0123456789"): one.passages for one in chosen}


def test_what_is_shown_already_is_not_shown_again(twins: Collection) -> None:
    """The best answers to the whole text, and to most of its sentences, are all of one colour."""
    whole = [Path(hit.uri).stem for hit in twins.search(ARTICLE.replace("\n", " "), k=3)]
    assert all(name == "red" or name.startswith("crimson") for name in whole)
    chosen = told(twins.illustrate(ARTICLE, k=3))
    assert next(iter(chosen)) in ("red", "crimson")
    assert {"blue", "grey"} < set(chosen)
    assert chosen[next(iter(chosen))] == ("It is red.", "A red thing, red again.", "Red is red.")
    assert chosen["blue"] == ("There is blue!",)
    assert chosen["grey"] == ("Grey.",)


def test_a_picture_is_told_by_the_passage_that_it_fits_best(twins: Collection) -> None:
    for one in twins.illustrate(ARTICLE, k=3):
        assert {part.partition(": ")[2] for part in one.hit.parts} <= set(one.passages)
        assert 0 < one.hit.probability <= 1


def test_filter_and_least_probability(twins: Collection) -> None:
    assert set(told(twins.illustrate(ARTICLE, where="name != 'blue.png'", min_score=0.9))) <= {"red", "crimson", "grey"}
    assert "blue" in told(twins.illustrate(ARTICLE, min_score=0.9))
    assert twins.illustrate("Some like red. Others like blue.", min_score=1.0) == []
    assert len(twins.illustrate("red.", k=9)) == 1


def test_what_cannot_be_illustrated(twins: Collection) -> None:
    for text in ("", " \n ", "... !"):
        with pytest.raises(InputError, match="holds no words: give it at least one sentence"):
            twins.illustrate(text)
    with pytest.raises(InputError, match="k is 0"):
        twins.illustrate(ARTICLE, k=0)
    with pytest.raises(QueryError):
        twins.illustrate(ARTICLE, where="year >=")


def test_an_empty_collection_has_nothing_to_show(collection: Collection) -> None:
    assert collection.illustrate(ARTICLE) == []
