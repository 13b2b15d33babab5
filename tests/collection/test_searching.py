"""Questions to a collection: words, pictures, parts of pictures, filters; from many threads, while others write."""

from __future__ import annotations

import dataclasses
import shutil
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from colour_model import COLOURS, write_picture
from PIL import Image

from limner.collection import Collection
from limner.collection.ledger import upright_rgb
from limner.core.errors import BundleError, CollectionError, InputError, PictureError, QueryError
from limner.core.query import Compare, Picture, Query, Term, Text
from limner.core.types import Hit, Item, Region
from limner.data.pictures import read_picture

Ids = Callable[[Collection], dict[str, str]]


def names(hits: list[Hit]) -> list[str]:
    return [Path(hit.uri).stem for hit in hits]


@pytest.fixture
def halves(home: Path) -> Path:
    """A picture whose left half is red and whose right half is blue."""
    picture = Image.new("RGB", (40, 20), COLOURS["red"])
    picture.paste(COLOURS["blue"], (20, 0, 40, 20))
    picture.save(home / "halves.png")
    return home / "halves.png"


def test_words_and_minus(indexed: Collection) -> None:
    assert names(indexed.search("red", k=1)) == ["red"]
    assert names(indexed.search("-blue", k=1)) == ["yellow"]
    assert names(indexed.search('"red" 2:green', k=2)) == ["green", "red"]
    hits = indexed.search("red", k=99)
    assert len(hits) == 5
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert all(0 <= hit.probability <= 1 for hit in hits)


def test_a_tree_instead_of_text(indexed: Collection) -> None:
    tree = Query((Term(Text("red")),), Compare("name", "!=", "red.png"))
    assert "red" not in names(indexed.search(tree))
    assert len(indexed.search(tree)) == 4
    assert indexed.search(tree, where=Compare("name", "=", "blue.png"))[0].item.fields["name"] == "blue.png"


def test_filters_join(indexed: Collection) -> None:
    assert names(indexed.search("red", where="name in ('blue.png', 'grey.png')", k=9)) == ["grey", "blue"]
    assert names(indexed.search("red where:(name = 'blue.png')")) == ["blue"]
    assert names(indexed.search("red where:(name = 'blue.png')", where="width = 24")) == ["blue"]
    assert indexed.search("red where:(name = 'blue.png')", where="name = 'red.png'") == []
    assert sorted(names(indexed.search(where="width = 24"))) == sorted(COLOURS), "a filter alone lists"


def test_min_score(indexed: Collection) -> None:
    hits = indexed.search("red", k=5)
    between = (hits[0].probability + hits[1].probability) / 2
    assert indexed.search("red", min_score=between) == hits[:1]
    assert indexed.search("like red", min_score=1.0) == []


def test_a_picture_by_place(indexed: Collection, photos: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(home))
    for place in (photos / "blue.png", str(photos / "blue.png"), "photos/blue.png", "~/photos/blue.png"):
        [hit] = indexed.search(image=place, k=1)
        assert (Path(hit.uri).stem, round(hit.probability, 3)) == ("blue", 0.993)
    assert names(indexed.search("image:photos/blue.png", k=1)) == ["blue"]
    joined = indexed.search("red", image=photos / "green.png", k=3)
    assert set(names(joined)) == {"red", "yellow", "green"}
    assert {"dense: red", f"dense: image:{photos}/green.png"} <= set(joined[0].parts)


