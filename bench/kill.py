"""Kill `limner index` with SIGKILL at random moments and see that nothing is lost, half visible or different.

    python bench/kill.py --kills 100 --pictures 2000 --seed 0

Each collection lives through two acts over the same folder: it is made from nothing, and it follows
a change of the folder (60% of the pictures drawn anew, 10% moved, 10% gone, 10% as many new ones;
enough to make its vectors be merged). A run is killed at a moment drawn uniformly over the time that
it would take, the next one goes on, is killed again, up to five times in an act; the last one ends
undisturbed. A run that ends before its moment does not count. One moment in four is aimed: drawn from
the first half of the run, it waits for the next file of vectors, where a commit is under way, and the
kill follows within milliseconds.

After each kill, read from outside: `limner status --json` opens; whatever another process saw
committed, up to the last moment, is still there; every item is whole, which means that item and
vector are bit for bit those of one undisturbed run, that it has one vector, and that a search
reaches it once; every checksum fits; what the death before left in the folder has been swept.
At the end of each act the ranking of all pictures, uris and scores, is the undisturbed run's, for
each of some twenty queries. The exit status is 1 if anything is not so. POSIX only.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from harness import options, store, workplace
from witness import Answers, Failure, Held, Seen, Witness, limner

from limner.core.errors import LimnerError
from limner.data.world import write_world
from limner.encode.bundle import DEFAULT_MODEL, Bundle, find_bundle

KILLS_EACH_ACT = 5
"""More would find less and less to do: on average a kill halves what is left."""

AIMED_SHARE = 0.25
AIMED_SECONDS = 0.015
"""An aimed kill comes within this time of the file of vectors: about as long as the rest of the commit takes."""

QUERIES = (
    "a red circle",
    "two blue squares",
    "a small green star",
    "a striped triangle",
    "a heart above a diamond",
    "a large orange crescent",
    "nothing but stars",
    "a grey background",
    "no circle",
    "a picture of three things",
    'star "yellow background"',
    '2:"red circle" -"blue square"',
    "green where:(objects >= 2)",
)

SHOWN_PROBLEMS = 20


@dataclass(frozen=True)
class Truth:
    """What an undisturbed run makes of one state of the folder."""

    pictures: Path
    holds: Held
    skipped: list[str]
    answers: Answers
    seconds: float
    """What the run took, start and end of the process included."""


@dataclass
class Findings:
    kills: int = 0
    aimed: int = 0
    collections: int = 0
    acts: int = 0
    answers: int = 0
    phases: Counter[str] = field(default_factory=Counter)
    problems: dict[str, list[str]] = field(
        default_factory=lambda: {"lost": [], "half visible": [], "left over": [], "differing answers": []}
    )

    def report(self, kind: str, lines: list[str]) -> None:
        self.problems[kind] += lines


class Bench:
    """One folder of pictures in two states, one collection at a time. Raises Failure if limner fails."""

    def __init__(self, place: Path, bundle: Bundle, pictures: int, seed: int) -> None:
        self._bundle, self._rng = bundle, Random(seed)
        self._pictures, self._collection = place / "pictures", place / "collection.limner"
        self._log = place / "limner.log"
        self._witness = Witness(self._collection, bundle, Random(f"witness {seed}"))
        self.found = Findings()
        self.truths = [self._undisturbed(state) for state in draw_states(place, pictures, seed)]
        self.idle_seconds = self._timed_run()
        shutil.rmtree(self._collection)

    def _undisturbed(self, state: Path) -> Truth:
        self._show(state)
        seconds, seen = self._timed_run(), self._witness.look()
        self.found.report("half visible", seen.problems)
        return Truth(state, seen.holds, self._witness.skipped(), self._witness.answers(QUERIES), seconds)

    def live(self, kills: int) -> None:
        """One collection from nothing to its end, killed at most `kills` times."""
        self.found.collections += 1
        for truth in self.truths:
            self._show(truth.pictures)
            self._act(truth, min(KILLS_EACH_ACT, kills))
            kills -= min(KILLS_EACH_ACT, kills)
        shutil.rmtree(self._collection)

    def _act(self, truth: Truth, kills: int) -> None:
        self.found.acts += 1
        before = self._witness.look()
        work = unfinished(truth, before)
        for _ in range(kills):
            work_seconds = max(0.0, truth.seconds - self.idle_seconds)
            expected = self.idle_seconds + work_seconds * unfinished(truth, before) / work
            aimed = self._rng.random() < AIMED_SHARE
            committed = self._kill(self._rng.uniform(0, expected / 2 if aimed else expected), aimed)
            if committed is None:
                break
            after = self._witness.look()
            self.found.kills += 1
            self.found.aimed += aimed
            self.found.phases[phase(before, after, unfinished(truth, after))] += 1
            self.judge(before, committed, after)
            before = after
        else:
            self._timed_run()
        self.compare(truth)

    def _kill(self, moment: float, aimed: bool) -> set[str] | None:
        """Kill a run `moment` seconds after its start. Returns the ids seen last before; None if it ended by itself."""
        with self._running() as run:
            try:
                run.wait(moment)
            except subprocess.TimeoutExpired:
                if aimed:
                    self._await_vectors(run)
            committed = self._witness.committed()
        if run.returncode == -signal.SIGKILL:
            return committed
        self._check(run.returncode)
        return None

    def _await_vectors(self, run: subprocess.Popen[bytes]) -> None:
        known = self._witness.files()
        while run.poll() is None and self._witness.files() == known:
            time.sleep(0.001)
        time.sleep(self._rng.uniform(0, AIMED_SECONDS))

    def _timed_run(self) -> float:
        started = time.perf_counter()
        with self._running() as run:
            run.wait()
        self._check(run.returncode)
        return time.perf_counter() - started

    @contextmanager
    def _running(self) -> Iterator[subprocess.Popen[bytes]]:
        """`limner index` in a process group of its own, which gets SIGKILL at the end if it is still there."""
        command = limner("index", self._pictures, "-c", self._collection, "--model", self._bundle.path)
        with (
            self._log.open("wb") as log,
            subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True) as run,
        ):
            try:
                yield run
            finally:
                if run.poll() is None:
                    os.killpg(run.pid, signal.SIGKILL)

    def _check(self, code: int) -> None:
        if code:
            raise Failure(f"limner index ended with {code}: {self._log.read_text(errors='replace')[-2000:]}")

    def judge(self, before: Seen, committed: set[str], after: Seen) -> None:
        """What must hold after a kill. `committed`: the ids that were seen just before it."""
        self.found.report("lost", sorted((before.ids | committed) - after.ids))
        whole = [truth.holds for truth in self.truths]
        torn = [uri for uri, held in after.holds.items() if all(holds.get(uri) != held for holds in whole)]
        self.found.report("half visible", [*sorted(torn), *after.problems])
        if begun(before, after):  # a writer sweeps before it notes its job
            self.found.report("left over", sorted(before.leftovers & after.leftovers))

    def compare(self, truth: Truth) -> None:
        """What must hold at the end of an act: nothing tells that it was not undisturbed."""
        seen = self._witness.look()
        torn = [uri for uri in seen.holds.keys() | truth.holds.keys() if seen.holds.get(uri) != truth.holds.get(uri)]
        self.found.report("half visible", [*sorted(torn), *seen.problems])
        self.found.report("left over", sorted(seen.leftovers))
        if seen.job is None or seen.job.state != "done":
            self.found.report("left over", ["the job is not done"])
        self.found.answers += len(truth.answers)
        self.found.report("differing answers", self._differing(truth))

    def _differing(self, truth: Truth) -> list[str]:
        try:
            answers = self._witness.answers(QUERIES)
        except LimnerError as error:
            return [f"no answer: {error}"]
        differing = [query for query in truth.answers if answers.get(query) != truth.answers[query]]
        return differing if self._witness.skipped() == truth.skipped else [*differing, "skipped files"]

    def _show(self, state: Path) -> None:
        """Let the folder that is indexed be in this state; its name stays the same."""
        self._pictures.unlink(missing_ok=True)
        self._pictures.symlink_to(state, target_is_directory=True)


def unfinished(truth: Truth, seen: Seen) -> int:
    """How many pictures are not yet as they will be at the end of the act."""
    return sum(seen.holds.get(uri) != held for uri, held in truth.holds.items())


def begun(before: Seen, after: Seen) -> bool:
    """Whether the run between the two had noted its job."""
    return after.job is not None and (before.job is None or after.job.id != before.job.id)


def phase(before: Seen, after: Seen, left: int) -> str:
    """Where a run was when it died, as far as what it left behind tells."""
    if not begun(before, after):
        return "starting"
    if after.job is not None and after.job.state == "done":
        return "done, leaving"
    if after.leftovers:
        return "writing or merging vectors"
    if not left:
        return "all committed, finishing"
    return "reading, before its first commit" if before.holds == after.holds else "reading, after a commit"


def draw_states(place: Path, count: int, seed: int) -> list[Path]:
    """The folder before and after the change; pictures that stay are the same files."""
    first, second = place / "first", place / "second"
    pictures = write_world(first, count, seed)
    fresh = iter(write_world(place / "fresh", count, seed + 1))
    (second / "moved").mkdir(parents=True)
    (second / "new").mkdir()
    for state in (first, second):
        (state / "broken.png").write_bytes(b"no picture")
    for index, picture in enumerate(pictures):
        fate = index % 10
        if fate < 6:
            link(next(fresh), second / picture.name)
        elif fate == 6:
            link(picture, second / "moved" / picture.name)
        elif fate == 7:
            link(next(fresh), second / "new" / picture.name)
        else:
            link(picture, second / picture.name)
    return [first, second]


def link(picture: Path, target: Path) -> None:
    """The same picture and side-car at another place too."""
    target.hardlink_to(picture)
    target.with_suffix(".json").hardlink_to(picture.with_suffix(".json"))


def summary(found: Findings) -> str:
    lines = [
        f"{found.kills} kills of runs at work ({found.aimed} aimed at a commit) "
        f"in {found.acts} acts of {found.collections} collections, died when:"
    ]
    lines += [f"{count:6}  {name}" for name, count in found.phases.most_common()]
    lines.append("found:")
    lines += [f"{len(problems):6}  {kind}" for kind, problems in found.problems.items()]
    lines[-1] += f" of {found.answers}"
    for kind, problems in found.problems.items():
        lines += [f"{kind}: {problem}" for problem in problems[:SHOWN_PROBLEMS]]
    return "\n".join(lines)


def as_record(bench: Bench, seconds: float) -> dict[str, object]:
    found = bench.found
    return {
        "kills": found.kills,
        "aimed_at_a_commit": found.aimed,
        "phases": dict(found.phases.most_common()),
        "collections": found.collections,
        "acts": found.acts,
        **{kind.replace(" ", "_"): len(problems) for kind, problems in found.problems.items()},
        "answers_compared": found.answers,
        "undisturbed_seconds": [*(truth.seconds for truth in bench.truths), bench.idle_seconds],
        "seconds": seconds,
    }


def run(place: Path, bundle: Bundle, arguments: argparse.Namespace) -> int:
    started = time.perf_counter()
    print(f"drawing {arguments.pictures:,} pictures in two states, indexing both undisturbed ...", flush=True)
    bench = Bench(place, bundle, arguments.pictures, arguments.seed)
    first, second = (truth.seconds for truth in bench.truths)
    print(f"from nothing {first:.1f} s, the change {second:.1f} s, nothing to do {bench.idle_seconds:.1f} s")
    while (done := bench.found.kills) < arguments.kills:
        bench.live(arguments.kills - done)
        print(f"{bench.found.kills:6} of {arguments.kills} kills", flush=True)
    print(summary(bench.found))
    store(arguments, bundle.fingerprint, as_record(bench, time.perf_counter() - started))
    return 1 if any(bench.found.problems.values()) else 0


def main() -> int:
    parser = options(__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--pictures", type=int, default=2000)
    arguments = parser.parse_args()
    if arguments.kills < 1 or arguments.pictures < 10:
        parser.error("needs 1 kill and 10 pictures at least")
    try:
        bundle = Bundle.load(find_bundle(arguments.model or DEFAULT_MODEL))
        with workplace(arguments.keep) as place:
            return run(place, bundle, arguments)
    except (Failure, LimnerError) as error:
        print(f"FAILED: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
