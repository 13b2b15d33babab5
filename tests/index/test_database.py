"""Transactions, locks, threads, and files that are not what they should be."""

from __future__ import annotations

import errno
import os
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing, nullcontext
from pathlib import Path

import pytest

from limner.core.errors import CollectionBusy, CollectionError, StorageError
from limner.core.types import Item
from limner.index import database
from limner.index.arrays import storage_errors
from limner.index.catalogue import Catalogue
from limner.index.records import Entry
from limner.index.schema import MIGRATIONS, VERSION, prepare


def put(catalogue: Catalogue, *uris: str) -> list[int]:
    return catalogue.put([Entry(Item(uri)) for uri in uris]).tolist()


def test_a_transaction_is_all_or_nothing(catalogue: Catalogue) -> None:
    def fail() -> None:
        with catalogue.transaction():
            put(catalogue, "/a")
            with catalogue.transaction():
                put(catalogue, "/b")
            assert catalogue.count() == (2, 0)
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert catalogue.count() == (0, 0)


def test_a_reader_keeps_its_view_while_the_writer_commits(catalogue: Catalogue) -> None:
    other = Catalogue(catalogue.path)
    put(catalogue, "/a")
    with other.reading():
        assert other.count() == (1, 0)
        put(catalogue, "/b")
        assert other.count() == (1, 0)
    assert other.count() == (2, 0)
    other.close()


def test_what_is_not_committed_is_not_seen(catalogue: Catalogue) -> None:
    other = Catalogue(catalogue.path)
    with catalogue.transaction():
        put(catalogue, "/a")
        assert other.count() == (0, 0)
    assert other.count() == (1, 0)
    other.close()


def test_after_commit_runs_once_and_only_after_a_commit(catalogue: Catalogue) -> None:
    calls: list[tuple[int, int]] = []

    def call() -> None:
        calls.append(catalogue.count())

    with catalogue.transaction():
        put(catalogue, "/a")
        catalogue.after_commit(call)
        with catalogue.transaction():
            catalogue.after_commit(call)
        assert calls == []
    assert calls == [(1, 0)]

    def fail() -> None:
        with catalogue.transaction():
            catalogue.after_commit(call)
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert calls == [(1, 0)]
    catalogue.after_commit(call)
    assert len(calls) == 2


def test_a_second_writer_is_told_at_once(catalogue: Catalogue) -> None:
    other = Catalogue(catalogue.path)
    with catalogue.writing(), catalogue.writing():
        with pytest.raises(CollectionBusy, match="another process is writing"):
            put(other, "/a")
        trouble: list[Exception] = []

        def write() -> None:
            try:
                put(catalogue, "/a")
            except CollectionBusy as error:
                trouble.append(error)

        thread = threading.Thread(target=write)
        thread.start()
        thread.join()
        assert len(trouble) == 1
    put(other, "/a")
    other.close()


def test_a_foreign_program_that_holds_the_file_is_waited_for(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.05)
    waiting = Catalogue(catalogue.path)
    with closing(sqlite3.connect(catalogue.path, isolation_level=None)) as foreign:
        foreign.execute("BEGIN IMMEDIATE")
        with pytest.raises(CollectionBusy, match="another program"):
            put(waiting, "/a")
        assert waiting.count() == (0, 0)
    put(waiting, "/a")
    waiting.close()


def test_threads_come_and_go(catalogue: Catalogue) -> None:
    put(catalogue, *(f"/{number}" for number in range(50)))
    counts: list[tuple[int, int]] = []

    def read() -> None:
        for _ in range(20):
            counts.append(catalogue.count())
            assert len(catalogue.get(range(1, 51))) == 50

    for _ in range(3):
        threads = [threading.Thread(target=read) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert counts == [(50, 0)] * 240


def test_a_closed_catalogue_says_so(catalogue: Catalogue) -> None:
    catalogue.close()
    with pytest.raises(CollectionError, match="closed"):
        catalogue.count()
    catalogue.close()


def test_a_missing_collection_is_named_and_not_made(folder: Path) -> None:
    with pytest.raises(CollectionError, match=r"nowhere: no collection here; make one with: limner index"):
        Catalogue(folder / "nowhere" / "catalogue.sqlite")
    assert not (folder / "nowhere").exists()


def test_a_file_that_goes_is_not_made_again(folder: Path) -> None:
    catalogue = Catalogue(folder / "catalogue.sqlite", create=True)
    for path in folder.iterdir():
        path.unlink()
    with pytest.raises(StorageError, match="cannot be read"):
        catalogue.count()
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"limner\n" * 500, b"SQLite format 3\0" + bytes(3000)])
def test_a_file_that_is_no_database(folder: Path, content: bytes) -> None:
    path = folder / "catalogue.sqlite"
    path.write_bytes(content)
    if not content:  # what a crash leaves when it comes before the first commit
        assert Catalogue(path).count() == (0, 0)
        return
    with pytest.raises(CollectionError, match=r"catalogue.sqlite: damaged .*index again"):
        Catalogue(path)
    assert path.read_bytes() == content


