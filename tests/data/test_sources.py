"""What each source makes of its files: which items, with which texts and fields, and what it says when it cannot."""

from __future__ import annotations

import io
import json
import os
import tarfile
from pathlib import Path

import pytest
from PIL import Image

from limner.core.errors import PictureError, SourceError
from limner.core.types import Item, Region
from limner.data.content import read_bytes
from limner.data.sources import (
    CaptionsSource,
    CsvSource,
    FolderSource,
    JsonlSource,
    ParquetSource,
    TarSource,
    open_source,
)


def picture(shade: int = 128) -> bytes:
    buffer = io.BytesIO()
    Image.new("L", (8, 6), shade).save(buffer, "PNG")
    return buffer.getvalue()


def write(path: Path, content: bytes | str = b"") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content or picture())
    return path


def write_tar(path: Path, members: dict[str, bytes | str]) -> Path:
    with tarfile.open(path, "w:gz" if path.name.endswith("gz") else "w") as archive:
        for name, content in members.items():
            data = content.encode() if isinstance(content, str) else content
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def names(items: object, root: Path) -> list[str]:
    return [item.uri.removeprefix(f"{root}/") for item in items]  # type: ignore[attr-defined]


def own_fields(item: Item) -> dict[str, object]:
    return {name: value for name, value in item.fields.items() if name not in ("folder", "name")}


def refusal(uri: str) -> str:
    with pytest.raises(PictureError) as caught:
        read_bytes(uri)
    return caught.value.reason


# Folder


def test_folder_order_suffixes_and_hidden_files(tmp_path: Path) -> None:
    wanted = ["B.JPG", "a.png", "line\nbreak.webp", "ž.tiff", "b/1.heic", "b/c/2.gif", "b.d/3.bmp", "e/4.avif"]
    for name in [*wanted, ".hidden.jpg", ".git/x.jpg", "b/.cache/y.png", "notes.txt", "film.mp4", "jpg", "b/._1.jpg"]:
        write(tmp_path / name)
    items = list(FolderSource(tmp_path))
    assert names(items, tmp_path) == wanted
    assert items[5].fields == {"folder": "b/c", "name": "2.gif"}
    assert items[0].fields == {"folder": "", "name": "B.JPG"}
    assert items[0].id == ""


def test_relative_folder_gives_absolute_uris(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "in" / "a.jpg")
    monkeypatch.chdir(tmp_path)
    assert [item.uri for item in open_source("in")] == [str(tmp_path / "in" / "a.jpg")]
    monkeypatch.setenv("HOME", str(tmp_path))
    assert [item.uri for item in open_source("~/in")] == [str(tmp_path / "in" / "a.jpg")]


