"""Another model for the same pictures, and vectors made again."""

from __future__ import annotations

import dataclasses
import shutil
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from colour_model import COLOURS, write_colour_bundle, write_picture

from limner.collection import Collection, Progress
from limner.core.errors import BundleError, CollectionError, InputError, ModelMismatch
from limner.encode.bundle import Bundle, write_bundle

Ids = Callable[[Collection], dict[str, str]]
Kept = Callable[[Collection], dict[str, Any]]


def names(collection: Collection, words: str = "red", k: int = 1) -> list[str]:
    return [Path(hit.uri).stem for hit in collection.search(words, k=k)]


def shards(collection: Collection) -> list[Path]:
    """The files of the models' vectors that are there."""
    with closing(sqlite3.connect(collection.path / "catalogue.sqlite")) as ledger:
        written = {name for (name,) in ledger.execute("SELECT file FROM shards WHERE space = 'words'")}
    found = sorted(path for path in (collection.path / "vectors").iterdir() if path.name not in written)
    assert found
    return found


def write_many(folder: Path, count: int) -> Path:
    for number in range(count):
        write_picture(folder / f"{number:03}.png", (number, 200 - number, 99))
    return folder


class Interrupted(Exception):
    pass


def interrupt_at(done: int) -> Callable[[Progress], None]:
    def tell(progress: Progress) -> None:
        if progress.done >= done:
            raise Interrupted

    return tell


def test_another_model(indexed: Collection, finer: Path, photos: Path, ids: Ids, home: Path, kept: Kept) -> None:
    before, fingerprint = ids(indexed), indexed.status().model_fingerprint
    told: list[Progress] = []
    report = indexed.reindex(finer, progress=told.append)
    assert (report.updated, report.skipped) == (5, ())
    assert (told[-1].done, told[-1].total) == (5, 5)
    assert ids(indexed) == before
    status = indexed.status()
    assert (status.model_name, status.shards, status.jobs) == (str(finer), 2, ())
    assert status.model_fingerprint != fingerprint
    assert len(shards(indexed)) == 1, "the old vectors are swept"
    assert names(indexed) == ["red"]
    assert indexed.add(photos).unchanged == 5
    with Collection(home / "fresh.limner", model=finer) as fresh:
        fresh.add(photos)
        assert kept(fresh) == kept(indexed)
    indexed.close()
    with Collection(home / "photos.limner") as again:
        assert names(again) == ["red"]


def test_another_models_vectors_are_refused(
    indexed: Collection, home: Path, bundle: Path, finer: Path, photos: Path
) -> None:
    with pytest.raises(
        ModelMismatch, match=f"photos.limner: its vectors are of model .*limner reindex --model {finer}"
    ):
        Collection(home / "photos.limner", model=finer)
    assert names(indexed) == ["red"]
    Collection(home / "photos.limner", model=bundle).close()


def test_half_a_bundle(indexed: Collection, home: Path, finer: Path, photos: Path) -> None:
    half = shutil.copytree(finer, home / "half")
    (half / "text.onnx").unlink()
    with pytest.raises(BundleError, match=r"text\.onnx is missing: copy the whole folder again"):
        Collection(home / "new.limner", model=half)
    assert not (home / "new.limner").exists()
    with pytest.raises(BundleError, match=r"text\.onnx"):
        indexed.reindex(half)
    with pytest.raises(BundleError, match="no model 'clip'"):
        indexed.reindex("clip")
    assert names(indexed) == ["red"]
    assert indexed.status().jobs == ()


def test_a_model_whose_bundle_was_changed_in_place(home: Path, photos: Path) -> None:
    place = write_colour_bundle(home / "limner" / "models" / "mine")
    with Collection(home / "mine.limner", model="mine") as collection:
        collection.add(photos)
        assert collection.status().model_name == "mine"
    shutil.rmtree(place)
    write_colour_bundle(place, size=12)
    with Collection(home / "mine.limner") as collection:
        with pytest.raises(ModelMismatch, match="limner reindex --model"):
            collection.search("red")
        assert collection.reindex().updated == 5
        assert names(collection) == ["red"]


