"""Run an experiment with one seed: data, training, measurement, all kept in a folder that its fingerprint names.

    RUNS/3f0a91c2d4e5/seed-0/    experiment.json  tokenizer.json  log.jsonl  checkpoint.pt  outcome.*

A run that is finished is never done again: recipes that share a baseline share its folder.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator, PartialState
from filelock import FileLock

from limner.core.errors import InputError
from limner.data.corpus import Corpora
from limner.encode.tokenizer import Tokenizer, train_tokenizer
from limner.train.architecture import Architecture
from limner.train.batches import Batches
from limner.train.curves import plot_curves
from limner.train.experiment import Data, Experiment
from limner.train.loop import Report, fit
from limner.train.outcome import Outcome, load, save
from limner.train.starting import OUTCOME, Built, FromBundle, with_lexicon, with_room, write_run
from limner.train.task import Task
from limner.train.trained import Trained, see


@dataclass(frozen=True, slots=True)
class Place:
    """Where data are found, where runs and caches go, who is told of progress."""

    runs: Path
    data: Path | None = None
    """The folder that holds the data sets (flickr8k/ ...)."""
    report: Callable[[str, Report], None] = lambda name, report: None

    @property
    def cache(self) -> Path:
        return self.runs / "cache"

    def dataset(self, name: str) -> Path:
        """Raises InputError where it is not there."""
        if self.data is None:
            raise InputError(
                f"this needs the data set {name}: say where it is, --data FOLDER (the one that holds {name}/)"
            )
        if not (self.data / name).exists():
            raise InputError(f"{self.data} holds no {name}/: give the folder that does with --data")
        return self.data / name


def train(experiment: Experiment, seed: int, place: Place) -> Trained:
    """Train, or go on, or read what was trained before."""
    folder = run_folder(experiment, seed, place)
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder, "training"):
        return _train(experiment, seed + experiment.seed_offset, place, folder)


def _train(experiment: Experiment, seed: int, place: Place, folder: Path) -> Trained:
    corpora = _corpora(experiment.data, place)
    built = _built(experiment, seed, place, corpora, folder)
    told = folder / "experiment.json"
    if told.exists():
        experiment.check_same(json.loads(told.read_text()))
    told.write_text(json.dumps(experiment.to_json(), indent=1) + "\n")
    write_run(built, folder)
    task = Task(
        built.model,
        experiment.objectives,
        experiment.optimiser,
        modifiers=experiment.modifiers,
        accelerator=Accelerator(cpu=not torch.cuda.is_available()),
        chunks=experiment.chunks,
        half=experiment.half,
        trained_model=lambda other: train(other, seed, place).model,
    )
    batches = Batches(corpora.train, built.tokenizer, experiment.sampling, seed=seed)
    fit(task, batches, folder, seed=seed, report=lambda report: place.report(experiment.name, report))
    if task.accelerator.is_main_process:
        plot_curves(folder / "log.jsonl", folder / "curves.png")
    return Trained(
        task.averaged,
        task.heads.eval(),
        task.memory.eval(),
        built.tokenizer,
        corpora,
        experiment.sampling.size,
        folder,
        other=lambda other: train(other, seed, place),
    )


@dataclass(frozen=True, slots=True)
class Run:
    outcome: Outcome
    folder: Path
    seconds: float
    """Of training (what it starts from included) and measuring."""


def measured(experiment: Experiment, seed: int, place: Place) -> Run:
    """What the experiment's evaluations give, trained first where it is not yet; kept beside the run."""
    folder = run_folder(experiment, seed, place)
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder, "measuring"):
        _measure(experiment, seed, place, folder)
        known, record = load(folder)
    return Run(known, folder, record["seconds"])


def _measure(experiment: Experiment, seed: int, place: Place, folder: Path) -> None:
    """Put into the folder what is still missing there."""
    known, record = load(folder) if (folder / OUTCOME).exists() else ({}, {})
    done = set(record.get("evaluations", ()))
    missing = [evaluation for evaluation in experiment.evaluations if repr(evaluation) not in done]
    if done and not missing:
        return
    began = time.perf_counter()
    trained = train(experiment, seed, place)
    if PartialState().is_main_process:
        for evaluation in missing:
            known = {**known, **evaluation(trained)}
        record = {
            "name": experiment.name,
            "seed": seed,
            "seconds": round(record.get("seconds", 0) + time.perf_counter() - began, 1),
            "parameters": sum(parameter.numel() for parameter in trained.model.parameters()),
            "evaluations": sorted(done | {repr(evaluation) for evaluation in missing}),
        }
        save(known, record, folder)
    PartialState().wait_for_everyone()


def _alone(folder: Path, what: str) -> FileLock:
    """Two commands that need the same run: the second waits. The processes of one run do not wait for one another."""
    return FileLock(folder / f"{what}-{os.environ.get('RANK', '0')}.lock")


def run_folder(experiment: Experiment, seed: int, place: Place) -> Path:
    return place.runs / experiment.fingerprint / f"seed-{seed}"


def _corpora(data: Data, place: Place) -> Corpora:
    """Loaded once for the seeds and arms that share them."""
    return data.load(place)


def _built(experiment: Experiment, seed: int, place: Place, corpora: Corpora, folder: Path) -> Built:
    """The model before its first step: new, at the end of another experiment, or from a bundle."""
    start = experiment.start
    if isinstance(start, FromBundle):
        torch.manual_seed(seed)
        built = with_lexicon(start.open(), experiment.model.lexicon)
        if built.architecture.towers != experiment.model:
            raise InputError(f"{experiment.name}: its `model` are other towers than those of the bundle it begins at")
        torch.manual_seed(seed)
    else:
        before = train(start.experiment, seed, place) if start else None
        tokenizer = before.tokenizer if before else tokenizer_of(experiment, corpora, folder)
        torch.manual_seed(seed)
        shape = see(torch.from_numpy(np.array(corpora.train.images[:1])), experiment.sampling.size).shape[1:]
        architecture = Architecture(experiment.model, tuple(shape), tokenizer.vocabulary_size, tokenizer.context_length)
        built = Built(architecture.build(), architecture, tokenizer)
        if start and before:
            for part in start.parts:
                getattr(built.model, part).load_state_dict(getattr(before.model, part).state_dict())
            built.model.log_scale.data.copy_(before.model.log_scale)
    if not experiment.adapter:
        return built
    experiment.adapter.attach(built.model)
    architecture = built.architecture.with_adapter(experiment.adapter)
    return Built(built.model, architecture, with_room(built.tokenizer, built.model))


def tokenizer_of(experiment: Experiment, corpora: Corpora, folder: Path) -> Tokenizer:
    """Learnt from the training texts alone."""
    path = folder / "tokenizer.json"
    if not path.exists():
        texts = [text.text for texts in corpora.train.texts for text in texts]
        data = experiment.data
        learnt = train_tokenizer(texts, data.vocabulary, data.context, characters=getattr(data, "characters", False))
        path.write_bytes(learnt.to_json())
    return Tokenizer.load(path, experiment.data.context)
