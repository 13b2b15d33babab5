"""Encoding on a Ray cluster of several processes on this machine, one of which is killed half-way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil
import pytest
from colour_model import COLOURS
from PIL import Image

from limner.collection import Collection
from limner.index.catalogue import Catalogue

pytest.importorskip("ray", reason="not installed: ray[data]")
COUNT = 400


@pytest.fixture
def many(home: Path) -> Path:
    """Large pictures of a few colours, each with bytes of its own, and a broken one."""
    folder = home / "many"
    folder.mkdir()
    contents = []
    for colour, value in COLOURS.items():
        Image.new("RGB", (1800, 1400), value).save(home / f"{colour}.png")
        contents.append((home / f"{colour}.png").read_bytes())
    for number in range(COUNT):
        (folder / f"{number:04}.png").write_bytes(contents[number % len(contents)] + number.to_bytes(4, "big"))
    (folder / "broken.png").write_bytes(contents[0][:100])
    return folder


@pytest.fixture
def begun(home: Path, bundle: Path, many: Path) -> Path:
    """A collection that knows the contents of ten of the pictures, and has lost the vectors of two."""
    for number in range(10):
        link = home / "few" / f"{number}.png"
        link.parent.mkdir(exist_ok=True)
        link.write_bytes((many / f"{number:04}.png").read_bytes())
    with Collection(home / "c.limner", model=bundle) as collection:
        collection.add(home / "few")
        store = collection._model().stores["dense"]
        assert store.remove(store.placed()[[3, 7]]) == 2
    return home / "c.limner"


def run_and_kill(command: list[str], place: Path, environment: dict[str, str]) -> str:
    """The output of a run whose first worker is killed when something has been committed."""
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as driver:
        try:
            killed = False
            while driver.poll() is None:
                time.sleep(0.02)
                if not killed and (place / "catalogue.sqlite").exists() and 10 < committed(place) < COUNT:
                    [first, *others] = workers(driver.pid)
                    first.send_signal(signal.SIGKILL)
                    killed = True
                    assert others or psutil.cpu_count() == 1, "several processes work"
            assert killed, "it was done before a worker could be killed"
            return driver.communicate()[0]
        finally:
            driver.kill()


def committed(place: Path) -> int:
    catalogue = Catalogue(place / "catalogue.sqlite")
    try:
        return catalogue.count()[0]
    finally:
        catalogue.close()


def workers(driver: int) -> list[psutil.Process]:
    found = []
    for process in psutil.Process(driver).children(recursive=True):
        with suppress(psutil.Error):
            if "_Worker" in " ".join(process.cmdline()):
                found.append(process)
    return found


def test_a_worker_that_is_killed_loses_and_doubles_nothing(
    home: Path, bundle: Path, many: Path, begun: Path, kept: Callable[[Collection], dict[str, tuple]]
) -> None:
    command = [sys.executable, "-m", "limner", "index", str(many), "-c", str(begun), "--ray", "local"]
    output = run_and_kill(command, begun, {**os.environ, "RAY_TMPDIR": str(home / "ray")})
    assert f"{COUNT} added" in output
    assert "broken.png" in output
    with Collection(begun) as there, Collection(home / "here.limner", model=bundle) as here:
        there.remove(under=home / "few")
        here.add(many)
        assert kept(there) == kept(here)
        assert np.array_equal(
            there._catalogue.shards.placed(here._model().record.fingerprint, "dense"), there._catalogue.select()
        )
        assert there.status().jobs == ()
        assert there.add(many, ray="nowhere:1").unchanged == COUNT, "without anything to do it asks no cluster"
