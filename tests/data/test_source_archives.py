"""What archives give: the layout of a data set, and shards in the webdataset layout."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from source_files import names, own_fields, picture, refusal, write, write_tar

from limner.core.errors import SourceError
from limner.core.types import Region
from limner.data.content import read_bytes
from limner.data.sources import (
    CaptionsSource,
    TarSource,
    open_source,
)

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
