"""The bytes behind a uri, and the cheap sign that they have not changed. Safe to call from many threads.

    /photos/a.jpg                       a file; also as `file:///photos/a%FF.jpg` where the name is not text
    /photos/shard.tar::cats/1.jpg       a member of a tar archive (.tar, .tar.gz, .tgz)
    /photos/table.parquet::image[12]    a cell of a parquet table, counted from 0: bytes, or a struct of bytes and path

What cannot be read is a `PictureError` with one of these reasons:

    vanished                            no such file, member or row
    not readable (permission)           and `not readable (...)` for other refusals of the system
    empty file
    too large a file (N MB, limit 512)
    not a picture                       a folder, a pipe, a device
    truncated or damaged                an archive or table that ends too early
    broken line                         `table.jsonl::line 7`, which is how sources name a line that is no row
    a web address, not a file
"""

from __future__ import annotations

import errno
import gzip
import os
import re
import stat
import tarfile
import tempfile
import threading
import weakref
import zlib
from bisect import bisect_right
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import accumulate
from typing import Any, BinaryIO, Generic, TypeVar
from urllib.parse import quote, unquote_to_bytes

from limner.core.errors import MissingDependency, PictureError
from limner.core.types import Stamp

MAX_BYTES = 512 * 2**20
REST = "(the rest)"
"""How sources name what a damaged container no longer gives: `shard.tar::(the rest)`."""
_CONTAINER = re.compile(r"\.(tar|tar\.gz|tgz|parquet)::", re.IGNORECASE)
_LINE = re.compile(r"(.+\.(?:jsonl|ndjson|json|csv|tsv|parquet))::line \d+", re.IGNORECASE | re.DOTALL)
_CELL = re.compile(r"(.+)\[(\d+)\]", re.DOTALL)
_WEB = re.compile(r"https?://", re.IGNORECASE)
_CACHED_CONTAINERS = 16


def read_bytes(uri: str) -> bytes:
    """The whole content behind `uri` (512 MB at most). Raises PictureError."""
    with _told_as_picture_error(uri):
        if _LINE.fullmatch(uri):
            raise PictureError(uri, "broken line")
        path, inside = _split(uri)
        if not inside:
            return _read_file(path, uri)
        if path.lower().endswith(".parquet"):
            return _cell(path, inside, uri)
        return open_archive(path).read(inside, uri)


def read_stamp(uri: str) -> Stamp:
    """Size and time of change of what is behind `uri`, without reading it. Raises PictureError.

    A member of an archive has its own size and the archive's time; a cell of a table, or a line of
    one, has the stamp of the table.
    """
    with _told_as_picture_error(uri):
        line = _LINE.fullmatch(uri)
        path, inside = _split(line[1] if line else uri)
        if inside and inside != REST and not path.lower().endswith(".parquet"):
            return open_archive(path).stamp_of(inside, uri)
        return stamp_from(os.stat(path))


def path_uri(path: str) -> str:
    """The uri of a file: its path, or a `file:` URI where a path could be misread or cannot be stored as text."""
    if path.isascii() or _is_text(path):
        return path if not _CONTAINER.search(path) else "file://" + quote(path)
    return "file://" + quote(os.fsencode(path))


def stamp_from(status: os.stat_result) -> Stamp:
    return Stamp(status.st_size, status.st_mtime_ns)


def _is_text(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def _split(uri: str) -> tuple[str, str]:
    """(path, what inside it; "" for the whole file)."""
    if uri.startswith("file://"):
        return os.fsdecode(unquote_to_bytes(uri.removeprefix("file://"))), ""
    if _WEB.match(uri):
        raise PictureError(uri, "a web address, not a file")
    for match in _CONTAINER.finditer(uri):
        path = uri[: match.end() - 2]
        if not os.path.isdir(path):
            return path, uri[match.end() :]
    return uri, ""


def _read_file(path: str, uri: str) -> bytes:
    status = os.stat(path)  # before opening: opening a pipe would wait for its writer
    if stat.S_ISDIR(status.st_mode):
        os.scandir(path).close()  # raises where the folder may not be entered: that is the reason then
    if not stat.S_ISREG(status.st_mode):
        raise PictureError(uri, "not a picture")
    _check_size(status.st_size, uri)
    with open(path, "rb") as file:
        return file.read()


def _check_size(size: int, uri: str) -> None:
    if size == 0:
        raise PictureError(uri, "empty file")
    if size > MAX_BYTES:
        raise PictureError(uri, f"too large a file ({size // 2**20} MB, limit {MAX_BYTES // 2**20})")


@contextmanager
def _told_as_picture_error(uri: str) -> Iterator[None]:
    try:
        yield
    except (PictureError, MissingDependency):
        raise
    except PermissionError as error:
        raise PictureError(uri, "not readable (permission)", temporary=True) from error
    except OSError as error:
        gone = error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG)
        reason = "vanished" if gone else f"not readable ({error.strerror or type(error).__name__})"
        raise PictureError(uri, reason, temporary=True) from error
    except MemoryError as error:
        raise PictureError(uri, "not enough memory", temporary=True) from error
    except ValueError as error:  # a zero byte or a lone surrogate: no file has such a name
        raise PictureError(uri, "vanished") from error


