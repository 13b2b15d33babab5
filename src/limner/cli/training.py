"""What `train` and `reproduce` share: where things are kept, and the moving line of a run."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from limner.cli.progress import PLAIN_SECONDS, duration

if TYPE_CHECKING:
    from limner.train.experiment import Experiment, Scale
    from limner.train.loop import Report
    from limner.train.runs import Place

SCALES = ("debug", "tiny", "full")


def checked_scale(name: str) -> Scale:
    from limner.core.errors import InputError

    if name not in SCALES:
        raise InputError(f"--scale {name}: choose debug, tiny or full")
    return name  # type: ignore[return-value]


def place_for(
    experiment: Experiment, data: Path | None, runs: Path, report: Callable[[str, Report], None]
) -> tuple[Place, Experiment]:
    """The folder with data sets goes to the place, one's own pairs into the experiment."""
    from limner.core.errors import InputError
    from limner.train.corpora.pairs import Pairs, named_set, onto
    from limner.train.runs import Place

    runs = runs.expanduser()
    if data is None:
        return Place(runs, None, report), experiment
    data = data.expanduser()
    if not data.exists():
        raise InputError(f"--data {data}: not there")
    name = named_set(experiment)
    if data.is_dir() and (name is None or (data / name).is_dir()):
        return Place(runs, data, report), experiment
    return Place(runs, None, report), onto(experiment, Pairs.own(data))


def run_text(name: str, report: Report) -> str:
    """ "infonce  step 150/400  contrast 2.71  1,203 pictures/s  8 s left"."""
    losses = "  ".join(f"{loss} {value:.4g}" for loss, value in report.losses.items() if value or loss != "collapsed")
    return (
        f"{name}  step {report.step:,}/{report.steps:,}  {losses}  {report.pictures_a_second:,.0f} pictures/s  "
        f"{duration(report.seconds_left)} left"
    )


@contextmanager
def run_line() -> Iterator[Callable[[str, Report], None]]:
    """Gives the function that shows a run's report on standard error, and tidies up at the end."""
    if not sys.stderr.isatty():
        yield _plain_lines()
        return

    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    with Progress(BarColumn(24), TextColumn("{task.description}"), console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("preparing data ...", total=None)
        yield lambda name, report: bar.update(
            task, completed=report.step, total=report.steps, description=run_text(name, report)
        )


def _plain_lines() -> Callable[[str, Report], None]:
    last = 0.0

    def show(name: str, report: Report) -> None:
        nonlocal last
        if time.monotonic() - last >= PLAIN_SECONDS or report.step == report.steps:
            last = time.monotonic()
            print(run_text(name, report), file=sys.stderr, flush=True)

    return show
