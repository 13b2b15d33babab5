"""The loop: a run that was stopped anywhere goes on to the same weights, bit for bit; two processes train as one."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from train.toy import Toy, toy_experiment

from limner.encode.tokenizer import train_tokenizer
from limner.nn.towers.map_transformer import MapTower
from limner.nn.towers.text_transformer import TextTower
from limner.nn.two_towers import Towers
from limner.objectives.contrast import Contrast
from limner.objectives.intra_modal import IntraModal
from limner.train.batches import Augment, Batch, Batches, Sampling
from limner.train.experiment import Experiment
from limner.train.loop import Report, fit
from limner.train.modifiers.queue import FeatureQueue
from limner.train.modifiers.teacher import EmaTeacher
from limner.train.task import Task

STEPS = 12
EVERYTHING = toy_experiment(
    objectives=(Contrast(keys="teacher"), IntraModal(weight=0.5)),
    modifiers=(EmaTeacher(0.9), FeatureQueue(24)),
    sampling=Sampling(toy_experiment().sampling.sampler, augment=Augment(noise=0.2), views=2),
)
"""Every kind of thing that a checkpoint must bring back: heads, a teacher, a queue, dropout, noise."""


def new_task(experiment: Experiment, **options: object) -> tuple[Task, Batches]:
    corpus = Toy().load(None).train
    tokenizer = train_tokenizer([text.text for texts in corpus.texts for text in texts], 320, 24)
    torch.manual_seed(5)
    model = experiment.model.build(corpus.images.shape[1:], tokenizer.vocabulary_size, 24)
    task = Task(model, experiment.objectives, experiment.optimiser, modifiers=experiment.modifiers, **options)
    return task, Batches(corpus, tokenizer, experiment.sampling, seed=3)


def trained(experiment: Experiment, folder: Path, stop_before: tuple[int, ...] = ()) -> Task:
    """Train to the end, stopped once before each of the given steps."""
    for stop in stop_before:
        task, batches = new_task(experiment)
        with pytest.raises(KeyboardInterrupt):
            fit(task, stopping(batches, stop), folder, seed=1, checkpoint_every=3, log_every=4)
    task, batches = new_task(experiment)
    fit(task, batches, folder, seed=1, checkpoint_every=2, log_every=4)
    return task


def stopping(batches: Batches, stop: int) -> Callable[[int], Batch]:
    def give(step: int) -> Batch:
        if step == stop:
            raise KeyboardInterrupt
        return batches(step)

    return give


@pytest.mark.parametrize("experiment", [toy_experiment(), EVERYTHING], ids=["plain", "everything"])
def test_a_stopped_run_ends_in_the_same_weights(tmp_path, experiment):
    undisturbed = trained(experiment, tmp_path / "a")
    stopped = trained(experiment, tmp_path / "b", stop_before=(3, 7, 8))
    for part in ("model", "averaged", "heads", "memory"):
        for name, value in getattr(undisturbed, part).state_dict().items():
            assert torch.equal(value, getattr(stopped, part).state_dict()[name]), (part, name)


def test_it_learns_and_writes_a_log(tmp_path):
    trained(toy_experiment(), tmp_path)
    rows = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [4, 8, 12]
    assert rows[-1]["contrast"] < rows[0]["contrast"]


def test_the_log_of_a_stopped_run_has_each_step_once(tmp_path):
    trained(toy_experiment(), tmp_path, stop_before=(5, 11))
    rows = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [4, 8, 12]


def test_evaluation_is_logged_and_reported(tmp_path):
    task, batches = new_task(toy_experiment())
    told: list[Report] = []
    fit(
        task,
        batches,
        tmp_path,
        seed=1,
        log_every=6,
        evaluate=lambda task: {"recall": 0.5},
        evaluate_every=12,
        report=told.append,
    )
    rows = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert "recall" not in rows[0]
    assert rows[1]["recall"] == 0.5
    assert [one.step for one in told] == [6, 12]
    assert told[-1].losses["recall"] == 0.5
    assert told[-1].seconds_left == 0


@pytest.mark.parametrize("chunks", [2, 3])
def test_chunks_give_the_losses_of_the_whole_batch(tmp_path, chunks):
    still = toy_experiment(
        model=Towers(MapTower(16, 1, 2, dropout=0.0), TextTower(16, 1, 2, dropout=0.0), dimension=16)
    )
    logs = []
    for parts in (1, chunks):
        task, batches = new_task(still, chunks=parts)
        fit(task, batches, tmp_path / str(parts), seed=1, log_every=2)
        rows = (tmp_path / str(parts) / "log.jsonl").read_text().splitlines()
        logs.append([json.loads(row)["contrast"] for row in rows])
    assert logs[1] == pytest.approx(logs[0], rel=1e-3)


def test_two_views_of_a_batch_differ(tmp_path):
    task, batches = new_task(EVERYTHING)
    features = task.encode(batches(0))
    assert features.view is not None
    assert not torch.allclose(features.image.vectors, features.view.image.vectors)