def test_a_folder_that_has_the_name_of_a_model_at_hand(home: Path, photos: Path) -> None:
    write_colour_bundle(home / "limner" / "models" / "mine")
    here = write_colour_bundle(home / "mine", size=12)
    with Collection(home / "a.limner", model=Path("mine")) as collection:
        collection.add(photos)
        assert collection.status().model_name == str(here)
    with Collection(home / "a.limner") as collection:
        assert names(collection) == ["red"]


@pytest.mark.usefixtures("small_commits")
def test_interrupted_and_resumed(collection: Collection, finer: Path, home: Path, kept: Kept) -> None:
    collection.add(write_many(home / "many", 60))
    with pytest.raises(Interrupted):
        collection.reindex(finer, progress=interrupt_at(40))
    status = collection.status()
    assert [(job.kind, job.source) for job in status.jobs] == [("reindex", str(finer))]
    assert len(collection.search("red", k=99)) == 60, "the old model answers"
    assert collection.check() == []
    (home / "many" / "000.png").unlink()
    write_picture(home / "many" / "001.png", "red")
    write_picture(home / "many" / "new.png", "blue")
    report = collection.add(home / "many")  # with the old model, between the two runs
    assert (report.added, report.updated, report.vanished) == (1, 1, 1)
    assert [job.kind for job in collection.status().jobs] == ["reindex"]
    report = collection.reindex(finer)
    assert 2 <= report.updated < 40, "what the first run committed is kept"
    assert collection.status().jobs == ()
    assert collection.check() == []
    with Collection(home / "fresh.limner", model=finer) as fresh:
        fresh.add(home / "many")
        assert kept(fresh) == kept(collection)


@pytest.mark.usefixtures("small_commits")
def test_another_model_than_the_one_that_was_interrupted(
    collection: Collection, bundle: Path, finer: Path, home: Path
) -> None:
    collection.add(write_many(home / "many", 40))
    with pytest.raises(Interrupted):
        collection.reindex(finer, progress=interrupt_at(30))
    assert collection.reindex(bundle).updated == 0
    assert collection.status().jobs == ()
    assert {path.name for path in (collection.path / "vectors").iterdir()} == collection._catalogue.shards.files()
    assert collection.reindex(finer).updated == 40


@pytest.mark.usefixtures("small_commits")
def test_the_old_model_answers_until_the_change_over(
    collection: Collection, finer: Path, home: Path, bundle: Path
) -> None:
    collection.add(write_many(home / "many", 60))
    expected = collection.search("red", k=60)
    halfway, asked = threading.Event(), threading.Event()

    def wait(progress: Progress) -> None:
        if progress.done >= 40 and not asked.is_set():
            halfway.set()
            asked.wait(20)

    with Collection(home / "photos.limner", model=bundle) as other, ThreadPoolExecutor(1) as pool:
        run = pool.submit(collection.reindex, finer, progress=wait)
        try:
            assert halfway.wait(20)
            assert collection.search("red", k=60) == expected
            assert other.search("red", k=60) == expected
        finally:
            asked.set()
        run.result()
        after = collection.search("red", k=60)
        assert [hit.uri for hit in after] == [hit.uri for hit in other.search("red", k=60)]
        assert other.status().model_name == str(finer), "an open reader follows the change-over"


def test_readers_never_see_a_change_over(indexed: Collection, bundle: Path, finer: Path, home: Path) -> None:
    done = threading.Event()

    def look(collection: Collection) -> int:
        asked = 0
        while not done.is_set() or not asked:
            assert len(collection.search("red", k=9)) == 5
            asked += 1
        return asked

    with Collection(home / "photos.limner") as other, ThreadPoolExecutor(4) as pool:
        readers = [pool.submit(look, collection) for collection in (indexed, other, other)]
        try:
            for model in (finer, bundle, finer, bundle):
                assert indexed.reindex(model).updated == 5
        finally:
            done.set()
        assert all(reader.result() for reader in readers)