def test_linked_folders_are_entered_once_and_after_real_ones(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    write(root / "z" / "a.jpg")
    write(outside / "b.jpg")
    (root / "a link to z").symlink_to(root / "z")
    (root / "z" / "loop").symlink_to(root)
    (root / "z" / "self").symlink_to(root / "z" / "self")
    (root / "other").symlink_to(outside)
    (root / "other again").symlink_to(outside)
    (outside / "back").symlink_to(root)
    assert names(FolderSource(root), root) == ["z/a.jpg", "other/b.jpg"]


def test_linked_and_dangling_files(tmp_path: Path) -> None:
    root = tmp_path / "root"
    write(root / "a.jpg")
    (root / "b.jpg").symlink_to(root / "a.jpg")
    (root / "gone.jpg").symlink_to(root / "nowhere.jpg")
    items = list(FolderSource(root))
    assert names(items, root) == ["a.jpg", "b.jpg", "gone.jpg"]
    assert items[2].stamp is None
    assert refusal(items[2].uri) == "vanished"


def test_folder_and_pipe_with_the_name_of_a_picture(tmp_path: Path) -> None:
    write(tmp_path / "dir.jpg" / "a.png")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.jpg")
    assert names(FolderSource(tmp_path), tmp_path) == ["dir.jpg/a.png"]


def test_side_cars(tmp_path: Path) -> None:
    write(tmp_path / "a.jpg")
    write(tmp_path / "a.txt", "\ufeffa dog\r\n\r\n  on a beach \n")
    write(tmp_path / "b.jpg")
    write(tmp_path / "b.jpg.txt", "a cat")
    write(tmp_path / "c.png")
    record = {
        "captions": ["one", "two"],
        "id": 7,
        "year": 2019,
        "good": True,
        "camera": {"maker": "X", "zoom": 1.5, "more": {"deep": 1}},
        "tags": ["left", "out"],
        "none": None,
        "boxes": [["dog", 0, 0, 0.5, 1], {"box": [0.1, 0.2, 0.3, 0.4]}, [10, 20, 300, 400], "no box"],
    }
    write(tmp_path / "c.json", json.dumps(record))
    write(tmp_path / "d.jpg")
    write(tmp_path / "d.json", json.dumps({"text": "by name", "folder": "own"}))
    write(tmp_path / "d.jpg.json", json.dumps({"year": 2020}))
    a, b, c, d = FolderSource(tmp_path)
    assert a.texts == ("a dog", "on a beach")
    assert b.texts == ("a cat",)
    assert (c.texts, c.id) == (("one", "two"), "7")
    assert own_fields(c) == {"year": 2019, "good": 1, "camera.maker": "X", "camera.zoom": 1.5}
    assert c.regions == (Region((0, 0, 0.5, 1), "dog"), Region((0.1, 0.2, 0.3, 0.4)))
    assert d.texts == ("by name",)
    assert d.fields == {"folder": "own", "name": "d.jpg", "year": 2020}


@pytest.mark.parametrize("content", ['{"captions": ', "[" * 100_000, '{"a": 1}}', b"\xff\xfe"])
def test_broken_side_car_is_told_and_leaves_the_picture(tmp_path: Path, content: str | bytes) -> None:
    write(tmp_path / "a.jpg")
    write(tmp_path / "a.png")
    write(tmp_path / "a.json", content)
    items = list(FolderSource(tmp_path))
    assert names(items, tmp_path) == ["a.jpg", "a.png", "a.json::line 1"]
    assert refusal(items[2].uri) == "broken line"


def test_side_car_that_is_something_else(tmp_path: Path) -> None:
    write(tmp_path / "a.jpg")
    write(tmp_path / "a.json", "[1, 2]")
    write(tmp_path / "a.txt", "x" * (2**20 + 1))
    (item,) = FolderSource(tmp_path)
    assert item.texts == ()
    assert own_fields(item) == {}


def test_folder_without_pictures(tmp_path: Path) -> None:
    write(tmp_path / "deep" / "notes.txt")
    with pytest.raises(SourceError, match="no pictures in this folder or below it"):
        list(open_source(tmp_path))


def test_name_that_is_not_text_in_a_folder(tmp_path: Path) -> None:
    try:
        with open(os.fsencode(tmp_path) + b"/caf\xe9.jpg", "wb") as file:
            file.write(picture())
    except OSError:
        pytest.skip("this file system keeps only names in UTF-8")
    (item,) = FolderSource(tmp_path)
    assert read_bytes(item.uri) == picture()
    assert item.fields["name"] == "caf\\udce9.jpg"
    assert item.uri.isascii()


# CSV


def test_csv(tmp_path: Path) -> None:
    write(tmp_path / "in" / "a.jpg")
    table = write(
        tmp_path / "t.csv",
        "\ufeffImage, Caption ,year,code,size,mixed,empty,\n"
        'in/a.jpg,"a dog, a ""big"" one",2019,007,1.5,12,,\n'
        "\n"
        'in/b.jpg,"two\nlines",2020,12,-2e3,x,,ignored\n'
        f"{tmp_path}/in/a.jpg,again,2021,,,,,\n",
    )
    a, b = CsvSource(table)
    assert (a.uri, b.uri) == (f"{tmp_path}/in/a.jpg", f"{tmp_path}/in/b.jpg")
    assert a.texts == ('a dog, a "big" one', "again")
    assert a.fields == {"folder": "in", "name": "a.jpg", "year": 2019, "code": "007", "size": 1.5, "mixed": "12"}
    assert b.texts == ("two\nlines",)
    assert own_fields(b) == {"year": 2020, "code": "12", "size": -2000.0, "mixed": "x"}
    assert a.stamp is not None
    assert b.stamp is None
    assert refusal(b.uri) == "vanished"


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "| "])
@pytest.mark.parametrize("column", ["image", "file_name", "PATH", "uri"])
def test_csv_delimiters_and_names_of_the_picture(tmp_path: Path, delimiter: str, column: str) -> None:
    suffix = "tsv" if delimiter == "\t" else "csv"
    rows = [[column, "number", "text"], ["a.jpg", "0", "a dog"], ["a.jpg", "1", "one dog"]]
    table = write(tmp_path / f"t.{suffix}", "\n".join(delimiter.join(row) for row in rows))
    (item,) = open_source(table)
    assert item.uri == f"{tmp_path}/a.jpg"
    assert item.texts == ("a dog", "one dog")
    assert own_fields(item) == {"number": 0}


