"""Everything that a person can get wrong: one line that names it and says what to do, never a traceback."""

from __future__ import annotations

import json
import resource
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

Limner = Callable[..., Any]
"""Runs one command line; the result has `code`, `out` and `err`."""


class Failed(NamedTuple):
    code: int
    err: str


NewBundle = Callable[..., Path]


def complaint(ran: Any, *words: str, code: int = 2) -> None:
    """The command failed with that exit code and one message that holds these words."""
    assert ran.code == code, ran
    assert ran.err.startswith("limner: "), ran
    assert "Traceback" not in ran.err
    for word in words:
        assert word in ran.err, ran
    lines = ran.err.splitlines()
    assert len(lines) == 1 or (len(lines) == 3 and lines[2].strip() == "^"), ran  # a query with a caret below


def shards(home: Path) -> list[Path]:
    found = sorted((home / "limner" / "default.limner").rglob("*.safetensors"))
    assert found
    return found


def ledger(home: Path) -> Path:
    (found,) = (
        path
        for path in (home / "limner" / "default.limner").iterdir()
        if path.is_file() and path.read_bytes().startswith(b"SQLite format 3")
    )
    return found


def test_missing_folder(home: Path, limner: Limner) -> None:
    complaint(limner("index", "nowhere", "--model", "colours"), "nowhere")
    assert not (home / "limner" / "default.limner").exists()


def test_folder_without_pictures(home: Path, limner: Limner) -> None:
    (home / "texts").mkdir()
    (home / "texts" / "a.txt").write_text("no picture")
    complaint(limner("index", "texts", "--model", "colours"), "texts", "no pictures")


def test_no_collection_yet(home: Path, limner: Limner) -> None:
    for verb in (["search", "dog"], ["status"], ["export", "x.npy"], ["index"], ["remove", "x"]):
        complaint(limner(*verb), "default.limner", "limner index", code=1)
    assert not (home / "limner" / "default.limner").exists()


def test_unreadable_file_is_skipped(photos: Path, limner: Limner) -> None:
    (photos / "link.png").symlink_to(photos / "nowhere.png")
    (photos / "half.png").write_bytes((photos / "red.png").read_bytes()[:40])
    ran = limner("index", "photos", "--model", "colours")
    assert ran.code == 0
    assert "photos/link.png: " in ran.out
    assert "photos/half.png: truncated or damaged" in ran.out


def test_no_such_model(photos: Path, limner: Limner) -> None:
    complaint(limner("index", "photos", "--model", "clip"), "clip", "colours", code=1)
    complaint(limner("model", "inspect", "clip"), "clip", "colours", code=1)


def test_half_a_bundle(photos: Path, limner: Limner, home: Path, new_bundle: NewBundle) -> None:
    bundle = new_bundle(home / "half")
    (bundle / "text.onnx").unlink()
    complaint(limner("index", "photos", "--model", bundle), "text.onnx", "missing", code=1)


def test_changed_bundle(photos: Path, limner: Limner, home: Path, new_bundle: NewBundle) -> None:
    bundle = new_bundle(home / "changed")
    (bundle / "image.onnx").write_bytes(b"something else")
    complaint(limner("index", "photos", "--model", bundle), "image.onnx", "sha256", code=1)


def test_vectors_of_another_bundle(indexed: Path, limner: Limner, home: Path, new_bundle: NewBundle) -> None:
    other = new_bundle(home / "other", size=12, name="other")
    complaint(limner("index", "photos", "--model", other), "limner reindex --model", code=1)
    assert limner("search", "red").code == 0


def test_the_collections_bundle_has_gone(photos: Path, limner: Limner, home: Path, new_bundle: NewBundle) -> None:
    bundle = new_bundle(home / "limner/models/mine")
    assert limner("index", "photos", "--model", "mine").code == 0
    shutil.rmtree(bundle)
    complaint(limner("search", "red"), "mine", code=1)


