"""Files that come, change, move and go, and what the collection then knows of them."""

from __future__ import annotations

import os
import shutil
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from colour_model import COLOURS, write_picture
from PIL import Image

from limner.collection import AddReport, Collection, Skipped
from limner.core.errors import InputError, SourceError

Ids = Callable[[Collection], dict[str, str]]
Kept = Callable[[Collection], dict[str, Any]]


def counts(report: AddReport) -> dict[str, int]:
    """What a report counts, without what did not happen."""
    names = ("added", "updated", "unchanged", "moved", "vanished", "pruned")
    found = {name: getattr(report, name) for name in names} | {"skipped": len(report.skipped)}
    return {name: count for name, count in found.items() if count}


def best(collection: Collection, words: str) -> str:
    return Path(collection.search(words, k=1)[0].uri).name


def found(collection: Collection) -> set[str]:
    return {Path(hit.uri).name for hit in collection.search("red", k=1000)}


def shards(collection: Collection) -> set[str]:
    """The files of the model's vectors that are there."""
    with closing(sqlite3.connect(collection.path / "catalogue.sqlite")) as ledger:
        written = {name for (name,) in ledger.execute("SELECT file FROM shards WHERE space = 'words'")}
    return {path.name for path in (collection.path / "vectors").iterdir()} - written


def later(path: Path) -> None:
    """Give a file another time of change."""
    stamp = path.stat().st_mtime_ns + 10_000_000
    os.utime(path, ns=(stamp, stamp))


def test_add(collection: Collection, photos: Path) -> None:
    assert counts(collection.add(photos)) == {"added": 5}
    assert len(collection) == 5
    for colour in COLOURS:
        assert best(collection, colour) == f"{colour}.png"
    item = collection.search("red")[0].item
    assert item.uri == str(photos / "red.png")
    assert item.fields == {"folder": "", "name": "red.png", "format": "png", "width": 24, "height": 16}


def test_add_again_reads_nothing(indexed: Collection, photos: Path, ids: Ids) -> None:
    before = ids(indexed)
    for path in photos.iterdir():  # would be seen if anything were read
        stamp = path.stat().st_mtime_ns
        path.write_bytes(bytes(path.stat().st_size))
        os.utime(path, ns=(stamp, stamp))
    assert counts(indexed.add(photos)) == {"unchanged": 5}
    assert ids(indexed) == before
    assert best(indexed, "red") == "red.png"


def test_a_path_may_be_text_with_a_tilde_or_relative(
    collection: Collection, photos: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(home))
    assert counts(collection.add("~/photos")) == {"added": 5}
    assert counts(collection.add("photos")) == counts(collection.add(f"{photos}/")) == {"unchanged": 5}


def test_a_changed_file_keeps_its_id(indexed: Collection, photos: Path, ids: Ids) -> None:
    before = ids(indexed)
    write_picture(photos / "grey.png", (255, 0, 0))
    later(photos / "grey.png")
    assert counts(indexed.add(photos)) == {"updated": 1, "unchanged": 4}
    assert ids(indexed) == before
    assert {Path(hit.uri).name for hit in indexed.search("red", k=2)} == {"red.png", "grey.png"}


def test_a_touched_file_keeps_its_vector(indexed: Collection, photos: Path, ids: Ids, kept: Kept) -> None:
    before, files = (ids(indexed), kept(indexed)), shards(indexed)
    later(photos / "red.png")
    assert counts(indexed.add(photos)) == {"updated": 1, "unchanged": 4}
    assert (ids(indexed), kept(indexed)) == before
    assert shards(indexed) == files, "the same bytes were encoded again"
    assert counts(indexed.add(photos)) == {"unchanged": 5}
    shutil.copy(photos / "red.png", photos / "twin.png")
    indexed.add(photos)
    files = shards(indexed)
    later(photos / "twin.png")
    assert counts(indexed.add(photos)) == {"updated": 1, "unchanged": 5}
    assert shards(indexed) == files, "its vectors were written again"


def test_a_moved_file_keeps_its_id_and_vector(indexed: Collection, photos: Path, ids: Ids) -> None:
    before, files = ids(indexed), shards(indexed)
    (photos / "deep").mkdir()
    (photos / "red.png").rename(photos / "deep" / "crimson.png")
    assert counts(indexed.add(photos)) == {"moved": 1, "unchanged": 4}
    after = ids(indexed)
    assert after["crimson.png"] == before["red.png"]
    assert set(after) == {"crimson.png", "blue.png", "green.png", "yellow.png", "grey.png"}
    assert indexed.get(after["crimson.png"]).fields["folder"] == "deep"
    assert best(indexed, "red") == "crimson.png"
    assert shards(indexed) == files
    assert counts(indexed.add(photos)) == {"unchanged": 5}