def test_ragged_csv_lines_are_told_and_leave_the_rest(tmp_path: Path) -> None:
    table = write(
        tmp_path / "t.csv",
        'image,caption\na.jpg,x\nb.jpg\nc.jpg,x,y\n,nothing\nd.jpg,"x"y\ne.jpg,z\nf.jpg,"never closed\ng.jpg,lost\n',
    )
    items = list(CsvSource(table))
    assert names(items, tmp_path) == ["a.jpg", "e.jpg", *(f"t.csv::line {line}" for line in (3, 4, 5, 6, 8))]
    assert {refusal(item.uri) for item in items[2:]} == {"broken line"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("name,caption\nx,y\n", "no column of pictures among name, caption; call it one of image, path"),
        (b"\n", "no column of pictures among no columns at all"),
        ("image,caption\n", "no row names a picture"),
        ("image,caption\n,x\n,y\n", r"no row names a picture \(first broken line: 2\)"),
        ("image,caption\na.jpg,caf\xe9\n".encode("latin-1"), "not UTF-8 text"),
        ("image,caption\na.jpg,x\n".encode("utf-16"), "not UTF-8 text"),
    ],
)
def test_csv_that_cannot_be_used(tmp_path: Path, content: str | bytes, message: str) -> None:
    table = write(tmp_path / "t.csv", content)
    with pytest.raises(SourceError, match=message) as caught:
        list(CsvSource(table))
    assert str(table) in str(caught.value)


# JSONL


def test_jsonl(tmp_path: Path) -> None:
    write(tmp_path / "a.jpg")
    lines = [
        {"image": "a.jpg", "caption": "a dog", "id": "x1", "n": 2**70, "bad": float("nan"), "half": "\ud800"},
        {"path": "sub/../b.jpg", "texts": ["b", 5, ""], "labels": ["no", "scalar"]},
        {"image": "a.jpg", "captions": ["a dog", "more"], "extra": 1},
        {"image": "https://example.org/c.jpg"},
    ]
    table = write(tmp_path / "t.jsonl", "\n".join(map(json.dumps, lines)))
    a, b, c = JsonlSource(table)
    assert (a.uri, a.id, a.texts) == (f"{tmp_path}/a.jpg", "x1", ("a dog", "more"))
    assert own_fields(a) == {"n": str(2**70), "half": "\\ud800", "extra": 1}
    assert (b.uri, b.texts, own_fields(b)) == (f"{tmp_path}/b.jpg", ("b",), {})
    assert refusal(c.uri) == "a web address, not a file"


def test_table_that_names_members_of_an_archive(tmp_path: Path) -> None:
    write_tar(tmp_path / "x.tar", {"sub/a.png": picture(3)})
    table = write(tmp_path / "t.jsonl", json.dumps({"uri": "x.tar::sub/a.png"}))
    (item,) = JsonlSource(table)
    assert read_bytes(item.uri) == picture(3)


def test_broken_json_lines_are_told_and_leave_the_rest(tmp_path: Path) -> None:
    good = json.dumps({"image": "a.jpg"}).encode()
    bad = [
        b'{"image": "b',
        b"[1]",
        b'"text"',
        b"[" * 100_000,
        b'{"image": 5}',
        b'{"caption": "x"}',
        b'{"image": "\xff"}',
    ]
    table = write(tmp_path / "t.jsonl", b"\n".join([good, b"", *bad]))
    items = list(open_source(table))
    assert names(items, tmp_path) == ["a.jpg", *(f"t.jsonl::line {line}" for line in range(3, 10))]
    assert {refusal(item.uri) for item in items[1:]} == {"broken line"}


def test_jsonl_without_pictures(tmp_path: Path) -> None:
    table = write(tmp_path / "t.jsonl", '{"audio": "a.ogg"}\n')
    with pytest.raises(SourceError, match=r"no row names a picture \(first broken line: 1\); call its column one of"):
        list(JsonlSource(table))


# images.tar + captions.jsonl


