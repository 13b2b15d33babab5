"""What a collection holds, as another process reads it after a death. Used by kill.py."""

from __future__ import annotations

import json
import math
import os
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import numpy as np

from limner.collection import Collection
from limner.core.errors import LimnerError
from limner.core.types import Item
from limner.encode.bundle import Bundle
from limner.index.arrays import ArrayFolder
from limner.index.catalogue import Catalogue
from limner.index.records import Job
from limner.index.vectors import VectorStore

PICTURE_QUERIES = 4

Held = dict[str, tuple[Item, bytes]]
"""By uri: the item (its id left out) and its vectors."""

Answers = dict[str, list[tuple[str, float, float]]]
"""For each query every picture that it ranks: uri, score, probability."""


class Failure(Exception):
    """limner itself ended with an error: there is nothing more to measure."""


@dataclass(frozen=True)
class Seen:
    """The content of a collection at one moment; of a collection that is not there yet, nothing."""

    ids: set[str] = field(default_factory=set)
    """Of all items, vanished ones too."""
    holds: Held = field(default_factory=dict)
    job: Job | None = None
    """The newest."""
    leftovers: set[str] = field(default_factory=set)
    """Files among the vectors that the ledger does not name."""
    problems: list[str] = field(default_factory=list)
    """Why an item is not whole, or not to be found."""


class Witness:
    """Reads the collection in `folder`. Takes no part in what happens to it."""

    def __init__(self, folder: Path, bundle: Bundle, rng: Random) -> None:
        self._folder, self._bundle, self._rng = folder, bundle, rng
        self._ledger = folder / "catalogue.sqlite"

    def look(self) -> Seen:
        """Raises Failure if `limner status` does not open the collection."""
        if not self._ledger.exists():
            return Seen()
        told = self._status()
        catalogue = Catalogue(self._ledger)
        keys, vanished = catalogue.select(), catalogue.vanished()
        items = catalogue.get(keys)
        ids = {item.id for item in items.values()} | {item.id for item in catalogue.get(vanished).values()}
        rows: dict[int, bytes] = dict.fromkeys(items, b"")
        problems = [] if told == len(items) else [f"limner status tells {told} items, there are {len(items)}"]
        folder = ArrayFolder(self._folder / "vectors")
        for space in self._bundle.manifest.spaces:
            vectors = VectorStore(catalogue, folder, self._bundle.fingerprint, space)
            if not np.array_equal(vectors.placed(), np.sort(np.concatenate([keys, vanished]))):
                problems.append(f"space {space.name}: not one vector for each item")
            try:
                placed, made = vectors.take(keys)
                for key, vector in zip(placed.tolist(), made.values, strict=True):
                    rows[key] += vector.tobytes()
            except LimnerError as error:
                problems.append(str(error))
        jobs = catalogue.jobs(1)
        leftovers = self.files() - catalogue.shards.files()
        catalogue.close()
        holds = {item.uri: (item.replace(id=""), rows[key]) for key, item in items.items()}
        if items:
            problems += self._unreachable(items[self._rng.choice(sorted(items))], set(holds))
        return Seen(ids, holds, jobs[0] if jobs else None, leftovers, problems)

    def committed(self) -> set[str]:
        """The ids of all items at this moment. Plain SQL, so that the look is a short one."""
        try:
            with closing(sqlite3.connect(f"{self._ledger.as_uri()}?mode=ro", uri=True)) as connection:
                return {id for (id,) in connection.execute("SELECT id FROM items")}
        except sqlite3.OperationalError:
            return set()  # the tables are not made yet

    def answers(self, queries: Sequence[str]) -> Answers:
        """The ranking of all pictures for these queries and for some pictures."""
        with Collection(self._folder, create=False) as photos:
            items = sorted(photos.items(), key=lambda item: item.uri)
            asked = {query: photos.search(query, k=len(items)) for query in queries}
            for item in items[:: math.ceil(len(items) / PICTURE_QUERIES)]:
                asked[f"like {item.uri}"] = photos.similar(item.id, k=len(items))
                asked[f"image {item.uri}"] = photos.search(image=item.uri, k=len(items))
        # By uri where scores are equal: those keep the order in which they came, which a changed folder may change.
        return {
            query: sorted(((hit.uri, hit.score, hit.probability) for hit in hits), key=lambda one: (-one[1], one[0]))
            for query, hits in asked.items()
        }

    def skipped(self) -> list[str]:
        """The uris of the files that could not be used."""
        with Collection(self._folder, create=False) as photos:
            return sorted(one.uri for one in photos.skipped())

    def files(self) -> set[str]:
        """The names of all files among the vectors."""
        try:
            return set(os.listdir(self._folder / "vectors"))
        except FileNotFoundError:
            return set()

    def _status(self) -> int:
        """How many items `limner status --json` tells."""
        run = subprocess.run(limner("status", "--json", "-c", self._folder), capture_output=True, text=True)
        if run.returncode:
            raise Failure(f"limner status ended with {run.returncode}: {run.stderr}")
        return int(json.loads(run.stdout)["items"])

    def _unreachable(self, item: Item, uris: set[str]) -> list[str]:
        """What is wrong with the collection's checksums, or with a search from `item` for all others."""
        with Collection(self._folder, create=False) as photos:
            problems = photos.check()
            try:
                found = [hit.uri for hit in photos.similar(item.id, k=len(uris) + 1)]
            except LimnerError as error:
                return [*problems, f"no search from {item.uri}: {error}"]
        if sorted([*found, item.uri]) != sorted(uris):
            problems.append(f"a search from {item.uri} finds {len(found)} of {len(uris) - 1} others")
        return problems


def limner(*arguments: object) -> list[str]:
    """The command line of a new process."""
    return [sys.executable, "-m", "limner", *map(str, arguments)]
