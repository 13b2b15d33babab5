"""PC2: train on mismatched pairs by telling them from the others and lending their pictures better captions.

Two networks judge the pairs for each other: a pair that does not fit keeps a high loss, and the pseudo-classes of its
picture (named by what its caption seems to be about) keep swinging. Pairs that are believed are trained with a margin
as wide as the belief; a doubted picture borrows the caption of a believed picture of like classes. One of the two
networks is kept.
"""

from __future__ import annotations

from dataclasses import replace

from limner.nn.twins import Twins
from limner.objectives.both_networks import BothNetworks
from limner.objectives.during import During
from limner.objectives.hinge import All
from limner.objectives.pseudo_classes import PseudoClassification
from limner.recipes.ranking_mlp import HINGE, small
from limner.train.corpora.flickr8k import Flickr8k
from limner.train.corpora.mismatched import Mismatched
from limner.train.evaluations.noise_found import NoiseFound
from limner.train.evaluations.retrieval import Retrieval
from limner.train.evaluations.rsum import RSum
from limner.train.experiment import Scale
from limner.train.modifiers.noisy_pairs import NoisyPairs
from limner.train.modifiers.partner import Partner
from limner.train.recipe import Claim, Recipe

WARM_UP = 0.25
"""Share of the training in which all pairs are believed and all negatives count."""

CLASSES = 0.01
"""Weight of the pseudo-classes: the hinge is a mean over the pairs here, the authors' a sum over some hundred."""

CLAIMS = (
    Claim("with 40 % of the pairs mismatched it finds more than the plain hinge", "rsum", margin=2.0),
    Claim("co-teaching by the loss alone does, too", "rsum", "co-teaching", margin=2.0),
    Claim("and pseudo-classes with borrowed captions add to it", "rsum", than="co-teaching"),
    Claim(
        "loss and swings together find the noise no worse than the loss",
        "noise AUC by both",
        than="method",
        than_metric="noise AUC by loss",
        margin=-0.005,
    ),
    Claim(
        "borrowed captions have more right words than clean ones at random",
        "right words in the borrowed caption",
        than="method",
        than_metric="right words in the drawn caption",
        margin=0.05,
    ),
    Claim("captions lent to the wrong pictures do not help as much", "rsum", than="wrong lender"),
)


def recipe(scale: Scale = "tiny") -> Recipe:
    clean = small(scale)
    assert isinstance(clean.data, Flickr8k)
    pictures = clean.data.pictures
    gentle = During(replace(HINGE, negatives=All(), name="warm_up"), until=WARM_UP)
    baseline = clean.replace(
        name="hinge-noisy",
        data=Mismatched(clean.data),
        objectives=(gentle, During(HINGE, since=WARM_UP)),
        optimiser=replace(clean.optimiser, steps={"debug": 8, "tiny": 500, "full": 5000}[scale]),
        evaluations=(Retrieval(), RSum()),
    )
    judged = NoisyPairs(pictures, HINGE.margin, WARM_UP)
    trusting = (BothNetworks(gentle), BothNetworks(During(replace(HINGE, soft=True), since=WARM_UP)))
    together = baseline.replace(
        name="co-teaching",
        model=Twins(baseline.model),
        objectives=trusting,
        modifiers=(Partner(), judged),
        evaluations=(*baseline.evaluations, NoiseFound()),
    )
    method = together.replace(
        name="pc2", objectives=(*trusting, BothNetworks(PseudoClassification(pictures, weight=CLASSES)))
    )
    return Recipe(
        card=99,
        kind="training",
        paper="PC2: Pseudo-Classification Based Pseudo-Captioning for Noisy Correspondence Learning in Cross-Modal "
        "Retrieval, ACM MM 2024, arXiv 2408.01349",
        arms={
            "method": method,
            "baseline": baseline,
            "co-teaching": together,
            "wrong lender": method.replace(
                name="pc2-wrong-lender", modifiers=(Partner(), replace(judged, shuffled=True))
            ),
        },
        claims=CLAIMS,
        notes="The base is the ranking MLP (card 113) on Flickr8k; the captions of a picture are "
        "mismatched together. Semi-hard negatives after the warm-up, where the authors take the hardest. "
        "Losses and swings are noted as the pairs come by instead of by a further pass. One of the two networks is "
        "measured, not their mean. Without noise, and the entropy of single pictures, are not covered.",
    )
