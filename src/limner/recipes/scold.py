"""SCOLD: where few classes have many pictures each, all pairs of a class share the target.

In a batch of 256 leaves of 48 classes every description fits five pictures. One-hot targets call four of them wrong
and teach false confidence. Here the mass is shared by all pairs of a class, and a tenth of it is spread over the
batch. Compared with one-hot targets, with smoothing alone, and with classes exchanged at random.
"""

from __future__ import annotations

from limner.data.samplers import Shuffled
from limner.objectives.contrast import Contrast
from limner.objectives.targets import Concepts, Groups
from limner.train.batches import Augment, Sampling
from limner.train.corpora.leaves import Leaves
from limner.train.evaluations.retrieval import Retrieval
from limner.train.evaluations.zero_shot import ZeroShot
from limner.train.experiment import Experiment, Scale
from limner.train.optimiser import Optimiser
from limner.train.recipe import Claim, Recipe

ACCURACY, PRECISION, ERROR = "zero-shot accuracy", "text-to-image mAP", "zero-shot calibration error"


def recipe(scale: Scale = "tiny") -> Recipe:
    data = Leaves() if scale != "debug" else Leaves(each=2, tested=2)
    baseline = Experiment(
        "infonce-leaves",
        data,
        optimiser=Optimiser(rate=1.5e-3, steps={"debug": 4, "tiny": 200, "full": 3000}[scale], warmup=40),
        sampling=Sampling(Shuffled(256 if scale != "debug" else 16), augment=Augment(noise=0.3)),
        evaluations=(
            ZeroShot(roles=("long",)),
            ZeroShot("new", roles=("long",), name="new"),
            Retrieval(roles=("long",), relevance="concept"),
            Retrieval("new", roles=("long",), relevance="concept", name="new"),
        ),
    )
    smooth = baseline.replace(name="smooth-leaves", objectives=(Contrast(Groups(smoothing=0.1)),))
    method = baseline.replace(name="scold", objectives=(Contrast(Concepts(smoothing=0.1)),))
    permuted = method.replace(name="scold-permuted", data=Leaves(each=data.each, tested=data.tested, permuted=True))
    return Recipe(
        card=41,
        kind="objective",
        paper="A Vision-Language Foundation Model for Leaf Disease Identification, Expert Systems with Applications "
        "2025, arXiv 2505.07019",
        arms={"method": method, "baseline": baseline, "smooth": smooth, "permuted": permuted},
        claims=(
            Claim("class-level precision, against one-hot targets", PRECISION),
            Claim("class-level precision, against smoothing alone", PRECISION, than="smooth"),
            Claim("accuracy over 48 classes, against one-hot targets", ACCURACY),
            Claim("accuracy over 48 classes, against smoothing alone", ACCURACY, than="smooth"),
            Claim("accuracy on 12 new combinations, against one-hot targets", f"new {ACCURACY}"),
            Claim("accuracy on 12 new combinations, against smoothing alone", f"new {ACCURACY}", than="smooth"),
            Claim("precision on new combinations, against one-hot targets", f"new {PRECISION}"),
            Claim("precision on new combinations, against smoothing alone", f"new {PRECISION}", than="smooth"),
            Claim("calibration error, against one-hot targets", ERROR, lower=True),
            Claim("calibration error, against smoothing alone", ERROR, than="smooth", lower=True),
            Claim("with classes exchanged at random the gain is gone", ACCURACY, "smooth", "permuted", margin=-0.01),
        ),
        notes="The paper does not give its targets: this is the reading of the card, in its softmax form. Towers are "
        "ours (a reader of frozen maps), not a Swin whose last map is flattened. Test descriptions are worded as none "
        "in training. Accuracy was the first claim of the first reproduction, whose figures these are; precision, "
        "which is what search by class is about, stands first since.",
    )