T = TypeVar("T")


class _Cache(Generic[T]):
    """The containers that were read last, opened; one that has changed on disk is opened anew."""

    def __init__(self, open_container: Callable[[str, Stamp], T]) -> None:
        self._open = open_container
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, tuple[Stamp, T]] = OrderedDict()

    def get(self, path: str) -> T:
        stamp = stamp_from(os.stat(path))
        with self._lock:  # also while opening, so that a pool of threads reads a table of contents once
            kept = self._kept.get(path)
            if kept is None or kept[0] != stamp:
                kept = self._kept[path] = stamp, self._open(path, stamp)
            self._kept.move_to_end(path)
            if len(self._kept) > _CACHED_CONTAINERS:
                self._kept.popitem(last=False)
        return kept[1]


class Archive:
    """A tar archive with random access: where each member's bytes are.

    `members`: name -> (offset, size), in the order of the archive; of members with one name the last
    counts, as for tar. `damaged`: the archive breaks off, or goes on with something else, after
    these members. A compressed archive is unpacked once, into an unnamed temporary file.
    """

    def __init__(self, path: str, stamp: Stamp) -> None:
        self.path, self.stamp = path, stamp
        self.damaged = False
        self.members: dict[str, tuple[int, int]] = {}
        self._lock = threading.Lock()
        self._unpacked: BinaryIO | None = None
        if path.lower().endswith("gz"):
            self._unpacked = self._unpack()
            weakref.finalize(self, self._unpacked.close)
            self._list(self._unpacked)
        else:
            with open(path, "rb") as file:
                self._list(file)

    def read(self, name: str, uri: str) -> bytes:
        offset, size = self._find(name, uri)
        _check_size(size, uri)
        if self._unpacked is not None:
            with self._lock:
                self._unpacked.seek(offset)
                content = self._unpacked.read(size)
        else:
            with open(self.path, "rb") as file:
                file.seek(offset)
                content = file.read(size)
        if len(content) < size:
            raise PictureError(uri, "truncated or damaged")
        return content

    def stamp_of(self, name: str, uri: str) -> Stamp:
        return Stamp(self._find(name, uri)[1], self.stamp.modified_ns)

    def _find(self, name: str, uri: str) -> tuple[int, int]:
        if name not in self.members:
            raise PictureError(uri, "truncated or damaged" if self.damaged or name == REST else "vanished")
        return self.members[name]

    def _unpack(self) -> BinaryIO:
        unpacked = tempfile.TemporaryFile()  # noqa: SIM115  (lives as long as the archive)
        try:
            with gzip.open(self.path) as packed:
                while block := packed.read1(2**16):  # small, since the block in which it breaks off is lost
                    unpacked.write(block)
        except (EOFError, zlib.error, OSError) as error:
            if isinstance(error, OSError) and error.errno is not None:  # the system's, not the archive's
                unpacked.close()
                raise
            self.damaged = True
        unpacked.seek(0)
        return unpacked

    def _list(self, file: BinaryIO) -> None:
        end = file.seek(0, os.SEEK_END)
        file.seek(0)
        try:
            # Names that are not UTF-8 are written with backslashes: a uri has to be text.
            with tarfile.open(fileobj=file, mode="r:", errors="backslashreplace") as archive:
                while (member := archive.next()) is not None:
                    if member.isreg():
                        self.members[member.name] = (member.offset_data, member.size)
                    elif member.islnk() and member.linkname in self.members:  # the same file, packed before
                        self.members[member.name] = self.members[member.linkname]
                    archive.members.clear()  # type: ignore[attr-defined]  # it would keep a kilobyte of each
                at = archive.offset
        except (tarfile.TarError, OverflowError, ValueError, EOFError):
            self.damaged = True
            return
        file.seek(at)
        # tarfile stops without a word at a header that it cannot read; a whole archive ends here or in zeros.
        if at < end and file.read(512).strip(b"\0"):
            self.damaged = True


