"""What tables give: which items, with which texts and fields, and what is said where they cannot be used."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from source_files import names, own_fields, picture, refusal, write, write_tar

from limner.core.errors import SourceError
from limner.data.content import read_bytes
from limner.data.sources import (
    CsvSource,
    JsonlSource,
    ParquetSource,
    open_source,
)

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