def test_a_damaged_page_is_reported_not_believed(catalogue: Catalogue) -> None:
    put(catalogue, *(f"/{number}" for number in range(2000)))
    catalogue.close()
    content = bytearray(catalogue.path.read_bytes())
    for start in range(4096, len(content), 4096):
        content[start : start + 200] = b"\xff" * 200
    catalogue.path.write_bytes(content)
    damaged = Catalogue(catalogue.path)
    with pytest.raises(CollectionError, match="damaged"):
        damaged.select()
    assert any("catalogue.sqlite" in line for line in damaged.check())
    damaged.close()


def test_a_newer_version_is_refused(catalogue: Catalogue) -> None:
    catalogue.close()
    with closing(sqlite3.connect(catalogue.path)) as connection:
        connection.execute(f"PRAGMA user_version = {VERSION + 3}")
    with pytest.raises(CollectionError, match=f"schema {VERSION + 3}.*up to {VERSION}.*upgrade limner"):
        Catalogue(catalogue.path)


def test_another_programs_database_is_left_alone(folder: Path) -> None:
    path = folder / "catalogue.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE notes (text)")
    before = path.read_bytes()
    with pytest.raises(CollectionError, match="another program's database"):
        Catalogue(path, create=True)
    assert path.read_bytes() == before


def migrate(path: Path, *steps: tuple[str, ...]) -> None:
    prepare(lambda: sqlite3.connect(path, isolation_level=None), nullcontext, path, (*MIGRATIONS, *steps))


def test_an_older_file_is_brought_up_to_date_with_what_it_holds(catalogue: Catalogue) -> None:
    put(catalogue, "/a")
    catalogue.close()
    steps = ("ALTER TABLE items ADD COLUMN stars INTEGER DEFAULT 3",), ("UPDATE items SET stars = stars + 1",)
    migrate(catalogue.path, *steps)
    migrate(catalogue.path, *steps)
    with closing(sqlite3.connect(catalogue.path)) as connection:
        assert connection.execute("SELECT uri, stars FROM items").fetchall() == [("/a", 4)]
        assert connection.execute("PRAGMA user_version").fetchone() == (VERSION + 2,)


def test_a_migration_that_fails_leaves_the_file_as_it_was(catalogue: Catalogue) -> None:
    put(catalogue, "/a")
    catalogue.close()
    with pytest.raises(sqlite3.OperationalError):
        migrate(catalogue.path, ("ALTER TABLE items ADD COLUMN stars INTEGER",), ("UPDATE nothing SET stars = 1",))
    again = Catalogue(catalogue.path)
    assert again.count() == (1, 0)
    with again.reading() as connection:
        assert "stars" not in [row[1] for row in connection.execute("PRAGMA table_info(items)")]
    again.close()


def test_a_full_disk_loses_the_batch_and_nothing_before_it(catalogue: Catalogue) -> None:
    put(catalogue, "/a")
    with catalogue.reading() as connection:  # the one connection of this thread, so the limit stays
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StorageError, match="disk is full; free some space"):
        put(catalogue, *(f"/{number}" for number in range(5000)))
    assert catalogue.count() == (1, 0)
    with catalogue.reading() as connection:
        connection.execute("PRAGMA max_page_count = 1000000")
    put(catalogue, "/b")
    assert catalogue.count() == (2, 0)
    assert catalogue.check() == []


@pytest.mark.parametrize(
    ("code", "line"),
    [(errno.ENOSPC, "the disk is full"), (errno.EDQUOT, "the disk is full"), (errno.EACCES, "Permission denied")],
)
def test_what_the_file_system_refuses_is_said_in_one_line(code: int, line: str) -> None:
    expected = f"^/photos.limner/vectors: .*{line}.* run the command again$"
    with pytest.raises(StorageError, match=expected), storage_errors(Path("/photos.limner/vectors")):
        raise OSError(code, os.strerror(code))


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="needs POSIX users")
def test_a_folder_that_cannot_be_written_can_be_read(tmp_path: Path) -> None:
    catalogue = Catalogue(tmp_path / "catalogue.sqlite", create=True)
    put(catalogue, "/a")
    catalogue.close()
    script = """
import os, sys
from limner.core.errors import StorageError
from limner.index.catalogue import Catalogue
from limner.index.records import Entry
from limner.core.types import Item
import filelock
if os.geteuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
catalogue = Catalogue(sys.argv[1])
print(catalogue.count(), [item.uri for item in catalogue.each(catalogue.select())])
try:
    catalogue.put([Entry(Item("/b"))])
except StorageError as error:
    print("refused:", error)
"""
    for path in (tmp_path, *tmp_path.iterdir()):
        path.chmod(0o555 if path.is_dir() else 0o444)
    for parent in tmp_path.parents[:2]:  # pytest keeps its folders from other users
        parent.chmod(0o755)
    try:
        run = subprocess.run(
            [sys.executable, "-c", script, str(catalogue.path)], capture_output=True, text=True, timeout=60
        )
    finally:
        tmp_path.chmod(0o755)
    assert run.stdout.splitlines()[:1] == ["(1, 0) ['/a']"], run.stderr
    assert "refused:" in run.stdout, run.stderr
