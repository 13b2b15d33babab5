"""The loop: a run that was stopped anywhere goes on to the same weights, bit for bit."""

import json
from pathlib import Path

import pytest
import torch
from torch import nn

from limner.train.loop import fit
from limner.train.task import Optimiser, Task

STEPS = 12


def new_task() -> Task:
    torch.manual_seed(5)
    model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.3), nn.ReLU(), nn.Linear(8, 1))

    def losses(model: nn.Module, batch: tuple[torch.Tensor, torch.Tensor]) -> dict[str, torch.Tensor]:
        return {"square": (model(batch[0]) - batch[1]).square().mean()}

    return Task(model, losses, Optimiser(rate=0.05, steps=STEPS, warmup=3))


def batches(step: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(step)
    x = torch.randn(16, 4, generator=generator)
    return x, x.sum(1, keepdim=True)


def trained(folder: Path, stop_before: tuple[int, ...] = ()) -> Task:
    """Train to the end, stopped once before each of the given steps."""
    for stop in stop_before:

        def failing(step: int, stop: int = stop) -> tuple[torch.Tensor, torch.Tensor]:
            if step == stop:
                raise KeyboardInterrupt
            return batches(step)

        with pytest.raises(KeyboardInterrupt):
            fit(new_task(), failing, folder, seed=1, checkpoint_every=3, log_every=4, report=lambda line: None)
    task = new_task()
    fit(task, batches, folder, seed=1, checkpoint_every=2, log_every=4, report=lambda line: None)
    return task


def test_a_stopped_run_ends_in_the_same_weights(tmp_path):
    undisturbed = trained(tmp_path / "a")
    stopped = trained(tmp_path / "b", stop_before=(3, 7, 8))
    for name, value in undisturbed.model.state_dict().items():
        assert torch.equal(value, stopped.model.state_dict()[name]), name
    for name, value in undisturbed.averaged.state_dict().items():
        assert torch.equal(value, stopped.averaged.state_dict()[name]), name


def test_it_learns_and_writes_a_log(tmp_path):
    trained(tmp_path)
    rows = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [4, 8, 12]
    assert rows[-1]["square"] < rows[0]["square"]


def test_the_log_of_a_stopped_run_has_each_step_once(tmp_path):
    trained(tmp_path, stop_before=(5, 11))
    rows = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [4, 8, 12]


def test_evaluation_is_logged(tmp_path):
    fit(
        new_task(),
        batches,
        tmp_path,
        seed=1,
        log_every=6,
        evaluate=lambda task: {"recall": 0.5},
        evaluate_every=12,
        report=lambda line: None,
    )
    rows = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert "recall" not in rows[0]
    assert rows[1]["recall"] == 0.5


def test_rates_warm_up_and_fall_to_zero():
    optimiser = Optimiser(rate=1.0, steps=100, warmup=10)
    rates = [optimiser.rate_at(step) for step in range(101)]
    assert rates[0] == pytest.approx(0.1)
    assert rates[10] == pytest.approx(1.0)
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[100] == pytest.approx(0.0)


def test_frozen_parameters_stay(tmp_path):
    task = new_task()
    task.model[0].requires_grad_(False)
    task = Task(task.model, task.losses, task.settings)
    before = task.model[0].weight.clone()
    fit(task, batches, tmp_path, seed=1, report=lambda line: None)
    assert torch.equal(before, task.model[0].weight)
