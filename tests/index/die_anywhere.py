"""Runs one batch of changes to a collection in child processes, each of which dies at another line of it.

    python die_anywhere.py FOLDER POINTS

Fails unless every death leaves the state before or the state after, and the batch can then be run to its end.
Prints how many deaths there were and how many left the state after.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np

import limner.index
from limner.core.types import Dense, Item, Representation, Space, Sparse, Tokens
from limner.index.arrays import ArrayFolder
from limner.index.catalogue import Catalogue
from limner.index.chunks import Chunks
from limner.index.records import Entry, Skipped
from limner.index.vectors import MERGED_SHARDS, VectorStore

SOURCE = str(Path(limner.index.__file__).parent)
SPACES = [
    Space("image", "dense", 4, "dot"),
    Space("words", "sparse", 9, "dot"),
    Space("parts", "tokens", 3, "maxsim"),
]


def draw(space: Space, n: int, rng: np.random.Generator) -> Representation:
    if space.kind == "dense":
        return Dense(rng.random((n, space.size), np.float32))
    offsets = 2 * np.arange(n + 1)
    if space.kind == "tokens":
        return Tokens(offsets, rng.random((2 * n, space.size), np.float32))
    return Sparse(offsets, np.tile([1, 7], n), rng.random(2 * n, np.float32) + 0.1, space.size)


def column(chunks: Chunks) -> dict[str, Any]:
    """A structure of the plainest kind."""
    return {"values": np.concatenate([chunk.values for chunk in chunks])}


class Opened:
    def __init__(self, folder: Path) -> None:
        self.catalogue = Catalogue(folder / "catalogue.sqlite", create=True)
        self.folder = ArrayFolder(folder / "vectors")
        self.stores = [VectorStore(self.catalogue, self.folder, "model", space) for space in SPACES]

    def commit(self, entries: list[Entry], seed: int) -> None:
        rng = np.random.default_rng(seed)
        with self.catalogue.transaction():
            keys = self.catalogue.put(entries)
            for store in self.stores:
                store.add(keys, draw(store.space, len(keys), rng))
            self.catalogue.skip([Skipped(f"/bad{seed}", "truncated")])

    def state(self) -> dict[str, Any]:
        items = self.catalogue.get(self.catalogue.select())
        vectors = [store.take(np.array(sorted(items))) for store in self.stores]
        return {
            "items": items,
            "vectors": [(keys.tolist(), made.values.tolist()) for keys, made in vectors],
            "searchable": [searchable(store) for store in self.stores],
            "skipped": self.catalogue.skipped(),
            "vanished": self.catalogue.vanished().tolist(),
        }


def searchable(store: VectorStore) -> list[int]:
    """The keys that the structure and the blocks beside it can find."""
    snapshot = store.snapshot()
    keys = [block.keys if block.live is None else block.keys[block.live] for block in snapshot.rest()]
    if snapshot.structure is not None:
        rows = np.arange(len(snapshot.structure))
        alive = snapshot.structure.alive
        keys.append(snapshot.structure.keys(rows if alive is None else rows[alive]))
    return sorted(np.concatenate(keys).tolist())


def prepare(folder: Path) -> None:
    opened = Opened(folder)
    for batch in range(MERGED_SHARDS - 1):
        opened.commit([Entry(Item(f"/{batch}/{row}", fields={"n": row}), f"{batch} {row}") for row in range(3)], batch)
    opened.catalogue.vanish([7])
    opened.catalogue.close()


def change(folder: Path) -> None:
    """New, changed, moved and removed items; enough shards to be merged; all in one transaction."""
    opened = Opened(folder)
    with opened.catalogue.writing():
        opened.folder.sweep(opened.catalogue.shards.files())
        with opened.catalogue.transaction():
            opened.catalogue.remove([2])
            entries = [Item("/new"), Item("/0/0", fields={"n": "changed"}), Item("/moved", id="i5"), Item("/2/0")]
            opened.commit([Entry(item, f"changed {item.uri}") for item in entries], 99)
        for store in opened.stores:
            store.refresh(column, least=10)
    opened.catalogue.close()


def die_at(point: int) -> None:
    """From here on, exit without any clean-up before the line of limner.index with this number is run."""
    left = point

    def count(frame: FrameType, event: str, _: object) -> Any:
        nonlocal left
        if not frame.f_code.co_filename.startswith(SOURCE):
            return None
        if event == "line":
            left -= 1
            if left < 0:
                os._exit(9)
        return count

    sys.settrace(count)


def state_of(folder: Path) -> dict[str, Any]:
    opened = Opened(folder)
    state = opened.state()
    problems = [*opened.catalogue.check(), *(line for store in opened.stores for line in store.verify())]
    assert not problems, problems
    opened.catalogue.close()
    return state


def main(folder: Path, points: int) -> None:
    prepare(folder / "before")
    shutil.copytree(folder / "before", folder / "after")
    change(folder / "after")
    before, after = state_of(folder / "before"), state_of(folder / "after")
    assert before != after
    lines = count_lines(folder)
    deaths = finished = 0
    for point in np.unique(np.linspace(0, lines - 1, points).astype(int)):
        victim = shutil.copytree(folder / "before", folder / f"dead at {point}")
        child = os.fork()
        if child == 0:
            die_at(int(point))
            change(victim)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 9, f"line {point} of {lines} was not reached"
        state = state_of(victim)
        assert state in (before, after), f"half a batch after dying at line {point} of {lines}"
        deaths, finished = deaths + 1, finished + (state == after)
        change(victim)
        assert state_of(victim) == after, f"the batch could not be finished after dying at line {point}"
        opened = Opened(victim)
        left = {path.name for path in opened.folder.path.iterdir()}
        assert left == opened.catalogue.shards.files(), f"files left over after dying at line {point}"
        opened.catalogue.close()
        shutil.rmtree(victim)
    print(deaths, finished)


def count_lines(folder: Path) -> int:
    """How many lines of limner.index one run of `change` takes."""
    victim, lines = shutil.copytree(folder / "before", folder / "counted"), 0

    def count(frame: FrameType, event: str, _: object) -> Any:
        nonlocal lines
        if not frame.f_code.co_filename.startswith(SOURCE):
            return None
        lines += event == "line"
        return count

    sys.settrace(count)
    change(victim)
    sys.settrace(None)
    return lines


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
