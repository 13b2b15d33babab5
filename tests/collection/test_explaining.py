"""Why a picture was found, down to the words of the question and the places of the picture."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from token_model import write_token_bundle

from limner.collection import Collection
from limner.core.types import Hit, Item
from limner.data.demo import write_demo_pictures
from limner.encode.onnx import OnnxEncoder
from limner.nn.blocks.token_reducer import TokenReducer
from limner.nn.heads.lexicon import Lexicon
from limner.train.export import LATE

QUESTION = "a red thing and a blue thing"
SAID = ["a", "red", "thing", "and", "a (2)", "blue", "thing (2)"]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return sorted(write_demo_pictures(tmp_path_factory.mktemp("demo") / "pictures"))[:20]


@pytest.fixture
def opened(home: Path, pictures: list[Path]) -> Iterator[Collection]:
    """Photographs and scenes; of each one vector, weighted words, and a vector for each of 2 x 2 places."""
    model = write_token_bundle(home / "model", lexicon=Lexicon(6, 8))
    with Collection(home / "c.limner", model=model) as collection:
        collection.add([Item(str(path)) for path in pictures])
        yield collection


def late_parts(hit: Hit) -> dict[str, float]:
    return {name.removeprefix(f"{LATE}: "): share for name, share in hit.parts.items() if name.startswith(LATE)}


def best_places(encoder: OnnxEncoder, hit: Hit) -> tuple[list[tuple[int, int]], list[float]]:
    """(row, column) of the best place of each token of the question, and their products, from the model itself."""
    with Image.open(hit.uri) as picture:
        seen = encoder.encode("image", [encoder.prepare("image", picture.convert("RGB"))])[LATE].values
    asked = encoder.encode("text", [encoder.prepare("text", QUESTION)])[LATE].values
    products = asked @ seen.T
    return [divmod(token, 2) for token in products.argmax(axis=1).tolist()], products.max(axis=1).tolist()


def test_each_word_is_told_with_its_share_and_its_place(opened: Collection) -> None:
    encoder = opened._model().encoder
    places = set()
    hits = opened.search(QUESTION, k=20, explain=True)
    assert {name.partition(":")[0] for hit in hits for name in hit.parts} == {"dense", "lexical", LATE}
    for hit in hits:
        parts = late_parts(hit)
        assert sorted(parts) == sorted(SAID)
        assert sum(hit.parts.values()) == pytest.approx(hit.score, abs=1e-4)
        cells, products = best_places(encoder, hit)
        for word, (row, column), product in zip(SAID, cells, products, strict=True):
            region = hit.regions[f"{LATE}: {word}"]
            assert region.box == (column / 2, row / 2, (column + 1) / 2, (row + 1) / 2)
            assert parts[word] / sum(parts.values()) == pytest.approx(product / sum(products), abs=1e-2)
            places.add(region.box)
        shares = {box: sum(parts[word] for word in SAID if hit.regions[f"{LATE}: {word}"].box == box) for box in places}
        if hit.region is not None:
            assert shares[hit.region.box] == max(shares.values())
    assert len(places) > 1


def test_the_words_of_a_hit_are_as_much_as_the_whole_question(opened: Collection) -> None:
    plain, explained = opened.search(QUESTION, k=20), opened.search(QUESTION, k=20, explain=True)
    assert [hit.item.id for hit in plain] == [hit.item.id for hit in explained]
    for one, other in zip(plain, explained, strict=True):
        assert (one.region, one.regions) == (None, {})
        assert one.score == pytest.approx(other.score, abs=1e-4)
        assert one.parts[f"{LATE}: {QUESTION}"] == pytest.approx(sum(late_parts(other).values()), abs=1e-4)


def test_pictures_and_unwanted_words(opened: Collection, pictures: list[Path]) -> None:
    for hit in opened.search("red -blue", image=pictures[0], k=3, explain=True):
        parts = late_parts(hit)
        assert set(parts) == {"red", "-blue", f"image:{pictures[0]}"}
        assert set(hit.regions) == {f"{LATE}: red", f"{LATE}: -blue"}
        assert np.sign(parts["red"]) == np.sign(-parts["-blue"])
        assert sum(hit.parts.values()) == pytest.approx(hit.score, abs=1e-4)


def test_tokens_that_are_no_places_have_words_and_no_regions(home: Path, pictures: list[Path]) -> None:
    model = write_token_bundle(home / "few", TokenReducer(3, inner=4))
    with Collection(home / "few.limner", model=model) as collection:
        collection.add([Item(str(pictures[0]))])
        [hit] = collection.search("red thing", explain=True)
    assert set(late_parts(hit)) == {"red", "thing"}
    assert (hit.region, hit.regions) == (None, {})
