"""small: the model in the package, trained from scratch on Flickr8k and taught by a frozen ImageNet backbone.

Two stages. Words: a text transformer learns to meet what the frozen backbone sees in the training photographs
(InfoNCE; the towers of card 17, the frozen side of card 29). Sight: an image tower learns to see what the
backbone sees, place by place, to land where the first stage put the same picture, and to meet the words itself,
which stand still. Photographs without captions teach through the backbone alone; labelled ones say "a photo of a
LABEL"; drawn scenes bring shapes and colours.

`limner train small --scale full --data DATA` trains what is shipped (an hour on two idle cores; a run that was
stopped goes on), and `limner model export` makes a bundle of it. The baseline meets the same words without a
teacher. In the run that made the shipped weights, pictures without a text stood outside of the contrast; here
they are further negatives.
"""

from __future__ import annotations

from typing import Literal

from limner.data.samplers import Shares
from limner.nn.adapters.frozen import Frozen
from limner.nn.towers.convolutional_transformer import PictureTower
from limner.nn.towers.pooled_map import PooledMapTower
from limner.nn.towers.text_transformer import TextTower
from limner.nn.two_towers import Towers
from limner.objectives.contrast import Contrast
from limner.objectives.feature_matching import Land, See
from limner.train.batches import Augment, Sampling
from limner.train.bundling import About
from limner.train.corpora.everyday import Everyday
from limner.train.evaluations.retrieval import Retrieval
from limner.train.experiment import Experiment, Scale, Start
from limner.train.modifiers.teacher import TargetTeacher
from limner.train.optimiser import Optimiser
from limner.train.recipe import Claim, Recipe

ABOUT = About(
    card="""
A small two-tower model: pictures and English words as 256 numbers each, compared by cosine. It finds
everyday photographs (people, dogs, sports, streets, beaches, snow) and simple drawn shapes by short
descriptions. It is a start: it was trained from scratch on six thousand captioned photographs, knows few
words beyond theirs, reads no writing, recognises nobody, and cannot count or tell left from right reliably.
""",
    training_data="Flickr8k, training split: 6,000 photographs with 5 captions each (Hodosh, Young, Hockenmaier 2013; "
    "non-commercial research and education). A pool of 7,893 photographs from 13 small public research sets, "
    "6,002 of them with labels, the others without any text. 4,000 scenes drawn by limner.data.world. Teacher, "
    "for its features only: MobileNetV2 trained on ImageNet-1k (ONNX model zoo, Apache-2.0).",
    licence="The weights were trained by this project and are under Apache-2.0. Some of the photographs they were "
    "trained on are offered for research and education only; whether that binds a use of the weights is for "
    "the user to judge. For a commercial product, train on your own pairs with the same recipe.",
)
DIMENSION = 256
TEXT = TextTower(192, 3, 6, dropout=0.1)
SIZE = 112
"""7 x 7 places of the image tower, as many as the backbone has."""

STEPS = {"debug": (3, 3), "tiny": (300, 80), "full": (1500, 1300)}
"""Of the two stages."""


def data(scale: Scale, images: Literal["maps", "pixels"]) -> Everyday:
    return Everyday(images) if scale != "debug" else Everyday(images, 24, 24, 16, 16, channels=6, vocabulary=700)


def words(scale: Scale) -> Experiment:
    read = data(scale, "maps")
    return Experiment(
        "small-words",
        read,
        Towers(PooledMapTower(), TEXT, DIMENSION),
        optimiser=Optimiser(1e-3, steps=STEPS[scale][0], warmup=STEPS[scale][0] // 15),
        sampling=Sampling(
            Shares(384 if scale != "debug" else 16, read.lengths, (0.7, 0.15, 0.15)),
            positives="text",
            augment=Augment(least=0.5),
        ),
        evaluations=(Retrieval(),),
    )


def sight(scale: Scale) -> Experiment:
    before = words(scale)
    read = data(scale, "pixels")
    batch = {"debug": 12, "tiny": 96, "full": 192}[scale]
    return Experiment(
        "small",
        read,
        Towers(PictureTower((48, 96), 256, 4, 4), TEXT, DIMENSION),
        objectives=(Contrast(), Land(weight=4.0), See(read.channels, weight=2.0)),
        optimiser=Optimiser(1.5e-3, steps=STEPS[scale][1], warmup=STEPS[scale][1] * 15 // 130),
        sampling=Sampling(
            Shares(batch, read.lengths, (0.6, 0.3, 0.1)),
            positives="text",
            augment=Augment(least=0.4, jitter=0.3),
            size=SIZE,
        ),
        modifiers=(TargetTeacher(before),),
        evaluations=(Retrieval(),),
        start=Start(before, ("text",)),
        adapter=Frozen(("text",)),
    )


def recipe(scale: Scale = "tiny") -> Recipe:
    taught = sight(scale)
    untaught = taught.replace(name="small-untaught", objectives=(Contrast(),), modifiers=())
    return Recipe(
        card=0,
        kind="model",
        paper="FitNets: Hints for Thin Deep Nets, ICLR 2015, arXiv 1412.6550, with the towers of ALIGN (card 17)",
        arms={"method": taught, "baseline": untaught},
        claims=(Claim("taught sight finds more than sight that only meets the words", "text-to-image recall@10"),),
        notes="At this scale a small part of the shipped model's training, to compare; full is the shipped one.",
    )
