"""One phase of a trial as a process: `python -m limner.measure.search.worker JOB`, where JOB is JSON.

Rows go to a file, one a line as they come, so that nothing that a library prints gets between them and what a
process that dies has measured is kept.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from limner.measure.search.contenders import contenders
from limner.measure.search.trial import Trial
from limner.measure.search.workload import Opened

PHASES = ("build", "search", "add")


@dataclass(frozen=True)
class Job:
    contender: str
    phase: str
    workload: str
    """Folder of the workload,"""
    index: str
    """of the index,"""
    rows: str
    """and the file for what is measured."""
    seconds: float

    def text(self) -> str:
        return json.dumps(asdict(self))


def run(job: Job) -> None:
    trial = Trial(contenders()[job.contender], Opened(Path(job.workload)), Path(job.index), job.seconds)
    measure = {"build": trial.build, "search": trial.search, "add": trial.add}[job.phase]
    with Path(job.rows).open("a", encoding="utf-8") as file:
        for row in measure():
            print(json.dumps(row), file=file, flush=True)


if __name__ == "__main__":
    run(Job(**json.loads(sys.argv[1])))