def test_corrupt_sqlite(indexed: Path, limner: Limner, home: Path) -> None:
    path = ledger(home)
    for beside in path.parent.glob(path.name + "-*"):
        beside.unlink()
    path.write_bytes(b"SQLite format 3\0" + b"\xff" * 4096)
    complaint(limner("search", "red"), path.name, code=1)
    complaint(limner("status"), path.name, code=1)
    complaint(limner("index", "photos"), path.name, code=1)


def test_another_programs_database(indexed: Path, limner: Limner, home: Path) -> None:
    path = ledger(home)
    for beside in path.parent.glob(path.name + "*"):
        beside.unlink()
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE things (name)")
    connection.commit()
    connection.close()
    complaint(limner("search", "red"), path.name, code=1)


@pytest.mark.parametrize("damage", ["flip", "cut", "remove"])
def test_corrupt_shard(indexed: Path, limner: Limner, home: Path, damage: str) -> None:
    for path in shards(home):
        content = bytearray(path.read_bytes())
        content[-3] ^= 0x40
        path.write_bytes(content if damage == "flip" else content[:-8])
        if damage == "remove":
            path.unlink()
    complaint(limner("search", "red"), ".safetensors", "limner reindex", code=1)
    checked = limner("status", "--check", "--json")
    assert checked.code == 1
    assert ".safetensors" in json.loads(checked.out)["problems"][0]


def test_mending_a_corrupt_shard(indexed: Path, limner: Limner, home: Path) -> None:
    for path in shards(home):
        path.write_bytes(path.read_bytes()[:-8])
    ran = limner("reindex", "--model", "colours")
    assert ran.code == 0, ran.err
    assert limner("search", "red", "-k", 1).out.split()[2] == "photos/red.png"
    assert limner("status", "--check").code == 0


def test_unknown_field(indexed: Path, limner: Limner) -> None:
    complaint(limner("search", "red", "--where", "nmae = 'red.png'"), "nmae", "name")
    complaint(limner("remove", "--where", "nmae = 'red.png'", "--yes"), "nmae")


@pytest.mark.parametrize(
    "attack",
    [
        "name = 'x'; DROP TABLE items",
        "name = 'x' OR 1=1 --",
        "1=1",
        "name = (SELECT id FROM items)",
        "name = 'red.png' UNION SELECT * FROM meta",
        "load_extension('x')",
        "`name` = 'x' /* ",
        "name like",
        "",
    ],
)
def test_injection_does_not_parse(indexed: Path, limner: Limner, attack: str) -> None:
    complaint(limner("search", "red", "--where", attack))
    complaint(limner("remove", "--where", attack, "--yes"))
    assert limner("search", "red").code == 0


@pytest.mark.parametrize("text", ["'; DROP TABLE items; --", "x' OR '1'='1", '"', "%", "\\"])
def test_injection_in_a_value_is_only_a_value(indexed: Path, limner: Limner, text: str) -> None:
    quoted = text.replace("'", "''")
    assert limner("search", "red", "--where", f"name = '{quoted}'").out == "nothing found\n"
    complaint(limner("search", "red", "--where", f"`{text.replace('`', '``')}` = 1"))
    assert len(limner("search", "red").out.splitlines()) == 5


def test_queries_that_do_not_parse(indexed: Path, limner: Limner) -> None:
    complaint(limner("search", 'red "never closed'))
    complaint(limner("search", ""))
    complaint(limner("search"))


def test_query_too_long(indexed: Path, limner: Limner) -> None:
    complaint(limner("search", "red " * 100), "64")  # tokens that the model reads
    complaint(limner("search", "red " * 5000), "10000")


@pytest.mark.parametrize("k", [0, -1])
def test_k_below_one(indexed: Path, limner: Limner, k: int) -> None:
    complaint(limner("search", "red", "-k", k), "at least 1")


