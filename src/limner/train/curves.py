"""The curves of a training log as a picture."""

from __future__ import annotations

import json
from pathlib import Path

SKIPPED = {"step", "pictures_a_second", "collapsed"}


def plot_curves(log: Path, path: Path) -> None:
    """One small plot for each number of log.jsonl over the steps; none for a run of no steps."""
    from matplotlib.figure import Figure

    rows = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    names = list(dict.fromkeys(name for row in rows for name in row if name not in SKIPPED))
    if not names:
        return
    figure = Figure(figsize=(4 * len(names), 3), layout="constrained")
    for axes, name in zip(figure.subplots(1, len(names), squeeze=False)[0], names, strict=True):
        points = [(row["step"], row[name]) for row in rows if name in row]
        axes.plot(*zip(*points, strict=True), linewidth=1.2)
        axes.set(title=name, xlabel="step")
        axes.grid(alpha=0.3)
    figure.savefig(path, dpi=80)
