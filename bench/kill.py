"""Kill `limner index` with SIGKILL at random moments and see that nothing is lost, half visible or different.

    python bench/kill.py --kills 100 --pictures 2000 --seed 0

Each collection lives through two acts over the same folder: it is made from nothing, and it follows
a change of the folder (60% of the pictures drawn anew, 10% moved, 10% gone, 10% as many new ones;
enough to make its vectors be merged). A run is killed at a moment drawn uniformly over the time that
it would take, the next one goes on, is killed again, up to five times in an act; the last one ends
undisturbed. A run that ends before its moment does not count. One kill in four is aimed: after its
moment it waits for vectors to be written, where a commit begins, and follows within milliseconds.

After each kill, read from outside: `limner status --json` opens; whatever another process saw
committed, up to the last moment, is still there; every item is whole, which means that item and
vector are bit for bit those of one undisturbed run, that it has one vector, and that a search
reaches it once; every checksum fits; what the death before left in the folder has been swept.
At the end of each act the ranking of all pictures, uris and scores, is the undisturbed run's, for
each of some twenty queries. The exit status is 1 if anything is not so. POSIX only.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import numpy as np
from harness import options, store, workplace

from limner.collection import Collection
from limner.core.types import Item
from limner.data.world import captions, scene_at, write_world
from limner.encode.bundle import DEFAULT_MODEL, Bundle, find_bundle
from limner.index.catalogue import Catalogue
from limner.index.records import Job
from limner.index.shards import ShardFolder
from limner.index.vectors import VectorStore

KILLS_EACH_ACT = 5
"""More would find less and less to do: each run is killed half-way through what the one before left."""

AIMED_SHARE = 0.25
AIMED_SECONDS = 0.03
"""An aimed kill comes within this time of the vectors' file: about as long as the commit that follows takes."""

SHOWN_PROBLEMS = 20

Answers = dict[str, list[tuple[str, float, float]]]
"""For each query every picture of the collection: uri, score, probability."""


@dataclass(frozen=True)
class Truth:
    """What an undisturbed run makes of one state of the folder."""

    pictures: Path
    holds: dict[str, tuple[Item, bytes]]
    """By uri: the item (its id left out) and its vectors."""
    skipped: list[str]
    answers: Answers
    seconds: float
    """What the run took, start and end of the process included."""


@dataclass(frozen=True)
class Seen:
    """What a collection holds, as another process reads it."""

    ids: set[str] = field(default_factory=set)
    """Of all items, vanished ones too."""
    holds: dict[str, tuple[Item, bytes]] = field(default_factory=dict)
    job: Job | None = None
    leftovers: set[str] = field(default_factory=set)
    """Files among the vectors that the ledger does not name."""
    problems: list[str] = field(default_factory=list)
    """Why an item in it is not whole."""


@dataclass
class Findings:
    kills: int = 0
    aimed: int = 0
    collections: int = 0
    acts: int = 0
    queries: int = 0
    phases: Counter[str] = field(default_factory=Counter)
    problems: dict[str, list[str]] = field(
        default_factory=lambda: {"lost": [], "half visible": [], "left over": [], "differing answers": []}
    )


class Failure(Exception):
    """limner itself ended with an error: there is nothing more to measure."""