def test_a_picture_in_memory(indexed: Collection, photos: Path) -> None:
    [hit] = indexed.search(image=Image.open(photos / "blue.png"), k=1)
    assert (Path(hit.uri).stem, hit.parts) == ("blue", {"dense: image:(given)": pytest.approx(10)})
    clear = Image.new("RGBA", (9, 9), (*COLOURS["red"], 0))
    white = Image.new("RGB", (9, 9), "white")
    assert [hit.score for hit in indexed.search(image=clear)] == [hit.score for hit in indexed.search(image=white)]
    grey = Image.new("L", (9, 9), 128)
    assert names(indexed.search(image=grey, k=1)) == ["grey"]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_in_memory_means_what_its_file_does(halves: Path, home: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.open(halves).save(home / "turned.png", exif=exif)
    content = (home / "turned.png").read_bytes()
    from_file, _ = read_picture(content, "turned.png")
    in_memory = upright_rgb(Image.open(home / "turned.png"))
    np.testing.assert_array_equal(np.asarray(in_memory), np.asarray(from_file))


def test_a_part_of_a_picture(indexed: Collection, halves: Path) -> None:
    for box, colour in [((0, 0, 0.5, 1), "red"), ((0.5, 0, 1, 1), "blue"), ((0.999, 0.999, 1, 1), "blue")]:
        assert names(indexed.search(Query((Term(Picture(str(halves), Region(box))),)), k=1)) == [colour]
    assert names(indexed.search(f"image:{halves}@0,0,0.5,1", k=1)) == ["red"]


def test_similar(indexed: Collection, photos: Path, ids: Ids) -> None:
    write_picture(photos / "crimson.png", (200, 30, 30))
    indexed.add(photos)
    hits = indexed.similar(ids(indexed)["red.png"], k=3)
    assert names(hits)[0] == "crimson"
    assert "red" not in names(indexed.similar(ids(indexed)["red.png"], k=99))
    assert len(indexed.similar(ids(indexed)["red.png"], k=99)) == 5
    assert names(indexed.similar(ids(indexed)["red.png"], where="name = 'blue.png'")) == ["blue"]
    assert indexed.similar(ids(indexed)["red.png"], min_score=1.0) == []
    with pytest.raises(InputError, match=r"no item 'nobody' in .*photos\.limner: limner search --json shows ids"):
        indexed.similar("nobody")


def test_similar_to_a_picture_that_has_vanished(indexed: Collection, photos: Path, ids: Ids) -> None:
    id = ids(indexed)["red.png"]
    write_picture(photos / "crimson.png", (200, 30, 30))
    (photos / "red.png").unlink()
    indexed.add(photos)
    assert names(indexed.similar(id, k=1)) == ["crimson"]


def test_an_empty_collection(collection: Collection, home: Path, bundle: Path) -> None:
    assert len(collection) == 0
    assert collection.search("red") == []
    assert list(collection.items()) == []
    assert collection.skipped() == []
    assert collection.prune() == collection.remove(["nobody"]) == 0
    assert collection.check() == []
    with pytest.raises(InputError, match="no item 'i1'"):
        collection.similar("i1")
    with pytest.raises(InputError, match="no item has a field 'year'"):
        collection.search("red", where="year = 1")
    with pytest.raises(InputError, match="index some pictures first"):
        collection.export_vectors(home / "x.npy")
    collection.close()
    with Collection(home / "photos.limner", create=False, model=bundle) as again:
        assert again.search("red") == []


def test_what_cannot_be_asked(indexed: Collection, photos: Path, home: Path) -> None:
    for text in ("", "  ", "-", '"never closed'):
        with pytest.raises(InputError):
            indexed.search(text)
    with pytest.raises(QueryError):
        indexed.search("red", where="")
    with pytest.raises(InputError, match="at least 1"):
        indexed.search("red", k=0)
    with pytest.raises(InputError, match="0 to 1"):
        indexed.search("red", min_score=1.5)
    with pytest.raises(InputError, match="cancel"):
        indexed.search("red -red")
    with pytest.raises(InputError, match=r"tokens and the model reads 64"):
        indexed.search("red " * 90)
    with pytest.raises(PictureError, match=r"nowhere.png: no such file; search with another picture$"):
        indexed.search(image="nowhere.png")
    (home / "text.png").write_text("no picture")
    with pytest.raises(PictureError, match=r"text.png: not a picture; search with another picture$"):
        indexed.search(image=home / "text.png")
    content = (photos / "red.png").read_bytes()
    (home / "half.png").write_bytes(content[:60])
    with Image.open(home / "half.png") as half, pytest.raises(PictureError, match="the given picture: cannot be read"):
        indexed.search(image=half)


def test_a_collection_whose_model_has_gone(indexed: Collection, photos: Path, home: Path, bundle: Path) -> None:
    indexed.close()
    place = home / "copy"
    shutil.copytree(bundle, place)
    with Collection(home / "other.limner", model=place) as other:
        other.add(photos)
    place.rename(home / "moved")
    with Collection(home / "other.limner") as other:
        with pytest.raises(BundleError, match=r"no model .*copy.*limner reindex -c .*other\.limner --model FOLDER"):
            other.search("red")
        assert other.status().items == 5
        assert other.check() == []
    with Collection(home / "other.limner", model=home / "moved") as other:
        assert names(other.search("red", k=1)) == ["red"]
        assert other.reindex().updated == 0
    with Collection(home / "other.limner") as other:
        assert names(other.search("red", k=1)) == ["red"]


def test_eight_threads_ask_at_once(indexed: Collection, photos: Path) -> None:
    expected = {colour: indexed.search(colour, k=5) for colour in COLOURS}
    pictures = {colour: Image.open(photos / f"{colour}.png").convert("RGB") for colour in COLOURS}

    def ask(number: int) -> bool:
        colour = list(COLOURS)[number % len(COLOURS)]
        by_picture = indexed.search(image=pictures[colour], k=1)
        return indexed.search(colour, k=5) == expected[colour] and names(by_picture) == [colour]

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(ask, range(80)))


