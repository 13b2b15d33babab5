"""The whole bench: every contender on every workload, one process a phase, each row stored as it comes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from limner.core.errors import InputError
from limner.core.runtime import cpu_count
from limner.index import code_kernel, posting_kernel, products
from limner.measure.machine import commit, machine
from limner.measure.search.contender import Contender
from limner.measure.search.contenders import contenders
from limner.measure.search.sizes import size_text
from limner.measure.search.tokens import ObjectTokens, TokenSets
from limner.measure.search.trial import Row
from limner.measure.search.vectors import ClusteredVectors
from limner.measure.search.words import documents, picture_words
from limner.measure.search.worker import PHASES, Job
from limner.measure.search.workload import Opened, Workload, open_workload

KINDS = {"dense": "dense", "lexical": "sparse", "tokens": "tokens"}
"""Names of the kinds for people -> those of the representations."""

SMALLEST = 10_000
"""limner's own indexes are measured at this size, at ten times it, and so on up to the size asked for."""

ITEMS_A_TOKEN_SET = 20
"""Items of 32 vectors are so many times fewer than the size asked for."""

LONGEST_PASS = 10.0
"""Seconds for the queries of one effort; less for small collections."""


@dataclass(frozen=True)
class Settings:
    size: int
    kinds: tuple[str, ...] = tuple(KINDS)
    peers: bool = True
    seed: int = 0
    patience: float = 1800
    """Seconds that one phase of a contender may take."""

    def __post_init__(self) -> None:
        if self.size < 1000:
            raise InputError(f"--size {self.size}: give 1000 items or more")

    def sizes(self) -> list[int]:
        smaller, size = [], SMALLEST
        while size < self.size:
            smaller.append(size)
            size *= 10
        return [*smaller, self.size]