def test_captions(tmp_path: Path) -> None:
    write_tar(tmp_path / "images.tar", {"a.png": picture(), "sub/b.png": picture(3)})
    lines = [
        {"image": "sub/b.png", "captions": ["x", "y"], "split": "test", "boxes": [["cat", 0, 0, 1, 1]]},
        {"image": "a.png", "captions": [], "attributes": {"colour": "red"}},
        {"image": "missing.png", "captions": ["z"]},
    ]
    write(tmp_path / "captions.jsonl", "\n".join(map(json.dumps, lines)))
    source = open_source(tmp_path)
    assert isinstance(source, CaptionsSource)
    b, a, missing = source
    assert b.uri == f"{tmp_path}/images.tar::sub/b.png"
    assert b.texts == ("x", "y")
    assert b.fields == {"folder": "sub", "name": "b.png", "split": "test"}
    assert b.regions == (Region((0, 0, 1, 1), "cat"),)
    assert read_bytes(b.uri) == picture(3)
    assert own_fields(a) == {"attributes.colour": "red"}
    assert refusal(missing.uri) == "vanished"


def test_captions_without_archive(tmp_path: Path) -> None:
    write(tmp_path / "captions.jsonl", "{}")
    with pytest.raises(SourceError, match=r"images\.tar: no such file"):
        CaptionsSource(tmp_path)


# Tar


def test_tar_in_the_webdataset_layout(tmp_path: Path) -> None:
    path = write_tar(
        tmp_path / "x.tar",
        {
            "0.png": picture(0),
            "0.txt": "first\n",
            "0.cls": "12",
            "sub/1.json": json.dumps({"caption": "second", "year": 2019}),
            "sub/1.png": picture(1),
            "sub/1.seg.png": picture(2),
            "2.0.png": picture(3),
            "./3.PNG": picture(4),
            "3.cls": "dog\n",
            "._0.png": b"mac",
            "readme.md": "no picture",
        },
    )
    items = list(open_source(path))
    assert [item.uri.removeprefix(f"{path}::") for item in items] == [
        "0.png",
        "sub/1.png",
        "sub/1.seg.png",
        "2.0.png",
        "./3.PNG",
    ]
    assert [item.texts for item in items[:4]] == [("first",), ("second",), ("second",), ()]
    assert items[0].fields == {"folder": "", "name": "0.png", "class": 12}
    assert items[1].fields == {"folder": "sub", "name": "1.png", "year": 2019}
    assert [read_bytes(item.uri) for item in items] == [picture(number) for number in range(5)]


@pytest.mark.parametrize("place", ["", "s-{000..002}.tar", "s-*.tar", "s-00[0-2].tar", "s-00{0,1,2}.tar"])
def test_shards(tmp_path: Path, place: str) -> None:
    for number in range(3):
        write_tar(tmp_path / f"s-00{number}.tar", {f"{number}.png": picture(number)})
    source = open_source(tmp_path / place)
    assert isinstance(source, TarSource)
    assert names(source, tmp_path) == [f"s-00{number}.tar::{number}.png" for number in range(3)]


def test_missing_shards(tmp_path: Path) -> None:
    write_tar(tmp_path / "s-000.tar", {"a.png": picture()})
    with pytest.raises(SourceError, match=r"s-001\.tar: no such file"):
        open_source(tmp_path / "s-{000..003}.tar")
    with pytest.raises(SourceError, match=r"no .* files here"):
        open_source(tmp_path / "t-*.tar")


def test_broken_shard_is_told_and_leaves_the_rest(tmp_path: Path) -> None:
    for number in range(3):
        write_tar(tmp_path / f"{number}.tar", {f"{index}.png": picture(index) for index in range(9)})
    content = (tmp_path / "1.tar").read_bytes()
    (tmp_path / "1.tar").write_bytes(content[: len(content) // 3])
    (tmp_path / "2.tar").write_bytes(b"no archive")
    items = list(TarSource(tmp_path))
    trouble = [item for item in items if item.uri.endswith("::(the rest)")]
    assert names(trouble, tmp_path) == ["1.tar::(the rest)", "2.tar::(the rest)"]
    assert {refusal(item.uri) for item in trouble} == {"truncated or damaged"}
    assert 9 + 2 < len(items) < 18


def test_broken_member_beside_a_picture(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "x.tar", {"0.png": picture(), "0.json": "{\n{", "1.png": picture(), "1.txt": "x"})
    items = list(TarSource(path))
    assert [item.uri.removeprefix(f"{path}::") for item in items] == ["0.png", "1.png", "0.json::line 2"]
    assert refusal(items[2].uri) == "broken line"
    assert items[1].texts == ("x",)


def test_tar_without_pictures(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "x.tar", {"a.txt": "x"})
    with pytest.raises(SourceError, match="no pictures in this archive"):
        list(open_source(path))


# Choosing


def test_open_source_chooses(tmp_path: Path) -> None:
    mixed = tmp_path / "mixed"
    write_tar(tmp_path / "x.tgz", {"a.png": picture()})
    write(mixed / "a.jpg")
    write_tar(mixed / "backup.tar", {"a.png": picture()})
    shards = tmp_path / "shards"
    shards.mkdir()
    write_tar(shards / "0.tar", {"a.png": picture()})
    write(shards / "README.md", "x")
    write(tmp_path / "T.CSV", "image\na.jpg\n")
    assert isinstance(open_source(tmp_path / "x.tgz"), TarSource)
    assert isinstance(open_source(mixed), FolderSource)
    assert isinstance(open_source(shards), TarSource)
    assert isinstance(open_source(str(tmp_path / "T.CSV")), CsvSource)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nowhere", "no such folder or file"),
        ("nowhere.tar", "no such folder or file"),
        ("a.jpg", "one picture is no source; give the folder that holds it"),
        ("a.zip", "not a known kind of source; give a folder, or a file with one of .tar"),
    ],
)
def test_open_source_refuses(tmp_path: Path, name: str, message: str) -> None:
    write(tmp_path / "a.jpg")
    write(tmp_path / "a.zip", "PK")
    with pytest.raises(SourceError, match=message) as caught:
        open_source(tmp_path / name)
    assert str(tmp_path / name) in str(caught.value)
    assert "\n" not in str(caught.value)


