"""How far indexing has come: one moving line on a terminal, now and then a plain line elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from limner.collection import AddReport, Progress, Skipped

PLAIN_SECONDS = 10.0
"""Between two lines where there is no terminal: a log should tell that work goes on, not drown in it."""
SKIPPED_SHOWN = 20


def duration(seconds: float) -> str:
    """A time as a person says it: "8 s", "3 min 20 s", "2 h 5 min"."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def progress_text(progress: Progress) -> str:
    text = f"{progress.done:,}/{progress.total:,}"
    if progress.seconds_left is not None:
        text += f"  {progress.per_second:.0f} pictures/s  {duration(progress.seconds_left)} left"
    return text + (f"  {progress.skipped:,} skipped" if progress.skipped else "")


@contextmanager
def progress_line() -> Iterator[Callable[[Progress], None]]:
    """Gives the function that shows a `Progress` on standard error, and tidies up at the end."""
    if not sys.stderr.isatty():
        yield _plain_lines()
        return

    from rich.console import Console
    from rich.progress import BarColumn, TextColumn
    from rich.progress import Progress as Bar

    console = Console(stderr=True)
    with Bar(BarColumn(24), TextColumn("{task.description}"), console=console, transient=True) as bar:
        task = bar.add_task("looking for pictures ...", total=None)
        yield lambda progress: bar.update(
            task, completed=progress.done, total=progress.total, description=progress_text(progress)
        )


def _plain_lines() -> Callable[[Progress], None]:
    last = time.monotonic()

    def show(progress: Progress) -> None:
        nonlocal last
        if time.monotonic() - last >= PLAIN_SECONDS:
            last = time.monotonic()
            print(progress_text(progress), file=sys.stderr, flush=True)

    return show


def report_text(report: AddReport) -> str:
    """ "added 53, updated 2 in 1.2 s": what an add has done, leaving out what did not happen."""
    counts = {
        "added": report.added,
        "updated": report.updated,
        "moved": report.moved,
        "unchanged": report.unchanged,
        "vanished": report.vanished,
        "pruned": report.pruned,
        "skipped": len(report.skipped),
    }
    told = ", ".join(f"{count:,} {word}" for word, count in counts.items() if count)
    return f"{told or 'nothing to do'} ({duration(report.seconds)})"


def skipped_text(skipped: tuple[Skipped, ...]) -> str:
    """The first files that were left out, each with its reason."""
    from limner.cli.common import shown_uri

    lines = [f"  {shown_uri(one.uri)}: {one.reason}" for one in skipped[:SKIPPED_SHOWN]]
    if len(skipped) > SKIPPED_SHOWN:
        lines.append(f"  and {len(skipped) - SKIPPED_SHOWN:,} more: limner status --skipped")
    return "\n".join(lines)
