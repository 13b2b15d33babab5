"""read_bytes and read_stamp: files, members of archives, cells of tables, and the reason where there is none."""

from __future__ import annotations

import gzip
import io
import os
import random
import tarfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from limner.core.errors import PictureError
from limner.core.types import Stamp
from limner.data.content import MAX_BYTES, path_uri, read_bytes, read_stamp

as_root = pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may read everything")


def refusal(uri: str) -> str:
    with pytest.raises(PictureError) as caught:
        read_bytes(uri)
    assert caught.value.uri == uri
    return caught.value.reason


def write_tar(path: Path, members: dict[str, bytes], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


# Files


@pytest.mark.parametrize(
    "name", ["a.jpg", "with space.png", "line\nbreak.jpg", "čeština-日本.webp", "100%.gif", "a::b.jpg"]
)
def test_file(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"content")
    assert path_uri(str(path)) == str(path)
    assert read_bytes(str(path)) == b"content"
    assert read_stamp(str(path)) == Stamp(7, path.stat().st_mtime_ns)


def test_name_that_is_not_text(tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + b"/caf\xe9 %41.jpg"
    try:
        with open(path, "wb") as file:
            file.write(b"content")
    except OSError:
        pytest.skip("this file system keeps only names in UTF-8")
    uri = path_uri(os.fsdecode(path))
    assert uri.startswith("file:///")
    assert uri.isascii()
    assert read_bytes(uri) == b"content"
    assert read_stamp(uri).size == 7


def test_name_that_looks_like_an_archive(tmp_path: Path) -> None:
    path = tmp_path / "x.tar::é.jpg"
    path.write_bytes(b"content")
    write_tar(tmp_path / "x.tar", {"é.jpg": b"another"})
    assert read_bytes(path_uri(str(path))) == b"content"
    assert read_bytes(str(path)) == b"another"


def test_file_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    loop = tmp_path / "loop.jpg"
    loop.symlink_to(loop)
    for name in ("no.jpg", "file/a.jpg", "no.tar::a.jpg", "a" * 300, "nul\0.jpg", "half \ud800 pair.jpg", "loop.jpg"):
        assert refusal(f"{tmp_path}/{name}") == "vanished"
        with pytest.raises(PictureError, match="vanished"):
            read_stamp(f"{tmp_path}/{name}")
    assert refusal("https://example.org/a.jpg") == "a web address, not a file"


def test_file_without_or_with_too_much_content(tmp_path: Path) -> None:
    (tmp_path / "empty.jpg").touch()
    assert refusal(f"{tmp_path}/empty.jpg") == "empty file"
    with open(tmp_path / "large.jpg", "wb") as file:
        file.truncate(MAX_BYTES + 2**20)  # takes no room on the disk
    assert refusal(f"{tmp_path}/large.jpg") == "too large a file (513 MB, limit 512)"


def test_what_is_no_file(tmp_path: Path) -> None:
    assert refusal(str(tmp_path)) == "not a picture"
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.jpg")
        assert refusal(f"{tmp_path}/pipe.jpg") == "not a picture"


@as_root
def test_file_and_folder_without_permission(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(b"content")
    path.chmod(0)
    assert refusal(str(path)) == "not readable (permission)"
    folder = tmp_path / "folder"
    folder.mkdir()
    folder.chmod(0)
    assert refusal(str(folder)) == "not readable (permission)"
    folder.chmod(0o700)


def test_broken_line(tmp_path: Path) -> None:
    table = tmp_path / "table.jsonl"
    table.write_text("{")
    assert refusal(f"{table}::line 1") == "broken line"
    assert read_stamp(f"{table}::line 1") == read_stamp(str(table))


# Archives

MEMBERS = {"a.jpg": b"first", "deep/er/b::c.jpg": b"second", "line\nbreak.jpg": b"third", "é.jpg": b"x" * 3000}


@pytest.mark.parametrize(("name", "mode"), [("x.tar", "w"), ("x.tar.gz", "w:gz"), ("x.tgz", "w:gz"), ("X.TAR", "w")])
def test_members(tmp_path: Path, name: str, mode: str) -> None:
    path = write_tar(tmp_path / name, MEMBERS, mode)
    for member, content in MEMBERS.items():
        assert read_bytes(f"{path}::{member}") == content
        assert read_stamp(f"{path}::{member}") == Stamp(len(content), path.stat().st_mtime_ns)
    assert refusal(f"{path}::no.jpg") == "vanished"


def test_links_and_repeated_names(tmp_path: Path) -> None:
    path = tmp_path / "x.tar"
    with tarfile.open(path, "w") as archive:
        for content in (b"old", b"the last one counts"):
            info = tarfile.TarInfo("a.jpg")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
        link = tarfile.TarInfo("link.jpg")
        link.type, link.linkname = tarfile.LNKTYPE, "a.jpg"
        archive.addfile(link)
        folder = tarfile.TarInfo("folder.jpg")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
    assert read_bytes(f"{path}::a.jpg") == b"the last one counts"
    assert read_bytes(f"{path}::link.jpg") == b"the last one counts"
    assert refusal(f"{path}::folder.jpg") == "vanished"


def test_member_name_that_is_not_text(tmp_path: Path) -> None:
    path = tmp_path / "x.tar"
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT, encoding="latin-1") as archive:
        info = tarfile.TarInfo("café.jpg")
        info.size = 1
        archive.addfile(info, io.BytesIO(b"x"))
    assert read_bytes(f"{path}::caf\\xe9.jpg") == b"x"


def test_archive_that_changes(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "x.tar", {"a.jpg": b"old"})
    assert read_bytes(f"{path}::a.jpg") == b"old"
    write_tar(path, {"0.jpg": b"moves the others", "a.jpg": b"newer"})
    assert read_bytes(f"{path}::a.jpg") == b"newer"
    path.unlink()
    assert refusal(f"{path}::a.jpg") == "vanished"


@pytest.mark.parametrize("name", ["x.tar", "x.tar.gz"])
def test_archive_that_breaks_off(tmp_path: Path, name: str) -> None:
    members = {f"{number}.jpg": random.Random(number).randbytes(50_000) for number in range(10)}
    path = write_tar(tmp_path / name, members, "w:gz" if name.endswith("gz") else "w")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    reasons = []
    for member, whole in members.items():
        try:
            assert read_bytes(f"{path}::{member}") == whole
            reasons.append("")
        except PictureError as error:
            reasons.append(error.reason)
    assert set(reasons) == {"", "truncated or damaged"}
    assert reasons == sorted(reasons)


@pytest.mark.parametrize("name", ["x.tar", "x.tar.gz"])
@pytest.mark.parametrize("content", [b"", b"no archive", b"\x1f\x8b no archive", b"x" * 20_000])
def test_what_is_no_archive(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    assert refusal(f"{path}::a.jpg") == "truncated or damaged"


def test_header_overwritten_in_the_middle(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "x.tar", {f"{number}.jpg": b"content" for number in range(10)})
    content = bytearray(path.read_bytes())
    content[4 * 1024 : 4 * 1024 + 512] = b"z" * 512
    path.write_bytes(content)
    assert read_bytes(f"{path}::3.jpg") == b"content"
    assert refusal(f"{path}::4.jpg") == "truncated or damaged"


def test_empty_member(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "x.tar", {"empty.jpg": b"", "a.jpg": b"x"})
    assert refusal(f"{path}::empty.jpg") == "empty file"


@pytest.mark.parametrize(("name", "mode"), [("x.tar", "w"), ("x.tar.gz", "w:gz")])
def test_members_from_many_threads(tmp_path: Path, name: str, mode: str) -> None:
    members = {f"{number}.jpg": os.urandom(1 + 97 * number) for number in range(60)}
    path = write_tar(tmp_path / name, members, mode)
    names = list(members) * 10
    random.Random(0).shuffle(names)
    with ThreadPoolExecutor(8) as pool:
        read = list(pool.map(lambda member: read_bytes(f"{path}::{member}"), names))
    assert read == [members[member] for member in names]


def test_more_archives_than_are_kept_open(tmp_path: Path) -> None:
    paths = [write_tar(tmp_path / f"{n}.tar.gz", {"a.jpg": str(n).encode()}, "w:gz") for n in range(1, 40)]
    for _ in range(2):
        assert [read_bytes(f"{path}::a.jpg") for path in paths] == [str(n).encode() for n in range(1, 40)]


def test_gzip_of_something_else_is_no_archive(tmp_path: Path) -> None:
    path = tmp_path / "x.tgz"
    path.write_bytes(gzip.compress(b"text, not tar" * 100))
    assert refusal(f"{path}::a.jpg") == "truncated or damaged"
