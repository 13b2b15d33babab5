"""Pairs of one's own, or any captioned pictures: whatever `limner evaluate` opens, decoded once."""

from __future__ import annotations

import dataclasses
import hashlib
from dataclasses import dataclass
from pathlib import Path

from limner.core.errors import InputError
from limner.data.corpus import Corpora, Corpus, Text
from limner.data.datasets import Dataset, open_dataset
from limner.data.samplers import Shuffled
from limner.train.cache import cached_pictures
from limner.train.corpora.encoded import Encoded
from limner.train.experiment import Experiment
from limner.train.runs import Place

WIDE = 160
"""Side of the cached pictures."""
PASSES, LEAST_STEPS = 4, 40
"""How long to train on pairs of which nothing else is known."""


@dataclass(frozen=True, slots=True)
class Pairs:
    """The data's own splits train, val and test; without any, by a hash of each picture's id (8 : 1 : 1)."""

    path: str
    """A data set by the name of its folder, or the absolute path of one's own pairs."""
    fingerprint: str = ""
    """Of one's own pairs, so that an experiment says what it was trained on."""
    pictures: int = 0
    """The first so many of the training split; 0: all."""
    tested: int = 0
    """The first so many of validation and test; 0: all."""
    vocabulary: int = 4000
    context: int = 64

    @classmethod
    def own(cls, path: Path) -> Pairs:
        """Raises SourceError where nothing can be read there."""
        return cls(str(path.absolute()), open_dataset(path, "train").fingerprint)

    def count(self) -> int:
        """Pictures to train on, of one's own pairs."""
        return len(_first(open_dataset(self.path, "train"), self.pictures).items)

    def load(self, place: Place) -> Corpora:
        """Raises InputError where the pairs are others than when the experiment was made, PictureError for a picture
        that does not open."""
        path = Path(self.path) if Path(self.path).is_absolute() else place.dataset(self.path)
        whole = open_dataset(path, "train")
        if self.fingerprint not in ("", whole.fingerprint):
            raise InputError(f"{path}: the pairs have changed since the experiment was made: start it again")
        sets = [
            _first(whole, self.pictures),
            *(_first(open_dataset(path, part), self.tested) for part in ("val", "test")),
        ]
        names = ("train", "validation", "test")
        return Corpora(*(_corpus(f"{whole.name} {name}", one, place) for name, one in zip(names, sets, strict=True)))


def _first(dataset: Dataset, count: int) -> Dataset:
    return dataset.first_images(count) if count else dataset


def _corpus(name: str, dataset: Dataset, place: Place) -> Corpus:
    uris = hashlib.sha256("\n".join(f"{item.uri} {item.stamp}" for item in dataset.items).encode()).hexdigest()[:16]
    pictures = cached_pictures(dataset.items, place.cache / f"pairs-{WIDE}-{uris}.npy", WIDE)
    return Corpus(name, pictures, [[Text(text) for text in item.texts] for item in dataset.items])


def named_set(experiment: Experiment) -> str | None:
    """The data set whose place pairs of one's own may take; None where the experiment does not train on pairs."""
    data = experiment.data.data if isinstance(experiment.data, Encoded) else experiment.data
    return data.path if isinstance(data, Pairs) else None


def onto(experiment: Experiment, pairs: Pairs) -> Experiment:
    """The experiment on other pairs: PASSES over them, but LEAST_STEPS at least.

    Raises InputError where it does not train on pairs.
    """
    data = experiment.data
    if named_set(experiment) is None:
        raise InputError(
            f"{experiment.name} trains on {type(data).__name__} alone: give --data the folder that holds its data, "
            "or train your own pairs with: limner train finetune --data PAIRS"
        )
    plan, sampler = experiment.optimiser, experiment.sampling.sampler
    assert isinstance(sampler, Shuffled)
    steps = max(LEAST_STEPS, PASSES * pairs.count() // sampler.size)
    return experiment.replace(
        data=dataclasses.replace(data, data=pairs) if isinstance(data, Encoded) else pairs,
        optimiser=dataclasses.replace(plan, steps=steps, warmup=min(plan.warmup, steps // 5)),
    )