def test_probabilities_go_from_0_to_1(indexed: Path, limner: Limner) -> None:
    complaint(limner("search", "red", "--min-score", 2), "0 to 1")
    complaint(limner("search", "red", "--recall", 0), "recall is 0; it must be above 0")


def test_pictures_that_cannot_be_asked_with(indexed: Path, limner: Limner) -> None:
    (indexed / "broken.png").write_bytes(b"nothing")
    complaint(limner("search", "--image", "photos/nowhere.png"), "nowhere.png")
    complaint(limner("search", "--image", "photos/broken.png"), "broken.png", "not a picture")


def test_odd_names_stay_on_one_line(indexed: Path, limner: Limner) -> None:
    name = "no\nsuch\x1b[31m.png"
    for ran in (limner("search", "--image", name), limner("index", name), limner("remove", name, "--yes")):
        complaint(ran, "no\\nsuch\\x1b[31m.png")
    ran = limner("search", 'red \x1b "open')
    complaint(ran, "open")
    assert "\x1b" not in ran.err


def test_options_that_do_not_exist(home: Path, limner: Limner) -> None:
    complaint(limner("search", "-person"), "-p", "limner search --help")
    complaint(limner("search", "a", "b"), "limner search --help")
    complaint(limner("serach", "a"), "search")
    complaint(limner("search", "a", "-k", "many"), "-k")
    complaint(limner("remove", "--yes"), "--where")


def test_files_that_cannot_be_imported(indexed: Path, limner: Limner, home: Path) -> None:
    complaint(limner("import", "nowhere.npy"), "nowhere.npy")
    Path("junk.npy").write_bytes(b"junk")
    complaint(limner("import", "junk.npy"), "junk.npy")
    complaint(limner("export", "vectors.csv"), ".npy", ".parquet")


def test_data_that_cannot_be_measured(photos: Path, limner: Limner) -> None:
    complaint(limner("evaluate", "nowhere", "--model", "colours"), "nowhere")
    complaint(limner("evaluate", "photos", "--model", "colours"), "photos", "caption")
    (photos / "red.txt").write_text("red")
    complaint(limner("evaluate", "photos", "--model", "colours", "--split", "dev"), "dev")
    Path("trec").write_text("in the way")
    complaint(limner("evaluate", "photos", "--model", "colours", "--trec", "trec"), "trec", code=1)


def test_places_that_cannot_be_written(indexed: Path, limner: Limner) -> None:
    Path("file").write_text("in the way")
    complaint(limner("search", "red", "--sheet", "file/page.html"), "file/page.html", code=1)
    complaint(limner("export", "file/x.npy"), "file/x.npy", code=1)
    complaint(limner("index", "photos", "-c", "file", "--model", "colours"), "file", "choose another", code=1)
    complaint(limner("demo", "--out", "file"), "file", "choose another folder")


@pytest.mark.parametrize("bytes_", [0, 20_000, 100_000])
def test_a_disk_that_takes_no_more(photos: Path, limner: Limner, bytes_: int) -> None:
    """Files may not grow beyond a limit, as if the disk were full: it is said, and a new run mends it."""
    command = [sys.executable, "-m", "limner", "index", "photos", "--model", "colours"]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=120,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_, bytes_)),
    )
    if done.returncode != 0:
        complaint(Failed(done.returncode, done.stderr), "default.limner", code=1)
    else:
        assert bytes_ == 100_000  # enough, as it may be
    ran = limner("index", "photos", "--model", "colours")
    assert ran.code == 0, ran.err
    assert len(limner("search", "red").out.splitlines()) == 5
    assert limner("status", "--check").code == 0


def test_a_second_writer(indexed: Path, limner: Limner, home: Path) -> None:
    from limner.index.catalogue import Catalogue

    catalogue = Catalogue(ledger(home))
    with catalogue.writing():
        complaint(limner("remove", "photos", "--yes"), "writing", code=1)
        assert limner("search", "red").code == 0
    catalogue.close()
