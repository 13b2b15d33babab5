"""A collection as a folder on a disk: what it tells of itself, who may write, and what happens when the disk fails."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from colour_model import COLOURS, write_picture

from limner.collection import Collection, Progress
from limner.core.errors import CollectionBusy, CollectionError, StorageError
from limner.index.schema import VERSION

Kept = Callable[[Collection], dict[str, Any]]

WRITER = """
import sys
from limner.collection import Collection, adding

adding.BATCH, adding.COMMIT_ROWS = 4, 10
folder, photos, model, stop = *sys.argv[1:4], int(sys.argv[4])

def tell(progress):
    print(progress.done, flush=True)
    if progress.done == stop:
        sys.stdin.readline()

with Collection(folder, model=model) as collection:
    print(collection.add(photos, progress=tell).added, flush=True)
"""
FULL_DISK = """
import resource, sys
from limner.collection import Collection, adding
from limner.core.errors import StorageError

adding.BATCH, adding.COMMIT_ROWS = 4, 10
folder, photos, largest = *sys.argv[1:3], int(sys.argv[3])
with Collection(folder) as collection:
    before = len(collection)
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest, resource.RLIM_INFINITY))
    try:
        collection.add(photos)
    except StorageError as error:
        print(before, len(collection), len(collection.search("red", k=9999)), error)