def test_a_file_that_vanished_before_it_was_found_elsewhere(indexed: Collection, photos: Path, ids: Ids) -> None:
    before = ids(indexed)
    shutil.move(photos / "red.png", photos.parent / "red.png")
    assert counts(indexed.add(photos)) == {"unchanged": 4, "vanished": 1}
    shutil.move(photos.parent / "red.png", photos / "again.png")
    assert counts(indexed.add(photos)) == {"unchanged": 4, "moved": 1}
    assert ids(indexed)["again.png"] == before["red.png"]
    assert len(indexed) == 5


def test_a_file_moved_between_two_folders(indexed: Collection, photos: Path, ids: Ids) -> None:
    before = ids(indexed)
    (photos.parent / "other").mkdir()
    shutil.move(photos / "red.png", photos.parent / "other")
    assert counts(indexed.add(photos.parent / "other")) == {"moved": 1}
    assert counts(indexed.add(photos)) == {"unchanged": 4}
    assert ids(indexed) == before


def test_a_copy_is_another_item(indexed: Collection, photos: Path, ids: Ids) -> None:
    before = ids(indexed)
    shutil.copy(photos / "red.png", photos / "copy.png")
    assert counts(indexed.add(photos)) == {"added": 1, "unchanged": 5}
    after = ids(indexed)
    assert after.items() >= before.items()
    assert after["copy.png"] not in before.values()
    first, second = indexed.search("red", k=2)
    assert {first.uri, second.uri} == {str(photos / "red.png"), str(photos / "copy.png")}
    assert first.parts["dense: red"] == second.parts["dense: red"]


def test_moved_and_copied_at_once_is_one_moved_and_the_rest_added(indexed: Collection, photos: Path, ids: Ids) -> None:
    before = ids(indexed)
    for name in ("a.png", "b.png", "c.png"):
        shutil.copy(photos / "red.png", photos / name)
    (photos / "red.png").unlink()
    assert counts(indexed.add(photos)) == {"moved": 1, "added": 2, "unchanged": 4}
    after = ids(indexed)
    assert sum(id == before["red.png"] for id in after.values()) == 1
    assert len(set(after.values())) == 7


def test_two_files_of_the_same_bytes_both_moved(collection: Collection, photos: Path, ids: Ids) -> None:
    shutil.copy(photos / "red.png", photos / "twin.png")
    collection.add(photos)
    before = ids(collection)
    (photos / "red.png").rename(photos / "x.png")
    (photos / "twin.png").rename(photos / "y.png")
    assert counts(collection.add(photos)) == {"moved": 2, "unchanged": 4}
    after = ids(collection)
    assert {after["x.png"], after["y.png"]} == {before["red.png"], before["twin.png"]}


@pytest.mark.usefixtures("small_commits")
def test_many_files_of_the_same_bytes(collection: Collection, home: Path, kept: Kept) -> None:
    write_picture(home / "many" / "0.png", "red")
    for number in range(1, 100):
        os.link(home / "many" / "0.png", home / "many" / f"{number}.png")
    assert counts(collection.add(home / "many")) == {"added": 100}
    assert len({item.vector for item in kept(collection).values()}) == 1
    (home / "many").rename(home / "moved")
    assert counts(collection.add(home / "moved")) == {"moved": 100}
    assert len(collection) == 100


def test_files_that_swap_their_names(indexed: Collection, photos: Path, ids: Ids) -> None:
    before = ids(indexed)
    (photos / "red.png").rename(photos / "aside")
    (photos / "blue.png").rename(photos / "red.png")
    (photos / "aside").rename(photos / "blue.png")
    for name in ("red.png", "blue.png"):
        later(photos / name)
    assert counts(indexed.add(photos)) == {"updated": 2, "unchanged": 3}
    assert ids(indexed) == before
    assert (best(indexed, "red"), best(indexed, "blue")) == ("blue.png", "red.png")


@pytest.mark.usefixtures("small_commits")
def test_a_chain_of_renames_over_many_commits(collection: Collection, home: Path, kept: Kept, bundle: Path) -> None:
    folder = home / "chain"
    for number in range(120):
        write_picture(folder / f"{number:03}.png", (number, 255 - number, 99))
    collection.add(folder)
    (folder / "000.png").unlink()
    for number in range(1, 120):  # every file takes the name of the one before
        (folder / f"{number:03}.png").rename(folder / f"{number - 1:03}.png")
    report = collection.add(folder)
    assert (report.updated, report.vanished) == (119, 1)
    with Collection(home / "fresh.limner", model=bundle) as fresh:
        fresh.add(folder)
        assert kept(collection) == kept(fresh)


