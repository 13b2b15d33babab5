"""A collection whose vectors a server keeps: the same calls, the same answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from colour_model import write_picture
from servers import SERVERS, milvus_lite, needs

from limner.collection import Collection
from limner.core.errors import CollectionError, InputError, StorageError


@pytest.fixture(params=[pytest.param(url, id=name, marks=mark) for name, url, mark in SERVERS])
def url(request: pytest.FixtureRequest) -> str:
    return request.param()


@pytest.fixture
def indexed(home: Path, photos: Path, bundle: Path, url: str) -> Iterator[Collection]:
    """`photos/` with captions for two of the pictures, in a collection on the server."""
    (photos / "red.txt").write_text("a ripe strawberry")
    (photos / "blue.txt").write_text("the sea")
    with Collection(home / "photos.limner", model=bundle, vectors=url) as collection:
        collection.add(photos)
        yield collection


@pytest.fixture
def beside(home: Path, photos: Path, bundle: Path, indexed: Collection) -> Iterator[Collection]:
    """The same pictures in a collection of files."""
    with Collection(home / "files.limner", model=bundle) as collection:
        collection.add(photos)
        yield collection


def names(hits: list) -> list[str]:
    return [Path(hit.uri).stem for hit in hits]


def test_answers_are_those_of_a_collection_of_files(indexed: Collection, beside: Collection, photos: Path) -> None:
    ids = {Path(item.uri).stem: item.id for item in indexed.items()}
    there = {Path(item.uri).stem: item.id for item in beside.items()}
    pairs = [
        (left.search(query, k=k, where=where), right.search(query, k=k, where=where))
        for query in ("red", "strawberry", "red -blue", "sea strawberry")
        for where in (None, "name != 'green.png'")
        for k in (2, 50)
        for left, right in [(indexed, beside)]
    ]
    pairs.append((indexed.search(image=photos / "blue.png"), beside.search(image=photos / "blue.png")))
    pairs.append((indexed.similar(ids["red"]), beside.similar(there["red"])))
    for here, files in pairs:
        assert names(here) == names(files)
        assert [hit.score for hit in here] == pytest.approx([hit.score for hit in files], abs=1e-4)
        assert [hit.probability for hit in here] == pytest.approx([hit.probability for hit in files], abs=1e-4)


def test_what_was_removed_vanished_or_changed(indexed: Collection, photos: Path) -> None:
    everything = set(names(indexed.search("red", k=50)))
    indexed.remove(under=photos / "red.png")
    assert set(names(indexed.search("red", k=50))) == everything - {"red"}
    (photos / "blue.png").unlink()
    indexed.add(photos)  # red is back, blue has gone
    assert set(names(indexed.search("red", k=50))) == everything - {"blue"}
    assert names(indexed.search("red"))[0] == "red"
    write_picture(photos / "green.png", "red")
    indexed.add(photos)
    assert set(names(indexed.search("red", k=2))) == {"red", "green"}
    assert [index.stats()["dead"] for index in indexed._model().indexes.values()] == [0, 0], "all swept"
    assert indexed.prune() == 1
    assert indexed.check() == []


def test_opened_again_it_knows_where(indexed: Collection, home: Path, url: str) -> None:
    before = [(hit.uri, hit.score) for hit in indexed.search("red strawberry")]
    with Collection(indexed.path) as again:
        assert again.status().server
        assert [(hit.uri, hit.score) for hit in again.search("red strawberry")] == before
    with Collection(indexed.path, vectors=url):
        pass
    with pytest.raises(CollectionError, match="its vectors are kept on"):
        Collection(indexed.path, vectors="http://elsewhere:19530")


def test_reindex_goes_over_to_another_model(indexed: Collection, finer: Path) -> None:
    before = names(indexed.search("red", k=3))
    indexed.reindex(finer)
    assert names(indexed.search("red", k=3))[0] == before[0]
    server, (_, prefix) = indexed._storage._server, indexed._catalogue.shards.server()
    assert len(server.names(prefix)) == 2, "one table of the model, one of words; the old one has gone"


def test_vectors_leave_and_come_back(
    indexed: Collection, home: Path, bundle: Path, kept: Callable[[Collection], dict]
) -> None:
    indexed.export_vectors(home / "x.npy")
    with Collection(home / "copy.limner", model=bundle, vectors=indexed._catalogue.shards.server()[0]) as copy:
        copy.import_vectors(home / "x.npy")
        assert kept(copy) == kept(indexed)


def test_what_the_server_lost_is_made_again(indexed: Collection) -> None:
    index = indexed._model().indexes["dense"]
    before = [(hit.uri, hit.score) for hit in indexed.search("red")]
    index._table.delete(2 * index.placed()[:3])
    [problem] = indexed.check()
    assert "3 vectors of the space dense are not there" in problem
    assert indexed.reindex().updated == 3
    assert indexed.check() == []
    assert [(hit.uri, hit.score) for hit in indexed.search("red")] == before


@pytest.mark.parametrize(
    ("url", "package", "said"),
    [
        ("http://127.0.0.1:1", "pymilvus", "http://127.0.0.1:1: Milvus: .* start the server, or mend the URL"),
        ("postgresql://a:secret@127.0.0.1:1/x", "psycopg", r"a:\*\*\*@127.0.0.1:1/x: PostgreSQL: .* start the server"),
    ],
)
def test_a_server_that_does_not_answer(home: Path, url: str, package: str, said: str) -> None:
    pytest.importorskip(package)
    with pytest.raises(StorageError, match=said) as caught:
        Collection(home / "x.limner", vectors=url)
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (home / "x.limner").exists()


def test_no_place_for_vectors(home: Path) -> None:
    with pytest.raises(InputError, match="mysql://host/x: no place for vectors"):
        Collection(home / "x.limner", vectors="mysql://host/x")
    assert not (home / "x.limner").exists()


@needs("pymilvus", "milvus_lite")
def test_a_collection_of_files_stays_one(beside_files: Collection) -> None:
    with pytest.raises(CollectionError, match="in files beside it"):
        Collection(beside_files.path, vectors=milvus_lite())


@pytest.fixture
def beside_files(collection: Collection, photos: Path) -> Collection:
    collection.add(photos)
    assert np.isfinite(collection.search("red")[0].score)
    return collection