# Parquet


def test_parquet(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    from datetime import date
    from decimal import Decimal

    import pyarrow.parquet as parquet

    shards = tmp_path / "shards"
    shards.mkdir()
    columns = {
        "image": [{"bytes": picture(0), "path": "in/a.png"}, {"bytes": picture(1), "path": None}],
        "captions": [["x", "y"], []],
        "label": [3, None],
        "day": [date(2019, 5, 1), None],
        "price": [Decimal("1.50"), None],
    }
    parquet.write_table(pyarrow.table(columns), shards / "train-0.parquet")
    parquet.write_table(pyarrow.table({"IMG": [picture(2)]}), shards / "train-1.parquet")
    source = open_source(shards)
    assert isinstance(source, ParquetSource)
    items = list(source)
    assert names(items, shards) == ["train-0.parquet::image[0]", "train-0.parquet::image[1]", "train-1.parquet::IMG[0]"]
    assert items[0].texts == ("x", "y")
    assert items[0].fields == {"folder": "in", "name": "a.png", "label": 3, "day": "2019-05-01", "price": 1.5}
    assert items[1].fields == {"folder": "", "name": "image[1]"}
    assert [read_bytes(item.uri) for item in items] == [picture(number) for number in range(3)]


def test_parquet_that_names_its_pictures(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    import pyarrow.parquet as parquet

    write(tmp_path / "a.jpg")
    table = pyarrow.table({"path": ["a.jpg", "a.jpg", None], "text": ["x", "y", "z"]})
    parquet.write_table(table, tmp_path / "0.parquet")
    parquet.write_table(table.slice(0, 1), tmp_path / "1.parquet")
    a, broken = open_source(tmp_path / "{0,1}.parquet")
    assert (a.uri, a.texts) == (f"{tmp_path}/a.jpg", ("x", "y"))
    assert refusal(broken.uri) == "broken line"


def test_parquet_that_cannot_be_used(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    import pyarrow.parquet as parquet

    parquet.write_table(pyarrow.table({"name": ["x"]}), tmp_path / "columns.parquet")
    with pytest.raises(SourceError, match="no column of pictures among name; call it one of image"):
        list(open_source(tmp_path / "columns.parquet"))
    parquet.write_table(pyarrow.table({"image": pyarrow.array([], pyarrow.binary())}), tmp_path / "rows.parquet")
    with pytest.raises(SourceError, match="no rows that can be read"):
        list(open_source(tmp_path / "rows.parquet"))
    write(tmp_path / "broken.parquet", "no table")
    with pytest.raises(SourceError, match="no rows that can be read"):
        list(open_source(tmp_path / "broken.parquet"))


def test_broken_table_is_told_and_leaves_the_rest(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    import pyarrow.parquet as parquet

    parquet.write_table(pyarrow.table({"image": [picture()]}), tmp_path / "1.parquet")
    write(tmp_path / "0.parquet", "no table")
    items = list(ParquetSource(tmp_path))
    assert names(items, tmp_path) == ["0.parquet::(the rest)", "1.parquet::image[0]"]
    assert refusal(items[0].uri) == "truncated or damaged"
