"""The only training loop: batches -> task -> losses -> log, with checkpoints to go on from.

A batch is a function of its step's number, and every random draw of a step is seeded by it, so a run
that was killed goes on exactly as if it had not been. Under `torchrun` or `accelerate launch`, each of N
processes takes its share of every batch, and loss and gradients are those of the whole one.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from limner.train.batches import Batch
from limner.train.processes import own_share
from limner.train.task import Task


@dataclass(frozen=True, slots=True)
class Report:
    """What a run says of itself while it works."""

    step: int
    steps: int
    losses: Mapping[str, float]
    """Means since the report before, by name; what was evaluated comes with them. "collapsed": the share of the
    steps in which all similarities were the same, so that nothing was told from anything."""
    pictures_a_second: float
    seconds_left: float


def fit(
    task: Task,
    batches: Callable[[int], Batch],
    folder: Path,
    *,
    seed: int,
    log_every: int = 50,
    checkpoint_every: int = 200,
    evaluate: Callable[[Task], Mapping[str, float]] | None = None,
    evaluate_every: int = 0,
    report: Callable[[Report], None] = lambda report: None,
) -> None:
    """Train `task` to its last step, from the newest checkpoint in `folder` if there is one.

    `folder` gets checkpoint.pt (replaced atomically) and log.jsonl, one row every `log_every` steps.
    """
    main = task.accelerator.is_main_process
    folder.mkdir(parents=True, exist_ok=True)
    checkpoint, log = folder / "checkpoint.pt", folder / "log.jsonl"
    start = 0
    if checkpoint.exists():
        saved = torch.load(checkpoint, map_location=task.device, weights_only=True)
        task.restore(saved)
        start = saved["step"]
    task.accelerator.wait_for_everyone()
    if main:
        _forget_after(start, log)
    began, pictures, recent, steps = time.perf_counter(), 0, [], task.settings.steps
    for step in range(start, steps):
        # Each process draws its own dropout; one process alone draws what it always did.
        torch.manual_seed((seed * 1_000_003 + step) * task.accelerator.num_processes + task.accelerator.process_index)
        batch = batches(step)
        recent.append(task.step(step, own_share(batch)))
        pictures += len(batch)
        done = step + 1
        last = done == steps
        if done % log_every == 0 or last:
            row = {name: sum(losses[name] for losses in recent) / len(recent) for name in recent[-1]}
            speed = pictures / (time.perf_counter() - began)
            if evaluate and evaluate_every and (done % evaluate_every == 0 or last):
                row |= evaluate(task)
            if main:
                with log.open("a") as lines:
                    lines.write(json.dumps({"step": done, **row, "pictures_a_second": round(speed, 1)}) + "\n")
                report(Report(done, steps, row, speed, (steps - done) * len(batch) / speed))
            began, pictures, recent = time.perf_counter(), 0, []
        if main and (done % checkpoint_every == 0 or last):
            partial = checkpoint.with_suffix(".partial")
            torch.save({**task.state(), "step": done}, partial)
            os.replace(partial, checkpoint)
    task.accelerator.wait_for_everyone()


def _forget_after(step: int, log: Path) -> None:
    """Drop the rows that a stopped run wrote after its last checkpoint: those steps come again."""
    if log.exists():
        rows = log.read_text().splitlines(keepends=True)
        log.write_text("".join(row for row in rows if json.loads(row)["step"] <= step))