class SearchBench:
    """`folder` gets the result file; `cache` keeps the collections and, while it is measured, one index."""

    def __init__(
        self,
        settings: Settings,
        folder: Path,
        cache: Path,
        command: str,
        tell: Callable[[str], None],
        more: Mapping[str, Callable[[int], Workload]] | None = None,
    ) -> None:
        """`more`: further workloads by kind, made for a size."""
        self.settings, self._cache, self._tell = settings, cache, tell
        self._more = more or {}
        kinds = [] if set(settings.kinds) == set(KINDS) else settings.kinds
        self.path = folder / f"{'-'.join(('search', *kinds, size_text(settings.size)))}.json"
        folder.mkdir(parents=True, exist_ok=True)
        cache.mkdir(parents=True, exist_ok=True)
        self.result = self._begin(command)

    def run(self) -> None:
        """Measure what has not been measured yet."""
        known = contenders()
        done = {(row["workload"], row["n"], row["contender"], row["phase"]) for row in self.rows}
        for workload, names in self._plan(known):
            waiting = [name for name in names if (workload.name, workload.n, name, "end") not in done]
            if not waiting:
                continue
            self._tell(f"{workload.name}, {workload.n:,} items")
            opened = open_workload(workload, self._cache)
            for name in waiting:
                # What a run that was stopped has measured of a contender is measured again with the rest of it.
                self.result["rows"] = [
                    row
                    for row in self.rows
                    if (row["workload"], row["n"], row["contender"]) != (opened.name, opened.n, name)
                ]
                self._measure(known[name], opened)
        self.result["finished"] = True
        self._store()

    @property
    def rows(self) -> list[Row]:
        rows: list[Row] = self.result["rows"]
        return rows

    def _begin(self, command: str) -> Row:
        """The unfinished result that lies there, if it is of the same settings and code; else a new one."""
        new: Row = {
            "command": command,
            "commit": commit(),
            "seed": self.settings.seed,
            "machine": machine(("numpy", "limner"))
            | {"compiled loops": all(one.compiled for one in (code_kernel, posting_kernel, products))},
            "finished": False,
            "rows": [],
        }
        try:
            found: Row = json.loads(self.path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return new
        same = all(found.get(name) == new[name] for name in ("command", "commit", "machine"))
        return found if same and not found.get("finished") else new

    def _plan(self, known: Mapping[str, Contender]) -> Iterator[tuple[Workload, list[str]]]:
        for kind in self.settings.kinds:
            everyone = [one for one in known.values() if one.kind == KINDS[kind]]
            if not self.settings.peers:
                everyone = [one for one in everyone if one.is_own]
            sizes = self.settings.sizes()
            for size in sizes:
                made = [make(size, self.settings.seed) for make in WORKLOADS[kind]]
                if size == sizes[-1] and kind in self._more:
                    made.append(self._more[kind](size))
                for workload in made:
                    if names := [one.name for one in everyone if _takes_part(one, workload.name, size, sizes)]:
                        yield workload, names

    def _measure(self, contender: Contender, workload: Opened) -> None:
        installed = contender.installed()
        about = {
            "workload": workload.name,
            "n": workload.n,
            "contender": contender.name,
            "package": contender.package,
            "version": installed,
        }
        if installed is None:
            self._keep([{"phase": "build", "failed": "not installed"}, {"phase": "end"}], about)
            return
        with tempfile.TemporaryDirectory(prefix="index-", dir=self._cache) as place:
            for phase in PHASES:
                if phase == "add" and not contender.grows:
                    continue
                self._tell(f"  {contender.name}: {phase}")
                rows = self._in_process(contender.name, phase, workload, Path(place))
                self._keep(rows, about)
                if any("failed" in row for row in rows):
                    break
        self._keep([{"phase": "end"}], about)

    def _in_process(self, name: str, phase: str, workload: Opened, place: Path) -> list[Row]:
        """The rows of one phase; one more that says why, where it did not end well."""
        seconds = min(LONGEST_PASS, max(0.05, LONGEST_PASS * workload.n / 200_000))
        file = place / f"{phase}.jsonl"
        job = Job(name, phase, str(workload.folder), str(place / "index"), str(file), seconds)
        # Building may use every processor, a search one: libraries read these when they are loaded.
        threads = str(cpu_count() if phase == "build" else 1)
        environment = os.environ | dict.fromkeys(
            ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), threads
        )
        try:
            done = subprocess.run(
                [sys.executable, "-m", "limner.measure.search.worker", job.text()],
                env=environment,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                timeout=self.settings.patience,
            )
            failed = "" if done.returncode == 0 else _reason(done.returncode, done.stderr)
        except subprocess.TimeoutExpired:
            failed = f"took longer than {self.settings.patience / 60:.0f} minutes"
        rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] if file.exists() else []
        if failed:
            self._tell(f"    {failed}")
        return [*rows, *([{"phase": phase, "failed": failed}] if failed else [])]

    def _keep(self, rows: Sequence[Row], about: Row) -> None:
        self.rows.extend(about | row for row in rows)
        self._store()

    def _store(self) -> None:
        partial = self.path.with_suffix(".partial")
        partial.write_text(json.dumps(self.result, indent=1) + "\n", encoding="utf-8")
        partial.replace(self.path)


def _token_sets(n: int, seed: int) -> Workload:
    return TokenSets(n // ITEMS_A_TOKEN_SET, seed)


def _object_tokens(n: int, seed: int) -> Workload:
    return ObjectTokens(n // ITEMS_A_TOKEN_SET, seed)


WORKLOADS: Mapping[str, Sequence[Callable[[int, int], Workload]]] = {
    "dense": (ClusteredVectors,),
    "lexical": (documents, picture_words),
    "tokens": (_token_sets, _object_tokens),
}


def _takes_part(contender: Contender, workload: str, size: int, sizes: Sequence[int]) -> bool:
    """limner's own at every size; a peer at the largest one that it can take."""
    if contender.is_own:
        return True
    fitting = [one for one in sizes if contender.takes(workload, one)]
    return bool(fitting) and size == max(fitting)


def _reason(code: int, errors: bytes) -> str:
    lines = errors.decode(errors="replace").strip().splitlines()
    told = lines[-1][:200] if lines else ""
    if code < 0:
        return f"ended by {signal.Signals(-code).name}" + (f": {told}" if told else "")
    return told or f"exit code {code}"


def clear(cache: Path) -> None:
    """Delete what an interrupted run has left half done."""
    for path in [*cache.glob("*.partial"), *cache.glob("index-*")]:
        shutil.rmtree(path, ignore_errors=True)
