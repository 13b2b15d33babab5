"""DBL: learn margins that beat those of another model, the anchor, which follows the one in training.

A ranking hinge asks for the same fixed distance of every pair. Deep boosting asks for more than an anchor already
gives: the gap between a right pair and its wrong ones must exceed the anchor's gap by a margin (relative), or right
pairs must lie above the anchor's and wrong ones below (absolute). The anchor is a slowly moving average of the
model, so the bar rises with it, at the cost of one more forward pass. At the end the model is used alone.
"""

from __future__ import annotations

from limner.objectives.boost import Boost
from limner.objectives.contrast import Contrast
from limner.objectives.during import During
from limner.objectives.targets import Momentum
from limner.recipes.ranking_mlp import HINGE, small
from limner.train.evaluations.gaps import Gaps
from limner.train.evaluations.retrieval import Retrieval
from limner.train.evaluations.rsum import RSum
from limner.train.experiment import Scale
from limner.train.modifiers.teacher import EmaTeacher, TrainedTeacher
from limner.train.optimiser import Optimiser
from limner.train.recipe import Claim, Recipe

START = 0.3
"""Share of the training before which nothing is boosted: the anchor must be good for something first."""


def recipe(scale: Scale = "tiny") -> Recipe:
    baseline = small(scale).replace(evaluations=(Retrieval(), RSum(), Gaps()))
    basic = baseline.objectives
    untrained = baseline.replace(name="untrained", optimiser=Optimiser(rate=0.0, steps=1))
    method = baseline.replace(
        name="boost-relative", objectives=(*basic, Boost(margin=HINGE.margin, start=START)), modifiers=(EmaTeacher(),)
    )
    imitation = During(Contrast(Momentum(alpha=1.0, ramp=0.0), name="imitation"), since=START)
    return Recipe(
        card=91,
        kind="objective",
        paper="Deep Boosting Learning: A Brand-new Cooperative Approach for Image-Text Matching, TIP 2024, "
        "arXiv 2404.18114",
        arms={
            "method": method,
            "baseline": baseline,
            "absolute": method.replace(
                name="boost-absolute", objectives=(*basic, Boost("absolute", HINGE.margin, start=START))
            ),
            "distilled": method.replace(name="hinge-distilled", objectives=(*basic, imitation)),
            "untrained anchor": method.replace(name="boost-untrained-anchor", modifiers=(TrainedTeacher(untrained),)),
        },
        claims=(
            Claim("relative boosting finds more than the ranking hinge alone", "rsum"),
            Claim("so does absolute boosting", "rsum", "absolute"),
            Claim("no worse than imitating the same anchor", "rsum", than="distilled", margin=-3.0),
            Claim("gaps between right and wrong widen on unseen pairs", "text-to-image gap"),
            Claim("an anchor that knows nothing does not help as much", "rsum", than="untrained anchor"),
        ),
        notes="The base is the ranking MLP (card 113) with semi-hard negatives: with the hardest ones of the paper "
        "a first try (200 steps, maps) collapsed. The boost takes its hardest negatives. The anchor is the "
        "moving average of the model; a peer trained alongside is not covered. Gaps are compared with the "
        "baseline's, as at the end of so short a training the anchor is the model itself. Nothing is boosted "
        "in the first 30 % of the training.",
    )