def test_a_first_question_of_eight_threads(indexed: Collection, home: Path, bundle: Path) -> None:
    with Collection(home / "photos.limner", model=bundle) as fresh, ThreadPoolExecutor(8) as pool:
        ready = threading.Barrier(8)

        def ask(_: int) -> list[str]:
            ready.wait()
            return names(fresh.search("red", k=1))

        assert list(pool.map(ask, range(8))) == [["red"]] * 8


@pytest.mark.usefixtures("small_commits")
def test_search_while_another_thread_adds(collection: Collection, photos: Path, home: Path) -> None:
    collection.add(photos)
    for number in range(300):
        write_picture(home / "more" / f"{number}.png", (number % 100, 100 + number // 3, 200))
    seen: list[int] = []
    done = threading.Event()

    def look() -> None:
        while not done.is_set():
            hits = collection.search("red", k=1000)
            assert names(hits[:1]) == ["red"]
            assert len({hit.item.id for hit in hits}) == len(hits)
            seen.append(len(hits))

    with ThreadPoolExecutor(3) as pool:
        readers = [pool.submit(look) for _ in range(2)]
        try:
            collection.add(home / "more")
        finally:
            done.set()
        for reader in readers:
            reader.result()
    assert seen[0] < 305
    assert len(set(seen)) > 2, "commits are seen while the run goes on"
    assert len(collection.search("red", k=1000)) == 305


def test_a_closed_collection(indexed: Collection) -> None:
    indexed.close()
    with pytest.raises(CollectionError, match="has been closed"):
        indexed.search("red")


def test_words_like_those_of_the_query_are_found_on_request(home: Path, photos: Path) -> None:
    """With the model of the package: it knows that a lady is a woman, and the sea an ocean."""
    texts = {"red": "a woman by the ocean", "green": "a man on a hill", "blue": "a dog with a ball"}
    with Collection(home / "small.limner") as collection:
        collection.add([Item(str(photos / f"{name}.png"), texts=(text,)) for name, text in texts.items()])
        for expand, wanted in ((False, set()), (True, {"words: ~woman", "words: ~ocean"})):
            hits = collection.search("a lady at the sea", expand=expand, explain=True)
            told = {Path(hit.uri).stem: {part for part in hit.parts if part.startswith("words")} for hit in hits}
            assert told == {"red": wanted, "green": set(), "blue": set()}
            assert all(sum(hit.parts.values()) == pytest.approx(hit.score, abs=1e-4) for hit in hits)
        unable = dataclasses.replace(collection._model(), expansion=None)
        with pytest.raises(InputError, match="no dense space to compare words in: search without expand"):
            unable.engine(expand=True)