class Bench:
    """One folder of pictures in two states, one collection at a time."""

    def __init__(self, place: Path, bundle: Bundle, pictures: int, seed: int) -> None:
        self._bundle, self._rng = bundle, Random(seed)
        self._pictures, self._collection = place / "pictures", place / "collection.limner"
        self._log = place / "limner.log"
        self._states = draw_states(place, pictures, seed)
        rng = Random(f"queries {seed}")
        self._queries = [captions(scene_at(seed, index), rng, 1)[0] for index in range(12)]
        self._queries += ['2:"red circle" -"blue square"', "green where:(objects >= 2)"]
        self.found = Findings()
        self._truths = self._undisturbed()
        started = time.perf_counter()
        self._run()
        self.idle_seconds = time.perf_counter() - started
        self._forget()

    def _undisturbed(self) -> list[Truth]:
        truths = []
        for state in self._states:
            self._show(state)
            started = time.perf_counter()
            self._run()
            seconds = time.perf_counter() - started
            seen = self.look()
            self._report("half visible", seen.problems)
            truths.append(Truth(state, seen.holds, self._skipped(), self._answers(), seconds))
        return truths

    @property
    def seconds(self) -> list[float]:
        """What the undisturbed runs took."""
        return [truth.seconds for truth in self._truths]

    # The deaths

    def live(self, kills: int) -> None:
        """One collection from nothing to its end, killed at most `kills` times."""
        self.found.collections += 1
        for truth in self._truths:
            self._show(truth.pictures)
            self._act(truth, min(KILLS_EACH_ACT, kills))
            kills -= min(KILLS_EACH_ACT, kills)
        self._forget()

    def _act(self, truth: Truth, kills: int) -> None:
        self.found.acts += 1
        before = self.look()
        work = self._left(truth, before)
        for _ in range(kills):
            share = self._left(truth, before) / work
            expected = self.idle_seconds + (truth.seconds - self.idle_seconds) * share
            aimed = self._rng.random() < AIMED_SHARE
            committed = self._kill(self._rng.uniform(0, expected), aimed)
            if committed is None:
                break
            after = self.look()
            self.found.kills += 1
            self.found.aimed += aimed
            self.found.phases[phase(before, after, self._left(truth, after))] += 1
            self.judge(before, committed, after)
            before = after
        else:
            self._run()
        self.compare(truth)

    def _kill(self, moment: float, aimed: bool) -> set[str] | None:
        """Kill a run `moment` seconds after its start. Returns the ids seen last before; None if it ended by itself."""
        with self._start() as run:
            try:
                run.wait(moment)
            except subprocess.TimeoutExpired:
                if aimed:
                    known = self._files()
                    while run.poll() is None and self._files() == known:
                        time.sleep(0.001)
                    time.sleep(self._rng.uniform(0, AIMED_SECONDS))
            committed = self._committed()
            if run.poll() is None:
                os.killpg(run.pid, signal.SIGKILL)
        if run.returncode == -signal.SIGKILL:
            return committed
        self._check(run.returncode)
        return None

    def _run(self) -> None:
        with self._start() as run:
            pass
        self._check(run.returncode)

    def _start(self) -> subprocess.Popen[bytes]:
        command = limner("index", self._pictures, "-c", self._collection, "--model", self._bundle.path)
        with self._log.open("wb") as log:
            return subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)

    def _check(self, code: int) -> None:
        if code:
            raise Failure(f"limner index ended with {code}: {self._log.read_text(errors='replace')[-2000:]}")

    # What can be seen from outside

    def _committed(self) -> set[str]:
        """The ids of all items at this moment. Plain SQL, so that the look is short and takes part in nothing."""
        try:
            with closing(sqlite3.connect(f"{self._ledger.as_uri()}?mode=ro", uri=True)) as connection:
                return {id for (id,) in connection.execute("SELECT id FROM items")}
        except sqlite3.OperationalError:
            return set()  # the tables are not made yet

    def look(self) -> Seen:
        if not self._ledger.exists():
            return Seen()
        status = subprocess.run(limner("status", "--json", "-c", self._collection), capture_output=True, text=True)
        if status.returncode:
            raise Failure(f"limner status ended with {status.returncode}: {status.stderr}")
        catalogue = Catalogue(self._ledger)
        keys, vanished = catalogue.select(), catalogue.vanished()
        items = catalogue.get(keys)
        ids = {item.id for item in items.values()} | {item.id for item in catalogue.get(vanished).values()}
        rows: dict[int, bytes] = dict.fromkeys(items, b"")
        problems = []
        if json.loads(status.stdout)["items"] != len(items):
            problems.append(f"limner status tells {json.loads(status.stdout)['items']} items, there are {len(items)}")
        folder = ShardFolder(self._collection / "vectors")
        for space in self._bundle.manifest.spaces:
            vectors = VectorStore(catalogue, folder, self._bundle.fingerprint, space)
            if not np.array_equal(vectors.placed(), np.sort(np.concatenate([keys, vanished]))):
                problems.append(f"space {space.name}: not one vector for each item")
            for key, vector in zip(*vectors.take(keys), strict=True):
                rows[int(key)] += vector.tobytes()
        jobs = catalogue.jobs(1)
        leftovers = self._files() - catalogue.shards.files()
        catalogue.close()
        holds = {item.uri: (item.replace(id=""), rows[key]) for key, item in items.items()}
        problems += self._unreachable(items[self._rng.choice(sorted(items))], holds) if items else []
        return Seen(ids, holds, jobs[0] if jobs else None, leftovers, problems)

    def _unreachable(self, item: Item, holds: dict[str, tuple[Item, bytes]]) -> list[str]:
        """Problems of the collection's checksums, and of a search from `item` for all others."""
        with Collection(self._collection, create=False) as photos:
            problems = photos.check()
            found = [hit.uri for hit in photos.similar(item.id, k=len(holds) + 1)]
        if sorted([*found, item.uri]) != sorted(holds):
            problems.append(f"a search from {item.uri} finds {len(found)} of the {len(holds) - 1} others")
        return problems

    def _answers(self) -> Answers:
        answers: Answers = {}
        with Collection(self._collection, create=False) as photos:
            items = sorted(photos.items(), key=lambda item: item.uri)
            asked = {query: photos.search(query, k=len(items)) for query in self._queries}
            for item in items[:: math.ceil(len(items) / 4)]:
                asked[f"like {item.uri}"] = photos.similar(item.id, k=len(items))
                asked[f"image {item.uri}"] = photos.search(image=item.uri, k=len(items))
        for query, hits in asked.items():
            # By uri where scores are equal: those keep the order in which they came, which a new file may change.
            answers[query] = sorted(
                ((hit.uri, hit.score, hit.probability) for hit in hits), key=lambda answer: (-answer[1], answer[0])
            )
        return answers

    def _skipped(self) -> list[str]:
        with Collection(self._collection, create=False) as photos:
            return sorted(one.uri for one in photos.skipped())

    def _files(self) -> set[str]:
        try:
            return set(os.listdir(self._collection / "vectors"))
        except FileNotFoundError:
            return set()

    @property
    def _ledger(self) -> Path:
        return self._collection / "catalogue.sqlite"

    # The verdict

    def judge(self, before: Seen, committed: set[str], after: Seen) -> None:
        self._report("lost", sorted((before.ids | committed) - after.ids))
        whole = [truth.holds for truth in self._truths]
        torn = [uri for uri, held in after.holds.items() if all(holds.get(uri) != held for holds in whole)]
        self._report("half visible", [*sorted(torn), *after.problems])
        if begun(before, after):  # a writer that got as far as its job has swept what it found
            self._report("left over", sorted(before.leftovers & after.leftovers))

    def compare(self, truth: Truth) -> None:
        """The end of an act: nothing may tell that it was not undisturbed."""
        seen = self.look()
        torn = [uri for uri in seen.holds.keys() | truth.holds.keys() if seen.holds.get(uri) != truth.holds.get(uri)]
        self._report("half visible", [*sorted(torn), *seen.problems])
        self._report("left over", sorted(seen.leftovers))
        if seen.job is None or seen.job.state != "done":
            self._report("left over", ["the job is not done"])
        answers = self._answers()
        self.found.queries += len(truth.answers)
        differing = [query for query in truth.answers if answers.get(query) != truth.answers[query]]
        self._report("differing answers", differing)
        if self._skipped() != truth.skipped:
            self._report("differing answers", ["skipped files"])

    def _left(self, truth: Truth, seen: Seen) -> int:
        """How many pictures are not yet as they will be at the end of the act."""
        return sum(seen.holds.get(uri) != held for uri, held in truth.holds.items())

    def _report(self, kind: str, lines: list[str]) -> None:
        self.found.problems[kind] += lines

    # The stage

    def _show(self, state: Path) -> None:
        """Let the folder that is indexed be in this state; its name stays the same."""
        self._pictures.unlink(missing_ok=True)
        self._pictures.symlink_to(state, target_is_directory=True)

    def _forget(self) -> None:
        shutil.rmtree(self._collection)


