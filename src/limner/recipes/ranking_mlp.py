"""Ranking MLP: frozen picture features and a bag of words, each through an MLP into one space, trained to rank.

The smallest strong baseline: no attention, no word order, a hinge that asks right pairs to score higher than wrong
ones by a margin. What decides is which wrong ones are asked: drawn at random, or the hardest that still lie below
the right pair; wrong texts for a picture (good for annotation) or wrong pictures for a text (good for search).
Where the order of the words is all that matters, pairs of words in a row and convolutions over the words tell
what a bag of words cannot.
"""

from __future__ import annotations

from dataclasses import replace

from limner.data.samplers import Shuffled, TextChoice
from limner.data.world import WORLD_A
from limner.nn.towers.bag_of_words import BagTower
from limner.nn.towers.map_transformer import MapTower
from limner.nn.towers.ngrams import NgramTower
from limner.nn.towers.word_convolution import ConvolutionTower
from limner.nn.two_towers import TextTowerPart, Towers
from limner.objectives.hinge import Random, RankingHinge, SemiHard
from limner.recipes.align import scenes
from limner.train.batches import Sampling
from limner.train.corpora.flickr8k import Flickr8k
from limner.train.corpora.ordered import Ordered
from limner.train.corpora.scenes import Scenes
from limner.train.evaluations.correlation import CanonicalCorrelation
from limner.train.evaluations.retrieval import Retrieval
from limner.train.evaluations.two_way import TwoWay
from limner.train.experiment import Experiment, Scale
from limner.train.optimiser import Optimiser
from limner.train.recipe import Claim, Recipe

SEARCH, ANNOTATION = "text-to-image recall@10", "image-to-text success@10"
ORDER = "caption over swapped accuracy"
HINGE = RankingHinge(margin=0.1, negatives=SemiHard())


def small(scale: Scale = "tiny") -> Experiment:
    """The ranking MLP on Flickr8k: one vector a photograph, a bag of words for each of its captions."""
    return Experiment(
        "ranking-mlp",
        Flickr8k("pooled") if scale != "debug" else Flickr8k("pooled", pictures=64, tested=32),
        Towers(MapTower(dropout=0.3), BagTower(dropout=0.3)),
        objectives=(HINGE,),
        optimiser=Optimiser(rate=3e-3, steps={"debug": 4, "tiny": 1000, "full": 5000}[scale], warmup=40),
        sampling=Sampling(Shuffled(128 if scale != "debug" else 16), TextChoice(0)),
        evaluations=(Retrieval(),),
        half=False,  # which of two near scores is higher decides what is learnt
    )


def recipe(scale: Scale = "tiny") -> Recipe:
    method = small(scale).replace(evaluations=(Retrieval(), CanonicalCorrelation()))

    def ranked(name: str, hinge: RankingHinge) -> Experiment:
        return small(scale).replace(name=name, objectives=(hinge,))

    return Recipe(
        card=113,
        kind="model",
        paper="Deep Learning Applied to Image and Text Matching, 2015, arXiv 1601.03478",
        arms={
            "method": method,
            "baseline": ranked("uniform-negatives", replace(HINGE, negatives=Random())),
            "search": ranked("picture-negatives", replace(HINGE, to_texts=0.0)),
            "annotate": ranked("text-negatives", replace(HINGE, to_pictures=0.0)),
            "order: bag": in_order("order-bag", BagTower(), scale),
            "order: n-grams": in_order("order-ngrams", NgramTower(), scale),
            "order: convolution": in_order("order-convolution", ConvolutionTower(), scale),
        },
        claims=(
            Claim("semi-hard negatives beat uniform ones", SEARCH),
            Claim("and for annotation", ANNOTATION),
            Claim("search beats canonical correlation", SEARCH, than="method", than_metric=f"CCA {SEARCH}"),
            Claim("annotation beats canonical correlation", ANNOTATION, than="method", than_metric=f"CCA {ANNOTATION}"),
            Claim("wrong pictures alone favour search", SEARCH, "search", "annotate"),
            Claim("wrong texts alone favour annotation", ANNOTATION, "annotate", "search"),
            Claim("n-grams tell the order", ORDER, "order: n-grams", "order: bag", margin=0.15),
            Claim("so do convolutions", ORDER, "order: convolution", "order: bag", margin=0.15),
        ),
        notes="Flickr8k through the pooled maps of a frozen ImageNet backbone, 256 numbers a photograph. The paper's "
        "own sequence module is not known; ours is convolutions over the words. Word order is judged on drawn "
        "scenes of two shapes; a bag of words gives both texts the same score, so it is right half of the time. The "
        "log of each run tells in how many steps all similarities were the same (collapsed).",
    )


def in_order(name: str, text: TextTowerPart, scale: Scale) -> Experiment:
    """Scenes of two shapes whose captions differ in little but the order of the words."""
    plain = scenes(scale)
    assert isinstance(plain.data, Scenes)
    return plain.replace(
        name=name,
        data=replace(plain.data, texts=Ordered(), world=replace(WORLD_A, fewest=2, most=2)),
        model=Towers(MapTower(depth=1), text),
        objectives=(HINGE,),
        sampling=replace(plain.sampling, sampler=Shuffled(128 if scale != "debug" else 16), positives="text"),
        evaluations=(TwoWay(),),
        half=False,
    )
