"""Tables, archives and loose items as sources of one collection."""

from __future__ import annotations

import csv
import io
import json
import shutil
import tarfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from colour_model import COLOURS, write_picture

from limner.collection import Collection
from limner.core.errors import InputError, SourceError
from limner.core.types import Item, Region
from limner.data.sources import FolderSource

Ids = Callable[[Collection], dict[str, str]]
Kept = Callable[[Collection], dict[str, Any]]
Row = dict[str, object]


def write_csv(path: Path, rows: Sequence[Row]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(dict.fromkeys(key for row in rows for key in row)))
        writer.writeheader()
        writer.writerows(rows)
    return path


def write_jsonl(path: Path, rows: Sequence[Row]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def write_tar(path: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def rows(**ids: str) -> list[Row]:
    """A row for each picture of these colours, with an id where it is not empty."""
    return [{"image": f"photos/{colour}.png"} | ({"id": id} if id else {}) for colour, id in ids.items()]


def names(collection: Collection) -> set[str]:
    return {Path(item.uri).name for item in collection.items()}


def test_csv(collection: Collection, photos: Path, home: Path) -> None:
    table = write_csv(home / "t.csv", [{"image": "photos/red.png", "caption": "a tomato", "year": 2019}])
    assert collection.add(table).added == 1
    [item] = collection.items("year = 2019")
    assert (item.uri, item.texts) == (str(photos / "red.png"), ("a tomato",))
    assert collection.add(table).unchanged == 1


def test_a_row_that_has_gone_is_a_picture_that_has_gone(collection: Collection, photos: Path, home: Path) -> None:
    table = write_csv(home / "t.csv", rows(red="", blue="", green=""))
    collection.add(table)
    write_csv(table, rows(red="", green=""))
    report = collection.add(table)
    assert (report.unchanged, report.vanished) == (2, 1)
    assert names(collection) == {"red.png", "green.png"}
    write_csv(table, rows(red="", blue=""))
    report = collection.add(table, prune=True)
    assert (report.unchanged, report.updated, report.vanished, report.pruned) == (1, 1, 1, 1)
    assert names(collection) == {"red.png", "blue.png"}


def test_a_picture_belongs_to_the_source_that_spoke_of_it_last(
    collection: Collection, photos: Path, home: Path
) -> None:
    first = write_csv(home / "first.csv", rows(red="", blue=""))
    second = write_csv(home / "second.csv", rows(red=""))
    collection.add(first)
    assert collection.add(second).unchanged == 1
    write_csv(first, rows(blue=""))
    assert collection.add(first).vanished == 0, "the second table still has it"
    write_csv(second, rows(grey=""))
    assert collection.add(second).vanished == 1
    assert names(collection) == {"blue.png", "grey.png"}
    assert collection.remove(under=second) == 2, "the vanished one, too"
    assert names(collection) == {"blue.png"}


def test_a_missing_picture_of_a_table_is_told_once_and_forgotten_with_its_row(
    collection: Collection, photos: Path, home: Path
) -> None:
    table = write_csv(home / "t.csv", [*rows(red=""), {"image": "photos/nowhere.png"}])
    assert [(Path(one.uri).name, one.reason) for one in collection.add(table).skipped] == [("nowhere.png", "vanished")]
    assert [one.reason for one in collection.add(table).skipped] == ["vanished"]
    assert collection.status().skipped == 1
    write_csv(table, rows(red=""))
    assert collection.add(table).skipped == ()
    assert collection.skipped() == []


def test_a_picture_of_a_table_whose_file_has_gone(collection: Collection, photos: Path, home: Path) -> None:
    table = write_csv(home / "t.csv", rows(red="", blue=""))
    collection.add(table)
    (photos / "red.png").unlink()
    report = collection.add(table)
    assert (report.unchanged, [one.reason for one in report.skipped]) == (1, ["vanished"])
    assert names(collection) == {"blue.png"}


def test_broken_lines_are_told(collection: Collection, photos: Path, home: Path) -> None:
    table = home / "t.jsonl"
    table.write_text('{"image": "photos/red.png"}\n{"image": \n{"caption": "of nothing"}\n')
    report = collection.add(table)
    assert report.added == 1
    assert [(one.uri, one.reason) for one in report.skipped] == [
        (f"{table}::line 2", "broken line"),
        (f"{table}::line 3", "broken line"),
    ]
    write_jsonl(table, rows(red=""))
    assert collection.add(table).skipped == ()
    assert collection.skipped() == []


def test_explicit_ids(collection: Collection, photos: Path, home: Path, ids: Ids) -> None:
    table = write_jsonl(home / "t.jsonl", rows(red="r", blue="b", green=""))
    collection.add(table)
    after = ids(collection)
    assert (after["red.png"], after["blue.png"]) == ("r", "b")
    assert collection.get("r").uri == str(photos / "red.png")
    write_jsonl(table, rows(red="new", blue="b", green=""))
    report = collection.add(table)
    assert (report.updated, report.unchanged) == (1, 2)
    assert ids(collection)["red.png"] == "new"
    assert len(collection) == 3


@pytest.mark.usefixtures("small_commits")
@pytest.mark.parametrize("far", [0, 40], ids=["in one commit", "in two commits"])
def test_explicit_ids_swapped(
    collection: Collection, photos: Path, home: Path, bundle: Path, ids: Ids, kept: Kept, far: int
) -> None:
    between: list[Row] = []
    for number in range(far):
        write_picture(home / "more" / f"{number}.png", (number, 9, 200))
        between.append({"image": f"more/{number}.png", "id": f"m{number}"})
    table = write_jsonl(home / "t.jsonl", [*rows(red="a"), *between, *rows(blue="b")])
    collection.add(table)
    for row in between:  # so that they are read again and fill the commits between the two
        row["n"] = 1
    write_jsonl(table, [*rows(red="b"), *between, *rows(blue="a")])
    collection.add(table)
    after = ids(collection)
    assert (after["red.png"], after["blue.png"], len(after)) == ("b", "a", far + 2)
    assert collection.search("red", k=1)[0].item.id == "b"
    assert collection.check() == []
    with Collection(home / "fresh.limner", model=bundle) as fresh:
        fresh.add(table)
        assert (ids(fresh), kept(fresh)) == (after, kept(collection))
    assert collection.add(table).unchanged == far + 2


def test_an_id_that_names_another_picture_now(collection: Collection, photos: Path, home: Path, ids: Ids) -> None:
    table = write_jsonl(home / "t.jsonl", rows(red="a", blue="b"))
    collection.add(table)
    write_jsonl(table, rows(green="a", red=""))
    report = collection.add(table)
    assert (report.moved, report.updated, report.vanished) == (1, 1, 1)
    assert ids(collection)["green.png"] == "a"
    assert collection.get("a").uri == str(photos / "green.png")
    assert {Path(hit.uri).name for hit in collection.search("red")} == {"green.png", "red.png"}
    assert collection.search("green", k=1)[0].item.id == "a"


def test_a_named_picture_that_moved(collection: Collection, photos: Path, home: Path) -> None:
    table = write_jsonl(home / "t.jsonl", rows(red="a"))
    collection.add(table)
    photos.rename(home / "pictures")
    write_jsonl(table, [{"image": "pictures/red.png", "id": "a"}])
    report = collection.add(table)
    assert (report.moved, report.added, report.vanished, len(collection)) == (1, 0, 0, 1)
    assert collection.get("a").uri == str(home / "pictures" / "red.png")


def test_a_name_given_to_another_picture_while_the_first_moved(indexed: Collection, photos: Path, ids: Ids) -> None:
    (photos / "red.json").write_text('{"id": "a"}')
    indexed.add(photos)
    (photos / "red.json").unlink()
    (photos / "red.png").rename(photos / "crimson.png")
    (photos / "blue.json").write_text('{"id": "a"}')
    report = indexed.add(photos)
    assert (report.added, report.updated, report.unchanged, report.skipped) == (1, 1, 3, ())
    assert ids(indexed)["blue.png"] == "a"
    assert indexed.search("red", k=1)[0].uri == str(photos / "crimson.png")
    assert len(indexed) == 5


def test_repeated_ids_are_told_and_taken_once_mended(collection: Collection, photos: Path, home: Path) -> None:
    table = write_jsonl(home / "t.jsonl", rows(red="a", blue="b"))
    collection.add(table)
    write_jsonl(table, rows(red="a", blue="a", green="c"))
    report = collection.add(table)
    assert [(Path(one.uri).name, one.reason) for one in report.skipped] == [
        ("blue.png", "the id 'a' occurs twice in the source")
    ]
    assert names(collection) == {"red.png", "green.png"}
    assert len(collection.add(table).skipped) == 1
    write_jsonl(table, rows(red="a", blue="b", green="c"))
    report = collection.add(table)
    assert (report.updated, report.skipped) == (1, ())
    assert names(collection) == {"red.png", "blue.png", "green.png"}


def test_an_id_of_the_collections_own_making_is_not_taken_from_its_item(
    indexed: Collection, photos: Path, home: Path, ids: Ids
) -> None:
    taken = ids(indexed)["red.png"]
    write_picture(home / "photos2" / "other.png", "red")
    table = write_jsonl(home / "t.jsonl", [{"image": "photos2/other.png", "id": taken}])
    report = indexed.add(table)
    assert [one.reason for one in report.skipped] == [
        f"the id {taken!r} is one that the collection gave to another item"
    ]
    assert ids(indexed)["red.png"] == taken
    own = write_jsonl(home / "own.jsonl", [{"image": "photos/red.png", "id": taken, "note": "mine"}])
    assert indexed.add(own).updated == 1
    assert indexed.get(taken).fields["note"] == "mine"


def test_tar(collection: Collection, photos: Path, home: Path, ids: Ids) -> None:
    content = {colour: (photos / f"{colour}.png").read_bytes() for colour in COLOURS}
    archive = write_tar(
        home / "x.tar", {"a/red.png": content["red"], "a/red.txt": b"a tomato", "b.png": content["blue"]}
    )
    assert collection.add(archive).added == 2
    hit = collection.search("red", k=1)[0]
    assert (hit.uri, hit.item.texts) == (f"{archive}::a/red.png", ("a tomato",))
    before = ids(collection)
    write_tar(archive, {"a/red.png": content["red"], "a/red.txt": b"a tomato", "c.png": content["green"]})
    report = collection.add(archive)
    assert (report.updated, report.added, report.vanished) == (1, 1, 1)
    assert ids(collection)["red.png"] == before["red.png"]
    archive.rename(home / "y.tar")
    assert collection.add(home / "y.tar").moved == 2
    assert {item.uri for item in collection.items()} == {f"{home}/y.tar::a/red.png", f"{home}/y.tar::c.png"}


def test_a_shard_that_has_gone_from_a_pattern(collection: Collection, photos: Path, home: Path) -> None:
    for number, colour in enumerate(COLOURS):
        write_tar(home / f"shard-{number}.tar", {f"{colour}.png": (photos / f"{colour}.png").read_bytes()})
    assert collection.add(str(home / "shard-*.tar")).added == 5
    (home / "shard-0.tar").unlink()
    report = collection.add(str(home / "shard-*.tar"))
    assert (report.unchanged, report.vanished) == (4, 1)


def test_a_damaged_tar_keeps_what_is_whole_and_tells_the_rest(collection: Collection, photos: Path, home: Path) -> None:
    content = {f"{colour}.png": (photos / f"{colour}.png").read_bytes() for colour in COLOURS}
    archive = write_tar(home / "x.tar", content)
    with archive.open("r+b") as file:
        file.truncate(2 * 1024 + 520)  # in the third member
    report = collection.add(archive)
    assert report.added == 2
    assert [(one.uri.rpartition("::")[2], one.reason) for one in report.skipped] == [
        (f"{list(COLOURS)[2]}.png", "truncated or damaged"),
        ("(the rest)", "truncated or damaged"),
    ]
    write_tar(archive, content)
    report = collection.add(archive)
    assert (report.added, report.updated, report.skipped) == (3, 2, ())
    assert collection.skipped() == []


def test_parquet_whose_rows_moved_up(
    collection: Collection, photos: Path, home: Path, bundle: Path, kept: Kept
) -> None:
    def write(colours: Sequence[str]) -> Path:
        cells = [(photos / f"{colour}.png").read_bytes() for colour in colours]
        pyarrow.parquet.write_table(pyarrow.table({"image": cells, "caption": list(colours)}), home / "t.parquet")
        return home / "t.parquet"

    colours = list(COLOURS)
    collection.add(write(colours))
    table = write(colours[1:])
    report = collection.add(table)
    assert (report.updated, report.vanished) == (4, 1)
    with Collection(home / "fresh.limner", model=bundle) as fresh:
        fresh.add(table)
        assert kept(fresh) == kept(collection)


def test_images_tar_with_captions(collection: Collection, photos: Path, home: Path) -> None:
    data = home / "data"
    data.mkdir()
    write_tar(data / "images.tar", {f"{colour}.png": (photos / f"{colour}.png").read_bytes() for colour in COLOURS})
    lines: list[Row] = [
        {"image": f"{colour}.png", "captions": [f"all {colour}"], "split": "test", "boxes": [["it", 0, 0, 0.5, 1]]}
        for colour in COLOURS
    ]
    write_jsonl(data / "captions.jsonl", lines)
    assert collection.add(data).added == 5
    item = collection.search("red", k=1)[0].item
    assert (item.texts, item.fields["split"]) == (("all red",), "test")
    assert item.regions == (Region((0, 0, 0.5, 1), "it"),)
    write_jsonl(data / "captions.jsonl", lines[1:])
    report = collection.add(data)
    assert (report.unchanged, report.vanished) == (4, 1)


def test_loose_items(collection: Collection, photos: Path, home: Path) -> None:
    items = [Item("photos/red.png", id="r", texts=("a tomato",)), Item(str(photos / "blue.png"), fields={"n": 1})]
    report = collection.add(items)
    assert (report.added, report.vanished) == (2, 0)
    assert collection.get("r").uri == str(photos / "red.png")
    assert collection.add(iter(items)).unchanged == 2
    assert collection.add(items[:1]).vanished == 0, "items say nothing about what is not among them"
    assert len(collection) == 2
    assert collection.add([items[1].replace(fields={"n": 2})]).updated == 1
    assert collection.status().jobs == ()


def test_loose_items_that_cannot_be_used(collection: Collection, photos: Path) -> None:
    good = Item(str(photos / "red.png"))
    bad = [
        Item(str(photos / "nowhere.png")),
        Item(str(photos / "blue.png"), modality="video"),
        Item(str(photos / "green.png"), fields={"n": float("nan")}),
        Item(str(photos / "grey.png"), fields={"n": np.int64(3)}),  # type: ignore[dict-item]
        Item("https://example.org/a.jpg"),
    ]
    report = collection.add([good, *bad])
    assert report.added == 1
    assert sorted((one.uri.rpartition("/")[2], one.reason) for one in report.skipped) == [
        ("a.jpg", "a web address, not a file"),
        ("blue.png", "video, but only pictures can be kept"),
        ("green.png", "field 'n' is nan, neither text nor a number; leave it out"),
        ("grey.png", f"field 'n' is {np.int64(3)!r}, neither text nor a number; leave it out"),
        ("nowhere.png", "vanished"),
    ]
    assert collection.add([bad[2].replace(fields={"n": 1.5})]).added == 1, "its bytes were never at fault"


def test_what_is_no_item(collection: Collection, photos: Path) -> None:
    item = Item(str(photos / "red.png"))
    with pytest.raises(InputError, match="is no Item: add a path"):
        collection.add([str(photos / "red.png")])  # type: ignore[list-item]
    with pytest.raises(InputError, match="the same uri"):
        collection.add([item, Item("photos/red.png")])
    with pytest.raises(SourceError, match="one picture is no source"):
        collection.add(photos / "red.png")
    assert len(collection) == 0


def test_a_source_of_ones_own(collection: Collection, photos: Path) -> None:
    class Chosen:
        def __iter__(self) -> Iterator[Item]:
            return (item for item in FolderSource(photos) if "e" in str(item.fields["name"]).removesuffix(".png"))

    assert collection.add(Chosen()).added == 5
    assert collection.add(Chosen()).unchanged == 5


def test_two_sources_of_one_collection(collection: Collection, photos: Path, home: Path) -> None:
    collection.add(photos)
    shutil.copytree(photos, home / "copies")
    assert collection.add(home / "copies").added == 5
    shutil.rmtree(photos)
    report = collection.add(home / "copies")
    assert (report.unchanged, report.vanished) == (5, 0), "another place was not looked at"
    assert len(collection) == 10
