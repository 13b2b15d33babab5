"""The contract of every source: the same items twice, each uri once, stamps that hold, bytes that open."""

from __future__ import annotations

import io
import json
import tarfile
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from limner.core.errors import PictureError, SourceError
from limner.core.protocols import Source
from limner.data.content import read_bytes, read_stamp
from limner.data.pictures import read_picture
from limner.data.sources import (
    CaptionsSource,
    CsvSource,
    FolderSource,
    JsonlSource,
    ParquetSource,
    TarSource,
    open_source,
)

NAMES = ["b.png", "a.png", "deep/er/č::x.png", "deep/line\nbreak.png"]
SHADES = {name: 40 * number for number, name in enumerate(NAMES)}
CAPTIONS = {name: [f"first of {number}", f"second of {number}"] for number, name in enumerate(NAMES)}


def picture(name: str) -> bytes:
    buffer = io.BytesIO()
    Image.new("L", (8, 6), SHADES[name]).save(buffer, "PNG")
    return buffer.getvalue()


def make_files(folder: Path) -> None:
    for name in NAMES:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture(name))


def make_tar(path: Path, *, texts: bool) -> None:
    with tarfile.open(path, "w") as archive:
        for name in NAMES:
            members = {name: picture(name)}
            if texts:
                members[name.removesuffix(".png") + ".txt"] = "\n".join(CAPTIONS[name]).encode()
            for member, content in members.items():
                info = tarfile.TarInfo(member)
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))


def records() -> list[dict[str, object]]:
    return [{"image": name, "captions": CAPTIONS[name], "split": "test"} for name in NAMES]


def folder(place: Path) -> Path:
    make_files(place)
    for name in NAMES:
        (place / name).with_suffix(".txt").write_text("\n".join(CAPTIONS[name]))
    return place


def csv(place: Path) -> Path:
    import csv

    make_files(place)
    with open(place / "t.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["image", "caption"])
        writer.writerows(
            [name, caption] for number in range(2) for name in NAMES for caption in [CAPTIONS[name][number]]
        )
    return place / "t.csv"


def jsonl(place: Path) -> Path:
    make_files(place)
    (place / "t.jsonl").write_text("\n".join(map(json.dumps, records())))
    return place / "t.jsonl"


def parquet(place: Path) -> Path:
    pyarrow = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    from pyarrow.parquet import write_table

    rows = [{"image": {"bytes": picture(name), "path": name}, "text": CAPTIONS[name]} for name in NAMES]
    write_table(pyarrow.Table.from_pylist(rows), place / "t.parquet")
    return place / "t.parquet"


def tar(place: Path) -> Path:
    make_tar(place / "t.tar", texts=True)
    return place / "t.tar"


def captions(place: Path) -> Path:
    make_tar(place / "images.tar", texts=False)
    (place / "captions.jsonl").write_text("\n".join(map(json.dumps, records())))
    return place


KINDS: list[tuple[type, Callable[[Path], Path]]] = [
    (FolderSource, folder),
    (CsvSource, csv),
    (JsonlSource, jsonl),
    (ParquetSource, parquet),
    (TarSource, tar),
    (CaptionsSource, captions),
]
every_source = pytest.mark.parametrize(("kind", "make"), KINDS, ids=[kind.__name__ for kind, _ in KINDS])


@every_source
def test_contract(tmp_path: Path, kind: type, make: Callable[[Path], Path]) -> None:
    place = make(tmp_path)
    source = open_source(place)
    assert type(source) is kind
    assert isinstance(source, Source)
    items = list(source)
    assert items == list(source) == list(kind(place)), "the same items, in the same order"
    assert len({item.uri for item in items}) == len(items) == len(NAMES)
    for item in items:
        assert item.uri.startswith(str(tmp_path))
        assert item.stamp == read_stamp(item.uri)
        name = f"{item.fields['folder']}/{item.fields['name']}".removeprefix("/")
        assert list(item.texts) == CAPTIONS[name]
        content = read_bytes(item.uri)
        assert content == picture(name)
        assert read_picture(content, item.uri)[0].getpixel((0, 0)) == (SHADES[name],) * 3
        for text in (item.uri, item.id, *item.texts, *map(str, item.fields), *map(str, item.fields.values())):
            text.encode()


@every_source
def test_iterations_do_not_disturb_each_other(tmp_path: Path, kind: type, make: Callable[[Path], Path]) -> None:
    source = kind(make(tmp_path))
    assert [first for first, _ in zip(source, source, strict=True)] == list(source)


@pytest.mark.parametrize(("kind", "make"), KINDS[1:], ids=[kind.__name__ for kind, _ in KINDS[1:]])
@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_any_damage(kind: type, make: Callable[[Path], Path], data: st.DataObject) -> None:
    """A damaged table or archive gives items that open or say why not, or a SourceError: nothing else."""
    with tempfile.TemporaryDirectory() as folder:
        place = make(Path(folder))
        target = place / data.draw(st.sampled_from(["images.tar", "captions.jsonl"])) if place.is_dir() else place
        content = bytearray(target.read_bytes())
        for position, byte in data.draw(st.lists(st.tuples(st.integers(0, 2**16), st.integers(0, 255)), max_size=30)):
            content[position % len(content)] = byte
        target.write_bytes(content[: data.draw(st.integers(0, len(content)))] if data.draw(st.booleans()) else content)
        with suppress(SourceError):
            for item in kind(place):
                item.uri.encode()
                with suppress(PictureError):
                    assert read_bytes(item.uri)


@pytest.mark.parametrize("kind", [kind for kind, _ in KINDS])
def test_missing_place(tmp_path: Path, kind: type) -> None:
    with pytest.raises(SourceError, match=r"no such f|no .* files here") as caught:
        kind(tmp_path / "nowhere")
    assert str(tmp_path / "nowhere") in str(caught.value)