"""


def names(collection: Collection, k: int = 1) -> list[str]:
    return [Path(hit.uri).stem for hit in collection.search("red", k=k)]


def write_many(folder: Path, count: int, blue: int = 99) -> Path:
    for number in range(count):
        write_picture(folder / f"{number:03}.png", (number % 200, 200 - number % 200, blue))
    return folder


def test_status(indexed: Collection, photos: Path, home: Path) -> None:
    (photos / "red.png").unlink()
    (photos / "half.png").write_bytes(b"")
    (photos / "blue.json").write_text('{"depth": 3}')
    indexed.add(photos)
    status = indexed.status()
    assert (status.path, status.items, status.vanished, status.skipped) == (home / "photos.limner", 4, 1, 1)
    assert dict(status.fields) == {"folder": 4, "name": 4, "format": 4, "width": 4, "height": 4, "depth": 1}
    assert Path(status.model_name).name == "colours"
    assert len(status.model_fingerprint) == 64
    assert (status.spaces, status.schema_version, status.jobs) == (("dense",), VERSION, ())
    assert status.shards == len(list((home / "photos.limner" / "vectors").iterdir()))
    files = [path for path in (home / "photos.limner").rglob("*") if path.is_file()]
    assert status.bytes == sum(path.stat().st_size for path in files)


def test_status_of_a_new_collection(collection: Collection) -> None:
    status = collection.status()
    assert (status.items, status.model_name, status.model_fingerprint, status.spaces) == (0, "", "", ())


def test_unfinished_jobs(indexed: Collection, home: Path) -> None:
    def stop(progress: Progress) -> None:
        raise KeyboardInterrupt

    def unfinished() -> list[tuple[str, str]]:
        return [(job.kind, Path(job.source).name) for job in indexed.status().jobs]

    for name in ("a", "b"):
        write_many(home / name, 3, len(name))
        with pytest.raises(KeyboardInterrupt):
            indexed.add(home / name, progress=stop)
    with pytest.raises(KeyboardInterrupt):
        indexed.add(list(indexed.items()), progress=stop)  # nobody could name these again
    assert unfinished() == [("index", "b"), ("index", "a")]
    indexed.add(home / "b")
    assert unfinished() == [("index", "a")]
    indexed.add(home / "a")
    assert unfinished() == []


def test_a_folder_that_is_something_else(home: Path, photos: Path) -> None:
    for place in (photos, photos / "red.png"):
        with pytest.raises(CollectionError, match="exists and is no collection; choose another place for it"):
            Collection(place)
    with pytest.raises(CollectionError, match=r"nowhere: no collection here; make one with: limner index FOLDER"):
        Collection(home / "nowhere", create=False)
    assert not (home / "nowhere").exists()
    (home / "empty").mkdir()
    with Collection(home / "empty") as collection:
        assert len(collection) == 0
    with Collection("~/deep/down.limner".replace("~", str(home))) as collection:
        assert collection.path == home / "deep" / "down.limner"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows tells it in another way")
def test_places_that_cannot_be_opened(home: Path) -> None:
    with pytest.raises(StorageError, match=r"cannot be opened \(File name too long\); choose another place"):
        Collection(home / ("x" * 300))
    (home / "file").touch()
    with pytest.raises(StorageError, match="cannot be written"):
        Collection(home / "file" / "x.limner")


def test_another_programs_database(home: Path) -> None:
    (home / "x.limner").mkdir()
    connection = sqlite3.connect(home / "x.limner" / "catalogue.sqlite")
    connection.execute("CREATE TABLE things (name)")
    connection.commit()
    connection.close()
    with pytest.raises(CollectionError, match="another program's database"):
        Collection(home / "x.limner")


def test_a_corrupt_catalogue(indexed: Collection, home: Path) -> None:
    indexed.close()
    catalogue = home / "photos.limner" / "catalogue.sqlite"
    content = catalogue.read_bytes()
    catalogue.write_bytes(content[:3000])
    with pytest.raises(CollectionError, match=r"catalogue\.sqlite: damaged .*index again"):
        Collection(home / "photos.limner").search("red")
    catalogue.write_bytes(content[:4096] + b"\xa5" * (len(content) - 4096))
    with Collection(home / "photos.limner") as collection:
        [*problems] = collection.check()
        assert problems
        with pytest.raises(CollectionError, match="damaged"):
            collection.search("red")


def test_a_newer_schema(indexed: Collection, home: Path) -> None:
    indexed.close()
    connection = sqlite3.connect(home / "photos.limner" / "catalogue.sqlite")
    connection.execute(f"PRAGMA user_version = {VERSION + 1}")
    connection.close()
    with pytest.raises(CollectionError, match=r"written by a newer limner .*upgrade limner"):
        Collection(home / "photos.limner")


def test_a_moved_collection(indexed: Collection, home: Path) -> None:
    indexed.close()
    (home / "photos.limner").rename(home / "elsewhere.limner")
    with Collection(home / "elsewhere.limner") as collection:
        assert names(collection) == ["red"]


def test_one_writer_at_a_time(collection: Collection, photos: Path, home: Path, bundle: Path, kept: Kept) -> None:
    write_many(home / "many", 60)
    collection.add(photos)
    command = [sys.executable, "-c", WRITER, str(collection.path), str(home / "many"), str(bundle), "40"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        while int(writer.stdout.readline()) < 40:
            pass
        for write in (
            lambda: collection.add(photos),
            lambda: collection.remove(under=photos),
            lambda: collection.prune(),
            lambda: collection.reindex(),
            lambda: collection.import_vectors(home / "x.npy"),
        ):
            with pytest.raises(CollectionBusy, match=r"photos\.limner: another process is writing here; try again"):
                write()
        seen = len(collection)
        assert 5 + 20 <= seen < 5 + 40, "what the writer has committed is seen"
        assert len(collection.search("red", k=99)) == seen
        assert names(collection) == ["red"]
        assert [job.state for job in collection.status().jobs] == ["running"]
        assert collection.export_vectors(home / "x.npy") == seen
        assert collection.check() == []
        assert writer.communicate("\n")[0].split()[-1] == "60"
    assert len(collection) == len(collection.search("red", k=99)) == 65
    assert collection.remove(under=home / "many") == 60


def test_a_writer_that_was_killed(collection: Collection, photos: Path, home: Path, bundle: Path, kept: Kept) -> None:
    write_many(home / "many", 60)
    collection.add(photos)
    command = [sys.executable, "-c", WRITER, str(collection.path), str(home / "many"), str(bundle), "40"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        while int(writer.stdout.readline()) < 40:
            pass
        (collection.path / "vectors" / f"{'0' * 16}.safetensors.part").write_bytes(b"half a shard")
        os.kill(writer.pid, signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)
    assert collection.check() == []
    assert [job.source for job in collection.status().jobs] == [str(home / "many")]
    seen = len(collection)
    report = collection.add(home / "many")
    assert (report.unchanged, report.added) == (seen - 5, 65 - seen)
    assert not list((collection.path / "vectors").glob("*.part"))
    assert collection.status().jobs == ()
    with Collection(home / "fresh.limner", model=bundle) as fresh:
        fresh.add(photos)
        fresh.add(home / "many")
        assert kept(fresh) == kept(collection)


def test_two_threads_of_one_process_that_write(indexed: Collection, photos: Path) -> None:
    inside, asked = Event(), Event()

    def wait(progress: Progress) -> None:
        inside.set()
        asked.wait(20)

    with ThreadPoolExecutor(1) as pool:
        run = pool.submit(indexed.add, photos, progress=wait)
        try:
            assert inside.wait(20)
            with pytest.raises(CollectionBusy):
                indexed.add(photos)
        finally:
            asked.set()
        assert run.result().unchanged == 5


@pytest.mark.skipif(sys.platform == "win32", reason="needs limits on the size of files")
@pytest.mark.parametrize("room", [0, 30_000, 60_000, 120_000])
def test_a_full_disk(collection: Collection, photos: Path, home: Path, bundle: Path, kept: Kept, room: int) -> None:
    collection.add(photos)
    collection.close()
    write_many(home / "many", 150)
    largest = max(path.stat().st_size for path in (home / "photos.limner").rglob("*")) + room
    command = [sys.executable, "-c", FULL_DISK, str(collection.path), str(home / "many"), str(largest)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert ran.returncode == 0, ran.stderr
    before, after, found, message = ran.stdout.split(maxsplit=3)
    assert (before, after) == ("5", found)
    assert 5 <= int(after) < 155
    assert "photos.limner" in message
    with Collection(home / "photos.limner") as again:
        assert len(again) == int(after)
        assert names(again) == ["red"]
        assert again.check() == []
        assert again.add(home / "many").added == 155 - int(after)
        with Collection(home / "fresh.limner", model=bundle) as fresh:
            fresh.add(photos)
            fresh.add(home / "many")
            assert kept(fresh) == kept(again)


@pytest.mark.usefixtures("small_commits")
def test_a_full_disk_as_sqlite_sees_it(indexed: Collection, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_many(home / "many", 100)
    catalogue = indexed._catalogue
    connect, most = catalogue._connect, []

    def connect_to_small_disk() -> sqlite3.Connection:
        connection = connect()
        connection.execute(f"PRAGMA max_page_count = {most[0]}")
        return connection

    with catalogue.reading() as connection:
        most.append(connection.execute("PRAGMA page_count").fetchone()[0] + 8)
    while catalogue._idle:
        catalogue._idle.pop().close()
    monkeypatch.setattr(catalogue, "_connect", connect_to_small_disk)
    with pytest.raises(StorageError, match="the disk is full; free some space and run the command again"):
        indexed.add(home / "many")
    committed = len(indexed)
    assert 5 <= committed < 105
    assert len(indexed.search("red", k=999)) == committed
    assert indexed.check() == []
    most[0] = 1_000_000
    while catalogue._idle:
        catalogue._idle.pop().close()
    assert indexed.add(home / "many").added == 105 - committed
    assert names(indexed) == ["red"]


def test_nothing_is_read_where_nothing_has_changed(indexed: Collection, photos: Path) -> None:
    generation = indexed._catalogue.shards.generation()
    written = {path: path.stat().st_mtime_ns for path in (indexed.path / "vectors").iterdir()}
    assert indexed.add(photos).unchanged == len(COLOURS)
    assert {path: path.stat().st_mtime_ns for path in (indexed.path / "vectors").iterdir()} == written
    assert indexed.search("red", k=1)
    assert indexed._catalogue.shards.generation() == generation, "a reader would open all vectors again"
