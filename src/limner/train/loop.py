"""The only training loop: batches -> task -> losses -> log, with checkpoints to go on from.

A batch is a function of its step's number, and every random draw of a step is seeded by it, so a run
that was killed goes on exactly as if it had not been.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from limner.train.task import Task

Report = Callable[[str], None]


def fit(
    task: Task,
    batches: Callable[[int], Any],
    folder: Path,
    *,
    seed: int,
    log_every: int = 50,
    checkpoint_every: int = 200,
    evaluate: Callable[[Task], Mapping[str, float]] | None = None,
    evaluate_every: int = 0,
    report: Report = print,
) -> None:
    """Train `task` to its last step, from the newest checkpoint in `folder` if there is one.

    `folder` gets checkpoint.pt (replaced atomically) and log.jsonl.
    """
    folder.mkdir(parents=True, exist_ok=True)
    checkpoint, log = folder / "checkpoint.pt", folder / "log.jsonl"
    start = 0
    if checkpoint.exists():
        saved = torch.load(checkpoint, map_location=task.device, weights_only=True)
        task.restore(saved)
        start = saved["step"]
    _forget_after(start, log)
    task.model.train()
    seconds, recent = time.perf_counter(), []
    for step in range(start, task.settings.steps):
        torch.manual_seed(seed * 1_000_003 + step)
        recent.append(task.step(step, batches(step)))
        done = step + 1
        last = done == task.settings.steps
        if done % log_every == 0 or last:
            row: dict[str, float] = {name: sum(r[name] for r in recent) / len(recent) for name in recent[-1]}
            row |= {"step": done, "seconds_a_step": (time.perf_counter() - seconds) / len(recent)}
            if evaluate and evaluate_every and (done % evaluate_every == 0 or last):
                row |= evaluate(task)
                task.model.train()
            with log.open("a") as lines:
                lines.write(json.dumps(row) + "\n")
            report("  ".join(f"{name} {value:.4g}" for name, value in row.items()))
            seconds, recent = time.perf_counter(), []
        if done % checkpoint_every == 0 or last:
            partial = checkpoint.with_suffix(".partial")
            torch.save({**task.state(), "step": done}, partial)
            os.replace(partial, checkpoint)


def _forget_after(step: int, log: Path) -> None:
    """Drop the rows that a stopped run wrote after its last checkpoint: those steps come again."""
    if log.exists():
        rows = log.read_text().splitlines(keepends=True)
        log.write_text("".join(row for row in rows if json.loads(row)["step"] <= step))