class _Table:
    """A parquet table, read forward: the rows of a column around the one that was asked for last.

    Going on costs the rows in between, going back or far ahead starts at the row group. In memory is
    a page of the column, not its whole row group, and a few batches, since the threads of a pool do
    not ask in order.
    """

    BATCH_ROWS, KEPT_BATCHES, KEPT_BYTES = 8, 4, 64 * 2**20

    def __init__(self, path: str, stamp: Stamp) -> None:
        self._file = parquet_file(path)
        metadata = self._file.metadata
        sizes = (metadata.row_group(group).num_rows for group in range(metadata.num_row_groups))
        self._starts = list(accumulate(sizes, initial=0))
        self._lock = threading.Lock()
        self._column = ""
        self._batches: Iterator[Any] = iter(())
        self._next = 0
        self._window: deque[tuple[int, Any]] = deque()

    def cell(self, column: str, row: int) -> Any:
        """The value. Raises IndexError for a row or column that is not there, ValueError or OSError for damage."""
        if column not in self._file.schema_arrow.names or row >= self._starts[-1]:
            raise IndexError(row)
        with self._lock:
            group = bisect_right(self._starts, row) - 1
            kept_from = self._window[0][0] if self._window else self._next
            if column != self._column or row < kept_from or self._starts[group] > self._next:
                self._begin(column, group)
            try:
                while row >= self._next:
                    self._advance()
            except BaseException:
                self._column = ""  # the iterator is spent: begin anew next time
                raise
            first, values = next(entry for entry in reversed(self._window) if entry[0] <= row)
            return values[row - first].as_py()

    def _begin(self, column: str, group: int) -> None:
        groups = list(range(group, len(self._starts) - 1))
        self._batches = self._file.iter_batches(self.BATCH_ROWS, row_groups=groups, columns=[column], use_threads=False)
        self._window.clear()
        self._column, self._next = column, self._starts[group]

    def _advance(self) -> None:
        batch = next(self._batches, None)
        if batch is None:
            raise ValueError("fewer rows than the table announces")
        self._window.append((self._next, batch.column(0)))
        self._next += len(batch)
        while len(self._window) > self.KEPT_BATCHES and sum(v.nbytes for _, v in self._window) > self.KEPT_BYTES:
            self._window.popleft()


_archives = _Cache(Archive)
_tables = _Cache(_Table)


def open_archive(path: str) -> Archive:
    """The archive at `path` with its table of contents, from the cache where it has not changed. Raises OSError."""
    return _archives.get(path)


def parquet_file(path: str) -> Any:
    """A pyarrow ParquetFile that streams pages, not whole column chunks.

    Raises MissingDependency, OSError, ValueError (not parquet).
    """
    try:
        import pyarrow.parquet
    except ImportError:
        raise MissingDependency("pyarrow", "reading parquet", "parquet") from None
    return pyarrow.parquet.ParquetFile(path, pre_buffer=False, buffer_size=2**20)


def _cell(path: str, inside: str, uri: str) -> bytes:
    match = _CELL.fullmatch(inside)
    try:
        table = _tables.get(path)
        if match is None:
            raise PictureError(uri, "truncated or damaged" if inside == REST else "vanished")
        value = table.cell(match[1], int(match[2]))
    except IndexError:
        raise PictureError(uri, "vanished") from None
    except (OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise PictureError(uri, "truncated or damaged") from error
    if isinstance(value, dict):
        content, name = value.get("bytes"), value.get("path")
        value = content if content is not None else name
    if isinstance(value, str):
        beside = os.path.join(os.path.dirname(path), value)
        return _read_file(beside, uri)
    if not isinstance(value, bytes):
        raise PictureError(uri, "empty file" if value is None else "not a picture")
    _check_size(len(value), uri)
    return value