@pytest.mark.parametrize("damage", ["flip", "cut", "remove"])
def test_damaged_vectors_are_told_and_made_again(
    indexed: Collection, bundle: Path, home: Path, damage: str, ids: Ids, photos: Path
) -> None:
    before = ids(indexed)
    indexed.close()
    [shard] = shards(indexed)
    content = bytearray(shard.read_bytes())
    content[-3] ^= 0x40
    shard.write_bytes(content if damage == "flip" else content[:-8])
    if damage == "remove":
        shard.unlink()
    with Collection(home / "photos.limner") as collection:
        with pytest.raises(CollectionError, match=r"\.safetensors: vectors damaged .*: limner reindex"):
            collection.search("red")
        [problem] = collection.check()
        assert "limner reindex" in problem
        assert collection.reindex().updated == 5
        assert collection.check() == []
        assert (names(collection), ids(collection)) == (["red"], before)
        assert collection.add(photos).unchanged == 5


def test_items_that_lost_their_vectors_are_told(indexed: Collection, bundle: Path) -> None:
    [shard] = shards(indexed)
    shard.write_bytes(b"damaged")
    with pytest.raises(Interrupted):
        indexed.reindex(progress=interrupt_at(1))
    [problem] = indexed.check()
    assert "5 items have no vector" in problem
    with pytest.raises(InputError, match="has no vector of this model; make it with: limner reindex"):
        indexed.similar(next(iter(indexed.items())).id)
    indexed.reindex()
    assert indexed.check() == []


def test_pictures_that_cannot_be_read_any_more(indexed: Collection, finer: Path, photos: Path, ids: Ids) -> None:
    before = ids(indexed)
    (photos / "red.png").unlink()
    (photos / "blue.png").write_bytes(b"no picture")
    report = indexed.reindex(finer)
    assert report.updated == 3
    assert {Path(one.uri).name: one.reason for one in report.skipped} == {
        "red.png": "vanished",
        "blue.png": "not a picture",
    }
    assert (len(indexed), indexed.status().vanished) == (3, 2)
    for colour in ("red", "blue"):
        write_picture(photos / f"{colour}.png", colour)
    assert indexed.add(photos).updated == 2
    assert ids(indexed) == before
    assert names(indexed) == ["red"]


def test_none_that_can_be_read_changes_nothing(indexed: Collection, finer: Path, photos: Path) -> None:
    photos.rename(photos.parent / "away")  # a drive that is not there
    with pytest.raises(InputError, match=r"none of the 5 pictures can be read \(.*blue\.png: vanished\)"):
        indexed.reindex(finer)
    assert (len(indexed), names(indexed)) == (5, ["red"])
    assert indexed.status().model_name != str(finer)
    (photos.parent / "away").rename(photos)
    assert indexed.reindex(finer).updated == 5


def test_an_empty_collection_changes_its_model(collection: Collection, finer: Path, photos: Path) -> None:
    assert collection.reindex(finer).updated == 0
    collection.add(photos)
    assert collection.status().model_name == str(finer)
    assert sorted(names(collection, k=9)) == sorted(COLOURS)


def test_models_that_a_collection_cannot_use(home: Path, finer: Path, photos: Path) -> None:
    whole = Bundle.load(finer)
    text = whole.manifest.text
    assert text is not None

    calibration = {"dense": {"text": whole.manifest.calibration["dense"]["text"]}}
    manifest = dataclasses.replace(whole.manifest, image=None, calibration=calibration)
    files: dict[str, bytes | Path] = {name: finer / name for name in (text.graph, text.tokenizer)}
    blind = write_bundle(home / "blind", manifest, files).path
    with Collection(home / "x.limner", model=blind) as collection:
        with pytest.raises(InputError, match="encodes text, not image"):
            collection.add(photos)
        assert collection.status().jobs == ()
