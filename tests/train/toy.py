"""A world small enough to train on in a second: pictures are maps of a few numbers, texts are their colours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from limner.data.corpus import Corpora, Corpus, Text
from limner.data.samplers import Shuffled
from limner.nn.towers.map_transformer import MapTower
from limner.nn.towers.text_transformer import TextTower
from limner.nn.two_towers import Towers
from limner.train.batches import Sampling
from limner.train.evaluations.retrieval import Retrieval
from limner.train.experiment import Experiment
from limner.train.optimiser import Optimiser

COLOURS = ("red", "green", "blue", "yellow", "black", "white", "pink", "brown")
SHAPES = ("circle", "square", "star", "heart")
PLACES, CHANNELS = 4, 12


def toy_corpus(count: int, seed: int, texts_each: int = 2) -> Corpus:
    rng = np.random.default_rng(seed)
    colours, shapes = rng.integers(len(COLOURS), size=count), rng.integers(len(SHAPES), size=count)
    maps = rng.normal(0, 0.3, (count, PLACES, CHANNELS)).astype(np.float16)
    maps[np.arange(count), :, colours] += 2
    maps[np.arange(count), :, len(COLOURS) + shapes] += 2
    words = ["a {} {}", "one {} {} here", "see the {} {}"][:texts_each]
    texts = [
        [Text(form.format(COLOURS[colour], SHAPES[shape])) for form in words]
        for colour, shape in zip(colours, shapes, strict=True)
    ]
    return Corpus(f"toy {seed}", maps, texts, colours * len(SHAPES) + shapes)


@dataclass(frozen=True, slots=True)
class Toy:
    pictures: int = 64
    seed: int = 0
    vocabulary: int = 320
    context: int = 24

    def load(self, place: object) -> Corpora:
        return Corpora(*(toy_corpus(count, self.seed + part) for part, count in enumerate((self.pictures, 24, 24))))


def toy_experiment(**changes: object) -> Experiment:
    experiment = Experiment(
        "toy",
        Toy(),
        Towers(MapTower(16, depth=1, heads=2), TextTower(16, 1, 2), dimension=16),
        optimiser=Optimiser(rate=5e-3, steps=12, warmup=2),
        sampling=Sampling(Shuffled(16)),
        evaluations=(Retrieval(),),
        half=False,
    )
    return experiment.replace(**changes)
