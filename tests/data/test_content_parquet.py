"""read_bytes of the cells of parquet tables."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from limner.core.errors import PictureError
from limner.data.content import read_bytes, read_stamp

pyarrow = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")


def refusal(uri: str) -> str:
    with pytest.raises(PictureError) as caught:
        read_bytes(uri)
    assert caught.value.uri == uri
    return caught.value.reason


def write_table(path: Path, columns: dict[str, object], **options: object) -> Path:
    parquet.write_table(pyarrow.table(columns), path, **options)
    return path


def test_cells(tmp_path: Path) -> None:
    (tmp_path / "beside.jpg").write_bytes(b"beside")
    path = write_table(
        tmp_path / "t.parquet",
        {
            "image": [b"zero", b"one", None, b""],
            "odd[1] name": [b"a", b"b", b"c", b"d"],
            "hf": [
                {"bytes": b"in", "path": "x.jpg"},
                {"bytes": None, "path": "beside.jpg"},
                None,
                {"bytes": None, "path": None},
            ],
            "file": ["beside.jpg", "no.jpg", "beside.jpg", None],
            "number": [1, 2, 3, 4],
        },
    )
    assert read_bytes(f"{path}::image[0]") == b"zero"
    assert read_bytes(f"{path}::image[1]") == b"one"
    assert refusal(f"{path}::image[2]") == "empty file"
    assert refusal(f"{path}::image[3]") == "empty file"
    assert read_bytes(f"{path}::odd[1] name[2]") == b"c"
    assert read_bytes(f"{path}::hf[0]") == b"in"
    assert read_bytes(f"{path}::hf[1]") == b"beside"
    assert refusal(f"{path}::hf[2]") == "empty file"
    assert refusal(f"{path}::hf[3]") == "empty file"
    assert read_bytes(f"{path}::file[0]") == b"beside"
    assert refusal(f"{path}::file[1]") == "vanished"
    assert refusal(f"{path}::number[0]") == "not a picture"
    for inside in ("image[4]", "none[0]", "image", "image[-1]", "image[x]"):
        assert refusal(f"{path}::{inside}") == "vanished"
    assert read_stamp(f"{path}::image[0]") == read_stamp(str(path))


def test_cells_in_any_order_over_row_groups(tmp_path: Path) -> None:
    values = [random.Random(number).randbytes(50 + number) for number in range(500)]
    path = write_table(tmp_path / "t.parquet", {"image": values, "other": values[::-1]}, row_group_size=70)
    chance = random.Random(0)
    wanted = [*range(500), *reversed(range(0, 500, 7)), *(chance.randrange(500) for _ in range(200))]
    assert all(read_bytes(f"{path}::image[{row}]") == values[row] for row in wanted)
    for row in range(0, 500, 50):
        assert read_bytes(f"{path}::other[{row}]") == values[499 - row]
        assert read_bytes(f"{path}::image[{row}]") == values[row]


def test_cells_from_many_threads(tmp_path: Path) -> None:
    values = [random.Random(number).randbytes(100) for number in range(300)]
    path = write_table(tmp_path / "t.parquet", {"image": values}, row_group_size=64)
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda row: read_bytes(f"{path}::image[{row}]"), range(300))) == values


def test_table_that_changes(tmp_path: Path) -> None:
    path = write_table(tmp_path / "t.parquet", {"image": [b"old"]})
    assert read_bytes(f"{path}::image[0]") == b"old"
    write_table(path, {"image": [b"newer", b"more"]})
    assert read_bytes(f"{path}::image[0]") == b"newer"
    assert read_bytes(f"{path}::image[1]") == b"more"


@pytest.mark.parametrize("content", [b"", b"PAR1 not really", b"PAR1" + bytes(100) + b"PAR1"])
def test_what_is_no_table(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "t.parquet"
    path.write_bytes(content)
    assert refusal(f"{path}::image[0]") == "truncated or damaged"
    assert refusal(f"{tmp_path}/no.parquet::image[0]") == "vanished"


def test_damaged_row_group_leaves_the_others(tmp_path: Path) -> None:
    values = [random.Random(number).randbytes(200) for number in range(100)]
    path = write_table(tmp_path / "t.parquet", {"image": values}, row_group_size=50, compression="gzip")
    chunk = parquet.ParquetFile(path).metadata.row_group(0).column(0)
    content = bytearray(path.read_bytes())
    end = chunk.dictionary_page_offset or chunk.data_page_offset
    content[end + 100 : end + 200] = bytes(100)
    path.write_bytes(content)
    for _ in range(2):
        assert refusal(f"{path}::image[0]") == "truncated or damaged"
        assert read_bytes(f"{path}::image[60]") == values[60]
