"""Every modifier keeps the contract: a value, whose memory survives a checkpoint, and which disturbs nothing else."""

from __future__ import annotations

import copy
import dataclasses
import importlib
import pkgutil

import pytest
import torch
from train.toy import Toy, toy_experiment

import limner.train.modifiers
from limner.core.protocols import Modifier
from limner.data.samplers import TextChoice
from limner.encode.tokenizer import train_tokenizer
from limner.nn.twins import Twins
from limner.nn.two_towers import Towers
from limner.objectives.contrast import Contrast
from limner.train.batches import Batches
from limner.train.modifiers.freezing import Unfreeze
from limner.train.modifiers.noisy_pairs import NoisyPairs
from limner.train.modifiers.partner import Partner
from limner.train.modifiers.queue import FeatureQueue
from limner.train.modifiers.teacher import EmaTeacher, TargetTeacher, TrainedTeacher
from limner.train.modifiers.turns import Turns
from limner.train.task import Task

SETTINGS = {
    "TrainedTeacher": lambda: (TrainedTeacher(toy_experiment()),),
    "TargetTeacher": lambda: (TargetTeacher(toy_experiment()),),
    "NoisyPairs": lambda: (Partner(), NoisyPairs(64)),
    "Turns": lambda: (Turns(("caption",)),),
    "FeatureQueue": lambda: (EmaTeacher(), FeatureQueue(24)),
    "Unfreeze": lambda: (Unfreeze("^image", 0.5),),
}
"""What a modifier needs besides itself, or to be made at all."""
WRITTEN = ("Documents",)
"""What needs a second text of each picture that stands for it."""
MODELS = dict.fromkeys(("Partner", "NoisyPairs"), Twins(toy_experiment().model))


def kinds() -> list[type]:
    found = []
    for module in pkgutil.iter_modules(limner.train.modifiers.__path__):
        loaded = importlib.import_module(f"limner.train.modifiers.{module.name}")
        found += [
            kind
            for kind in vars(loaded).values()
            if isinstance(kind, type) and kind.__module__ == loaded.__name__ and dataclasses.is_dataclass(kind)
            if hasattr(kind, "after_step")
        ]
    return found


def new_task(modifiers: tuple[Modifier, ...], model: Towers | Twins, written: bool) -> tuple[Task, Batches]:
    experiment = toy_experiment()
    corpus = Toy().load(None).train
    if written:
        texts = [[first, dataclasses.replace(second, role="document")] for first, second in corpus.texts]
        corpus = corpus.replace(texts=texts)
        sampling = dataclasses.replace(experiment.sampling, texts=TextChoice(1, ("caption", "document")))
        experiment = experiment.replace(sampling=sampling)
    corpus = corpus.replace(targets={"maps": corpus.images}, grids=frozenset({"maps"}))
    tokenizer = train_tokenizer([text.text for texts in corpus.texts for text in texts], 320, 24)
    torch.manual_seed(0)

    def build(other=experiment):
        return model.build(corpus.images.shape[1:], tokenizer.vocabulary_size, 24)

    task = Task(build(), (Contrast(),), experiment.optimiser, modifiers=modifiers, trained_model=build)
    return task, Batches(corpus, tokenizer, experiment.sampling, seed=0)


def made(kind: type) -> tuple[Modifier, ...]:
    return SETTINGS[kind.__name__]() if kind.__name__ in SETTINGS else (kind(),)


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.__name__)
def test_contract(kind: type) -> None:
    modifiers = made(kind)
    assert all(isinstance(modifier, Modifier) for modifier in modifiers)
    assert toy_experiment(modifiers=modifiers).fingerprint == toy_experiment(modifiers=made(kind)).fingerprint
    model = MODELS.get(kind.__name__, toy_experiment().model)
    written = kind.__name__ in WRITTEN
    task, batches = new_task(modifiers, model, written)
    trained = {id(parameter) for parameter in task.trained()}
    assert not [name for name, parameter in task.memory.named_parameters() if id(parameter) in trained]
    for step in range(3):
        assert all(torch.isfinite(torch.tensor(loss)) for loss in task.step(step, batches(step)).values())
    other, _ = new_task(made(kind), model, written)
    other.restore(copy.deepcopy(task.state()))
    torch.manual_seed(7)
    one = task.step(3, batches(3))
    torch.manual_seed(7)
    assert other.step(3, batches(3)) == one
    for name, value in task.memory.state_dict().items():
        torch.testing.assert_close(value, other.memory.state_dict()[name], rtol=0, atol=0, equal_nan=True, msg=name)
