"""File names that are hard to keep: every one is found, followed and forgotten like any other."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from colour_model import write_picture

from limner.collection import Collection
from limner.data.content import path_uri

Ids = Callable[[Collection], dict[str, str]]
NAMES = [
    "größe-日本-🐕.png",
    "two\nlines.png",
    "tab\tand 'quotes' \"double\".png",
    "percent%41 and # and ?.png",
    " leading and trailing .png",
    "-minus.png",
    "a::b.png",
    "x.tar::y.png",
    "e\u0301 and \u00e9.png",
    os.fsdecode(b"latin-\xe9.png"),
    os.fsdecode(b"cut \xf0\x9f.png"),
]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_from_end_to_end(collection: Collection, home: Path, name: str, bundle: Path) -> None:
    folder = home / "photos"
    path = write_picture(folder / name, "red")
    write_picture(folder / "other.png", "blue")
    assert collection.add(folder).added == 2
    [hit] = collection.search("red", k=1)
    assert hit.uri == path_uri(str(path))
    assert collection.get(hit.item.id) == hit.item
    assert [item.uri for item in collection.items(f"uri = '{hit.uri.replace(chr(39), chr(39) * 2)}'")] == [hit.uri]
    assert collection.search(image=path, k=1)[0].item == hit.item
    assert collection.add(folder).unchanged == 2
    path.rename(folder / "deep.png")
    assert collection.add(folder).moved == 1
    (folder / "deep.png").rename(path)
    assert collection.add(folder).moved == 1
    assert collection.get(hit.item.id).uri == hit.uri
    for suffix in ("npy", "parquet"):
        collection.export_vectors(home / f"x.{suffix}")
        with Collection(home / f"{suffix}.limner", model=bundle) as elsewhere:
            assert elsewhere.import_vectors(home / f"x.{suffix}").added == 2
            assert elsewhere.add(folder).unchanged == 2
            assert elsewhere.search("red", k=1)[0].uri == hit.uri
    path.write_bytes(b"broken")
    assert [one.uri for one in collection.add(folder).skipped] == [hit.uri]
    path.unlink()
    collection.add(folder)
    assert collection.skipped() == []
    assert collection.remove(under=path) == 1, "a vanished one"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
@pytest.mark.parametrize("name", [*(name.removesuffix(".png") for name in NAMES), "%", "x.tar"], ids=ascii)
def test_as_a_folder(collection: Collection, home: Path, name: str) -> None:
    first, second = (
        write_picture(home / name / file, colour) for file, colour in [("a.png", "red"), ("b.png", "blue")]
    )
    write_picture(home / "other" / "c.png", "green")
    assert collection.add(home / name).added == 2
    collection.add(home / "other")
    first.write_bytes(b"broken")
    second.unlink()
    write_picture(home / name / "new.png", "grey")
    report = collection.add(home / name)
    assert (report.added, len(report.skipped), report.vanished) == (1, 1, 1)
    first.unlink()
    assert collection.add(home / name).skipped == ()
    assert collection.skipped() == []
    assert collection.remove(under=home / name) == 3
    assert [Path(item.uri).name for item in collection.items()] == ["c.png"]


def test_texts_and_fields_that_are_hard_to_keep(collection: Collection, photos: Path, home: Path) -> None:
    odd: dict[str, Any] = {"a\nb": "x\ny", "größe": 1, "select": "'; DROP TABLE items; --", "id": "x'\"\n"}
    (photos / "red.json").write_text(json.dumps(odd | {"captions": ["größe\n日本", "'\""]}))
    collection.add(photos)
    item = collection.get(str(odd["id"]))
    assert {name: item.fields[name] for name in odd if name != "id"} == {k: v for k, v in odd.items() if k != "id"}
    assert [one.id for one in collection.items("größe = 1")] == [item.id]
    assert [one.id for one in collection.items("`a\nb` = 'x\ny'")] == [item.id]