def phase(before: Seen, after: Seen, left: int) -> str:
    """Where a run was when it died, as far as what it left behind tells."""
    if not begun(before, after):
        return "starting"
    if after.job is not None and after.job.state == "done":
        return "done, leaving"
    if after.leftovers - before.leftovers:
        return "writing or merging vectors"
    if not left:
        return "all committed, finishing"
    return "reading, before its first commit" if before.holds == after.holds else "reading, between two commits"


def begun(before: Seen, after: Seen) -> bool:
    """Whether the run between the two had started its job."""
    return after.job is not None and (before.job is None or after.job.id != before.job.id)


def draw_states(place: Path, count: int, seed: int) -> list[Path]:
    """The folder before and after the change; pictures that stay are the same files."""
    first, second = place / "first", place / "second"
    pictures = write_world(first, count, seed)
    fresh = iter(write_world(place / "fresh", count, seed + 1))
    (first / "broken.png").write_bytes(b"no picture")
    link(first / "broken.png", second / "broken.png")
    for index, picture in enumerate(pictures):
        fate = index % 10
        if fate < 6:
            link_picture(next(fresh), second / picture.name)
        elif fate == 6:
            link_picture(picture, second / "moved" / picture.name)
        elif fate == 7:
            link_picture(next(fresh), second / "new" / picture.name)
        else:
            link_picture(picture, second / picture.name)
    return [first, second]