def test_vanished_is_found_no_more_until_it_is_back(indexed: Collection, photos: Path, ids: Ids) -> None:
    before = ids(indexed)
    (photos / "red.png").rename(photos.parent / "elsewhere.png")
    assert counts(indexed.add(photos)) == {"unchanged": 4, "vanished": 1}
    assert counts(indexed.add(photos)) == {"unchanged": 4}, "counted once"
    assert found(indexed) == {"blue.png", "green.png", "yellow.png", "grey.png"}
    assert (len(indexed), indexed.status().vanished) == (4, 1)
    assert indexed.get(before["red.png"]).uri == str(photos / "red.png"), "its id is still known"
    (photos.parent / "elsewhere.png").rename(photos / "red.png")
    assert counts(indexed.add(photos)) == {"unchanged": 4, "updated": 1}
    assert ids(indexed) == before
    assert best(indexed, "red") == "red.png"
    assert indexed.status().vanished == 0


def test_prune_forgets_the_vanished(indexed: Collection, photos: Path, ids: Ids) -> None:
    before = ids(indexed)
    for name in ("red.png", "blue.png"):
        (photos / name).unlink()
    assert counts(indexed.add(photos)) == {"unchanged": 3, "vanished": 2}
    assert indexed.prune() == 2
    assert indexed.prune() == 0
    assert indexed.status().vanished == 0
    with pytest.raises(InputError, match=before["red.png"]):
        indexed.get(before["red.png"])
    (photos / "grey.png").unlink()
    assert counts(indexed.add(photos, prune=True)) == {"unchanged": 2, "vanished": 1, "pruned": 1}
    write_picture(photos / "red.png", "red")
    indexed.add(photos)
    assert ids(indexed)["red.png"] not in before.values(), "a key never comes again"


def test_a_part_of_a_folder_says_nothing_about_the_rest(indexed: Collection, photos: Path) -> None:
    write_picture(photos / "deep" / "a.png", "red")
    write_picture(photos / "deep" / "b.png", "red")
    indexed.add(photos)
    (photos / "deep" / "a.png").unlink()
    (photos / "red.png").unlink()
    assert counts(indexed.add(photos / "deep")) == {"updated": 1, "vanished": 1}
    assert indexed.status().vanished == 1
    assert indexed.add(photos).vanished == 1


def test_a_folder_with_a_name_that_begins_another(collection: Collection, home: Path) -> None:
    for number, name in enumerate(["a", "a b", "ab"]):
        write_picture(home / name / f"{number}.png", "red")
        collection.add(home / name)
    write_picture(home / "a" / "new.png", "blue")
    (home / "a" / "0.png").unlink()
    assert counts(collection.add(home / "a")) == {"added": 1, "vanished": 1}
    assert found(collection) == {"new.png", "1.png", "2.png"}


def test_nothing_there_is_an_error_and_changes_nothing(indexed: Collection, photos: Path) -> None:
    photos.rename(photos.parent / "away")
    with pytest.raises(SourceError, match="photos: no such folder"):
        indexed.add(photos)
    photos.mkdir()  # what is left of a drive that is not mounted
    with pytest.raises(SourceError, match="no pictures"):
        indexed.add(photos, prune=True)
    assert len(indexed) == 5
    assert indexed.status().jobs == ()


def test_a_broken_file_is_counted_once_and_not_read_again(collection: Collection, photos: Path) -> None:
    broken = photos / "red.png"
    broken.write_bytes(broken.read_bytes()[:60])
    assert counts(collection.add(photos)) == {"added": 4, "skipped": 1}
    told = Skipped(str(broken), "truncated or damaged")
    assert [(one.uri, one.reason) for one in collection.skipped()] == [(told.uri, told.reason)]
    stamp = broken.stat().st_mtime_ns
    broken.write_bytes(b"something else with the same size, so nobody looks.........."[:60])
    os.utime(broken, ns=(stamp, stamp))
    report = collection.add(photos)
    assert [(one.uri, one.reason) for one in report.skipped] == [(told.uri, told.reason)], "read again"
    assert counts(report) == {"unchanged": 4, "skipped": 1}
    assert collection.status().skipped == 1


def test_a_broken_file_that_was_mended_is_taken(collection: Collection, photos: Path) -> None:
    whole = (photos / "red.png").read_bytes()
    (photos / "red.png").write_bytes(whole[:60])
    collection.add(photos)
    (photos / "red.png").write_bytes(whole)
    assert counts(collection.add(photos)) == {"added": 1, "unchanged": 4}
    assert collection.skipped() == []
    assert best(collection, "red") == "red.png"


