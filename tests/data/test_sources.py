"""What a folder of pictures gives, and which source fits what is at a path."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from source_files import names, own_fields, picture, refusal, write, write_tar

from limner.core.errors import SourceError
from limner.core.types import Region
from limner.data.content import read_bytes
from limner.data.sources import (
    CsvSource,
    FolderSource,
    TarSource,
    open_source,
)

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