def link_picture(picture: Path, target: Path) -> None:
    link(picture, target)
    link(picture.with_suffix(".json"), target.with_suffix(".json"))


def link(file: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.hardlink_to(file)


def limner(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "limner", *map(str, arguments)]


def summary(found: Findings) -> str:
    lines = [
        f"{found.kills} kills of runs at work ({found.aimed} aimed at a commit), "
        f"{found.acts} acts of {found.collections} collections"
    ]
    lines += [f"{count:6}  {name}" for name, count in found.phases.most_common()]
    lines += [f"{len(problems):6}  {kind}" for kind, problems in found.problems.items()]
    lines[-1] += f" of {found.queries}"
    for kind, problems in found.problems.items():
        lines += [f"{kind}: {problem}" for problem in problems[:SHOWN_PROBLEMS]]
    return "\n".join(lines)


def as_record(found: Findings, bench: Bench, seconds: float) -> dict[str, object]:
    return {
        "kills": found.kills,
        "aimed_at_a_commit": found.aimed,
        "phases": dict(found.phases.most_common()),
        "collections": found.collections,
        "acts": found.acts,
        "answers_compared": found.queries,
        **{kind.replace(" ", "_"): len(problems) for kind, problems in found.problems.items()},
        "undisturbed_seconds": [*bench.seconds, bench.idle_seconds],
        "seconds": seconds,
    }


def main() -> int:
    parser = options(__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--pictures", type=int, default=2000)
    arguments = parser.parse_args()
    if arguments.kills < 1 or arguments.pictures < 10:
        parser.error("needs 1 kill and 10 pictures at least")
    bundle = Bundle.load(find_bundle(arguments.model or DEFAULT_MODEL))
    with workplace(arguments.keep) as place:
        return run(place, bundle, arguments)


def run(place: Path, bundle: Bundle, arguments: argparse.Namespace) -> int:
    started = time.perf_counter()
    try:
        print(f"drawing {arguments.pictures:,} pictures in two states, indexing them undisturbed ...", flush=True)
        bench = Bench(place, bundle, arguments.pictures, arguments.seed)
        first, second = bench.seconds
        print(f"from nothing {first:.1f} s, the change {second:.1f} s, nothing to do {bench.idle_seconds:.1f} s")
        while (done := bench.found.kills) < arguments.kills:
            bench.live(arguments.kills - done)
            print(f"{bench.found.kills:6} of {arguments.kills} kills", flush=True)
    except Failure as error:
        print(f"FAILED: {error}")
        return 1
    print(summary(bench.found))
    store(arguments, bundle.fingerprint, as_record(bench.found, bench, time.perf_counter() - started))
    return 1 if any(bench.found.problems.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
