"""DreamLIP: each sentence of a long description is its own positive, tied to its own part of the picture.

A picture comes with a description of ten sentences in random order. Read whole, it must be cut and says too
much at once. Instead, four sentences are drawn at every step. Each is a positive of its picture in the
contrastive loss, and each gathers the places of its picture that it resembles most; what it gathered must be
told from what all other sentences gathered, those of the same picture included. After training the towers are
plain ones, and the weights of the places say where a sentence points.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

from limner.core.features import Features
from limner.data.samplers import Shuffled, TextChoice
from limner.data.world import WORLD_A
from limner.nn.two_towers import Towers
from limner.objectives.contrast import Contrast
from limner.objectives.sentence_grouping import SentenceGrouping
from limner.recipes.align import scenes
from limner.train.corpora.descriptions import Descriptions
from limner.train.corpora.scenes import Scenes
from limner.train.evaluations.pointing import Pointing
from limner.train.evaluations.retrieval import Retrieval
from limner.train.experiment import Scale
from limner.train.recipe import Claim, Recipe

CROWDED = replace(WORLD_A, fewest=5, most=8, grid=3)
SENTENCE, LONG = "sentence text-to-image recall@1", "description text-to-image recall@1"
POINTING = "pointing accuracy"


@dataclass(frozen=True, slots=True)
class Strangers(SentenceGrouping):
    """The control: sentences gather places of a picture that they were not written for."""

    def __call__(self, features: Features, head: Any) -> Tensor:
        owner = (features.owner + 1) % len(features.image.group)
        return SentenceGrouping.__call__(self, features.replace(owner=owner), head)


def recipe(scale: Scale = "tiny") -> Recipe:
    few = scale == "debug"
    plain = scenes(scale)
    sampling = replace(plain.sampling, sampler=Shuffled(16 if few else 128))
    short = plain.replace(
        name="one short caption",
        data=Scenes(Descriptions(words=60), CROWDED, *((64, 32) if few else (4000, 500))),
        sampling=replace(sampling, texts=TextChoice(1, ("short",))),
        evaluations=(
            Retrieval(roles=("sentence",), name="sentence"),
            Retrieval(roles=("long",), name="description"),
            Pointing(),
        ),
    )
    whole = short.replace(name="description, cut", sampling=replace(sampling, texts=TextChoice(1, ("long",))))
    sentences = short.replace(name="sentences", sampling=replace(sampling, texts=TextChoice(4, ("sentence",))))
    model = Towers(tokens=True)
    return Recipe(
        card=14,
        kind="training",
        paper="DreamLIP: Language-Image Pre-training with Long Captions, ECCV 2024, arXiv 2403.17007",
        arms={
            "method": sentences.replace(name="dreamlip", model=model, objectives=(Contrast(), SentenceGrouping())),
            "baseline": short,
            "whole": whole,
            "sentences": sentences,
            "strangers": sentences.replace(name="strangers", model=model, objectives=(Contrast(), Strangers())),
        },
        claims=(
            Claim("finds a picture by one sentence", SENTENCE),
            Claim("better by sentences than the whole, cut", SENTENCE, than="whole"),
            Claim("sentences alone beat a short caption", SENTENCE, arm="sentences"),
            Claim("grouping adds to sentences", SENTENCE, than="sentences"),
            Claim("the whole, cut, is not best by whole descriptions either", LONG, than="whole"),
            Claim("points better than sentences without grouping", POINTING, than="sentences", margin=0.05),
            Claim("points far above chance", POINTING, than="method", than_metric="pointing by chance", margin=0.2),
            Claim("with strange pictures in the grouping, pointing suffers", POINTING, than="strangers", margin=0.1),
        ),
        notes="Scenes of 5-8 objects, maps of a frozen backbone, 4,000 pictures (the card: 8,000); one captioner. The "
        "description is cut after 60 words. All K sentences of a picture share the mass of one softmax where "
        "the paper averages K losses. Sentences about the background are not drawn.",
    )