def test_a_known_file_that_broke_is_found_no_more(indexed: Collection, photos: Path, ids: Ids) -> None:
    before, whole = ids(indexed), (photos / "red.png").read_bytes()
    (photos / "red.png").write_bytes(whole[:60])
    assert counts(indexed.add(photos)) == {"unchanged": 4, "skipped": 1}
    assert "red.png" not in found(indexed)
    assert counts(indexed.add(photos)) == {"unchanged": 4, "skipped": 1}
    (photos / "red.png").write_bytes(whole)
    assert counts(indexed.add(photos)) == {"unchanged": 4, "updated": 1}
    assert ids(indexed) == before
    assert indexed.skipped() == []


def test_a_skipped_file_that_has_gone_is_forgotten(collection: Collection, photos: Path) -> None:
    (photos / "red.png").write_bytes(b"no picture")
    collection.add(photos)
    (photos / "red.png").unlink()
    assert counts(collection.add(photos)) == {"unchanged": 4}
    assert collection.skipped() == []


@pytest.mark.skipif(os.name == "nt", reason="needs links")
def test_what_could_not_be_read_is_tried_again_though_it_did_not_change(collection: Collection, photos: Path) -> None:
    # A file that may not be read behaves the same, but who runs tests as root may read everything.
    (photos / "link.png").symlink_to("nowhere.png")
    assert [one.reason for one in collection.add(photos).skipped] == ["vanished"]
    write_picture(photos / "nowhere.png", "red")
    assert counts(collection.add(photos)) == {"added": 2, "unchanged": 5}


def test_what_could_not_be_decoded_is_taken_once_its_decoder_is_there(
    collection: Collection, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pillow_heif").from_pillow(Image.new("RGB", (64, 64), "red")).save(photos / "new.heic")
    with monkeypatch.context() as without:
        without.setitem(sys.modules, "pillow_heif", None)  # how Python marks a module that cannot be imported
        for _ in range(2):
            [skipped] = collection.add(photos).skipped
            assert skipped.reason == "HEIC, but pillow-heif is not installed"
    assert counts(collection.add(photos)) == {"added": 1, "unchanged": 5}


def test_every_kind_of_bad_file_has_a_reason(collection: Collection, photos: Path) -> None:
    (photos / "empty.png").touch()
    (photos / "text.jpg").write_text("not a picture")
    (photos / "half.png").write_bytes((photos / "red.png").read_bytes()[:50])
    report = collection.add(photos)
    assert {Path(one.uri).name: one.reason for one in report.skipped} == {
        "empty.png": "empty file",
        "text.jpg": "not a picture",
        "half.png": "truncated or damaged",
    }
    assert report.added == len(collection) == 5


def test_captions_and_fields_change_without_the_picture(indexed: Collection, photos: Path, ids: Ids) -> None:
    before, files = ids(indexed), shards(indexed)
    (photos / "red.txt").write_text("a tomato\nripe")
    (photos / "blue.json").write_text('{"captions": ["the sea"], "depth": 12.5, "width": 7}')
    assert counts(indexed.add(photos)) == {"updated": 2, "unchanged": 3}
    assert indexed.get(before["red.png"]).texts == ("a tomato", "ripe")
    assert indexed.get(before["blue.png"]).texts == ("the sea",)
    assert indexed.get(before["blue.png"]).fields["depth"] == 12.5
    assert indexed.get(before["blue.png"]).fields["width"] == 7, "what a source says goes before what a file says"
    assert [Path(item.uri).name for item in indexed.items("depth > 12")] == ["blue.png"]
    assert shards(indexed) == files
    (photos / "red.txt").unlink()
    assert counts(indexed.add(photos)) == {"updated": 1, "unchanged": 4}
    assert indexed.get(before["red.png"]).texts == ()


def test_a_broken_side_car_is_told_and_costs_no_picture(collection: Collection, photos: Path) -> None:
    (photos / "red.json").write_text('{"captions": [')
    report = collection.add(photos)
    assert report.added == 5
    assert [(one.uri, one.reason) for one in report.skipped] == [(f"{photos}/red.json::line 1", "broken line")]
    assert counts(collection.add(photos)) == {"unchanged": 5, "skipped": 1}
    (photos / "red.json").write_text('{"captions": ["mended"]}')
    assert counts(collection.add(photos)) == {"unchanged": 4, "updated": 1}
    assert collection.skipped() == []
