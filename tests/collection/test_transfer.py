"""Vectors out of a collection and into another: whole, of the same model, or not at all."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet
import pytest
from colour_model import COLOURS, write_picture

from limner.collection import Collection, transfer
from limner.core.errors import InputError, ModelMismatch, StorageError
from limner.core.types import Item, Region

Kept = Callable[[Collection], dict[str, Any]]
Ids = Callable[[Collection], dict[str, str]]
both = pytest.mark.parametrize("suffix", ["npy", "parquet"])


@pytest.fixture
def rich(indexed: Collection, photos: Path) -> Collection:
    """The collection with all that an item can have: captions, fields of all kinds, regions, an id of its own."""
    item = Item(
        str(photos / "red.png"), "r", texts=("größe", "two\nlines"),
        fields={"year": 2019, "rate": 0.1, "big": 2**62, "name": "it's", "inf": float("inf")},
        regions=(Region((0, 0, 0.5, 1), "left", np.eye(3, dtype=bool)),),
    )  # fmt: skip
    indexed.add([item])
    return indexed


@both
def test_there_and_elsewhere(
    rich: Collection, home: Path, bundle: Path, photos: Path, kept: Kept, ids: Ids, suffix: str
) -> None:
    assert rich.export_vectors(home / f"x.{suffix}") == 5
    assert not list(home.glob("*.part"))
    with Collection(home / "elsewhere.limner", model=bundle) as elsewhere:
        report = elsewhere.import_vectors(home / f"x.{suffix}")
        assert (report.added, report.updated, report.skipped) == (5, 0, ())
        assert kept(elsewhere) == kept(rich)
        assert elsewhere.get("r") == rich.get("r")
        np.testing.assert_array_equal(elsewhere.get("r").regions[0].mask, np.eye(3, dtype=bool))
        assert elsewhere.search("red", k=5) == rich.search("red", k=5)
        assert elsewhere.status().jobs == ()
        assert elsewhere.check() == []
        again = elsewhere.import_vectors(home / f"x.{suffix}")
        assert (again.added, again.updated, len(elsewhere)) == (0, 5, 5)
    assert rich.import_vectors(home / f"x.{suffix}").updated == 5


@both
def test_add_finds_all_unchanged_after_an_import(
    indexed: Collection, home: Path, bundle: Path, photos: Path, suffix: str
) -> None:
    indexed.export_vectors(f"x.{suffix}")
    with Collection(home / "elsewhere.limner", model=bundle) as elsewhere:
        elsewhere.import_vectors(f"x.{suffix}")
        assert elsewhere.add(photos).unchanged == 5
        (photos / "red.png").rename(photos / "crimson.png")
        assert elsewhere.add(photos).moved == 1


@both
def test_into_a_collection_that_has_items(
    indexed: Collection, home: Path, bundle: Path, photos: Path, suffix: str
) -> None:
    indexed.export_vectors(home / f"x.{suffix}")
    with Collection(home / "other.limner", model=bundle) as other:
        write_picture(home / "more" / "crimson.png", (200, 30, 30))
        other.add(home / "more")  # has the id i1, as the first of the file has
        assert other.import_vectors(home / f"x.{suffix}").added == 5
        assert len(other) == len({item.id for item in other.items()}) == 6
        assert {Path(hit.uri).stem for hit in other.search("red", k=2)} == {"red", "crimson"}


def test_the_files_are_plain(indexed: Collection, home: Path) -> None:
    indexed.export_vectors(home / "x.npy")
    vectors = np.load(home / "x.npy")
    assert (vectors.shape, vectors.dtype) == ((5, 3), np.float32)
    about, *rows = [json.loads(line) for line in (home / "x.jsonl").read_text().splitlines()]
    assert about["fingerprint"] == indexed.status().model_fingerprint
    assert [Path(row["uri"]).stem for row in rows] == sorted(COLOURS)
    indexed.export_vectors(home / "x.parquet")
    table = pyarrow.parquet.read_table(home / "x.parquet")
    assert table["uri"].to_pylist() == [row["uri"] for row in rows]
    np.testing.assert_array_equal(np.array(table["vector"].to_pylist(), np.float32), vectors)


@both
def test_more_than_one_batch(
    collection: Collection, home: Path, bundle: Path, kept: Kept, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer, "_ROWS", 7)
    for number in range(30):
        write_picture(home / "many" / f"{number}.png", (number, 90, 200))
    collection.add(home / "many")
    collection.remove(where="name like '2%'")
    assert collection.export_vectors(home / f"x.{suffix}") == 19
    with Collection(home / "elsewhere.limner", model=bundle) as elsewhere:
        assert elsewhere.import_vectors(home / f"x.{suffix}").added == 19
        assert kept(elsewhere) == kept(collection)


def test_vanished_items_stay_behind(indexed: Collection, home: Path, photos: Path) -> None:
    (photos / "red.png").unlink()
    indexed.add(photos)
    assert indexed.export_vectors(home / "x.npy") == 4


@both
def test_vectors_of_another_model(indexed: Collection, home: Path, finer: Path, suffix: str) -> None:
    indexed.export_vectors(home / f"x.{suffix}")
    with Collection(home / "other.limner", model=finer) as other:
        with pytest.raises(ModelMismatch, match=f"x.{suffix}: vectors of model colours .*index the pictures instead"):
            other.import_vectors(home / f"x.{suffix}")
        assert (len(other), other.status().jobs, other.status().model_name) == (0, (), "")


@pytest.mark.parametrize("name", ["x.npy", "x.jsonl", "x.parquet"])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.97])
def test_files_that_are_not_whole(
    collection: Collection, home: Path, bundle: Path, name: str, share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer, "_ROWS", 7)
    for number in range(30):
        write_picture(home / "many" / f"{number}.png", (number, 90, 200))
    collection.add(home / "many")
    for suffix in ("npy", "parquet"):
        collection.export_vectors(home / f"x.{suffix}")
    content = (home / name).read_bytes()
    (home / name).write_bytes(content[: int(len(content) * share)])
    given = name.replace("jsonl", "npy")
    with Collection(home / "other.limner", model=bundle) as other:
        with pytest.raises(InputError, match=f"{given}: not a whole file of limner export; export it again"):
            other.import_vectors(home / given)
        assert (len(other), other.status().jobs, other.check()) == (0, (), []), "all or nothing"


def test_lines_that_are_missing_or_wrong(indexed: Collection, home: Path, bundle: Path) -> None:
    indexed.export_vectors(home / "x.npy")
    lines = (home / "x.jsonl").read_text().splitlines()
    wrong = json.loads(lines[2]) | {"fields": "[1, 2]"}
    with Collection(home / "other.limner", model=bundle) as other:
        for bad in (lines[:-1], [*lines, lines[-1]], [*lines[:2], json.dumps(wrong), *lines[3:]], ["[]"], lines[1:]):
            (home / "x.jsonl").write_text("\n".join(bad))
            with pytest.raises(InputError):
                other.import_vectors(home / "x.npy")
            assert len(other) == 0
        (home / "x.jsonl").unlink()
        with pytest.raises(InputError, match="not a whole file"):
            other.import_vectors(home / "x.npy")


def test_vectors_that_are_no_numbers(indexed: Collection, home: Path, bundle: Path) -> None:
    indexed.export_vectors(home / "x.npy")
    vectors = np.load(home / "x.npy")
    vectors[3, 1] = np.nan
    np.save(home / "x.npy", vectors)
    with Collection(home / "other.limner", model=bundle) as other:
        with pytest.raises(InputError, match="NaN"):
            other.import_vectors(home / "x.npy")
        assert len(other) == 0


def test_an_export_of_a_newer_limner(indexed: Collection, home: Path) -> None:
    indexed.export_vectors(home / "x.npy")
    about, *rows = (home / "x.jsonl").read_text().splitlines()
    (home / "x.jsonl").write_text("\n".join([json.dumps(json.loads(about) | {"limner": 2}), *rows]))
    with pytest.raises(InputError, match="export format 2 is unknown here; update limner"):
        indexed.import_vectors(home / "x.npy")


def test_names_that_cannot_be_used(indexed: Collection, home: Path, photos: Path) -> None:
    with pytest.raises(InputError, match=r"x\.csv: a name that ends in \.npy or \.parquet is needed"):
        indexed.export_vectors(home / "x.csv")
    with pytest.raises(InputError, match=r"x\.csv: give a \.npy or \.parquet file"):
        indexed.import_vectors(home / "x.csv")
    with pytest.raises(InputError, match=r"nowhere\.npy: no such file"):
        indexed.import_vectors(home / "nowhere.npy")
    with pytest.raises(InputError, match="no space 'sparse'"):
        indexed.export_vectors(home / "x.npy", space="sparse")
    (home / "file").write_text("in the way")
    for suffix in ("npy", "parquet"):
        with pytest.raises(StorageError, match="cannot be written"):
            indexed.export_vectors(home / "file" / f"x.{suffix}")
    assert indexed.status().jobs == ()


def test_a_table_that_happens_to_stand_beside_is_not_overwritten(indexed: Collection, home: Path) -> None:
    (home / "x.jsonl").write_text('{"image": "a.jpg"}\n')
    with pytest.raises(InputError, match=r"x\.jsonl: exists and is no export of limner's; choose another name"):
        indexed.export_vectors(home / "x.npy")
    assert (home / "x.jsonl").read_text() == '{"image": "a.jpg"}\n'
    indexed.export_vectors(home / "y.npy")
    assert indexed.export_vectors(home / "y.npy") == 5, "one of ours may be written anew"
