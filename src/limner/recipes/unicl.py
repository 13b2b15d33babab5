"""UniCL: equal texts are right for all of their pictures, and a second stage on long captions (Florence).

Two pictures that are both labelled "a red circle" are no negatives of each other: every text of a label, whatever
template it was put into, is right for every picture of that label, and the loss is the mean over them, outside the
logarithm. With texts that are all different it is InfoNCE. It is InfoNCE, too, where the texts of a label are equal to
the letter and so get one vector: what one picture loses by the others, all of them gain. The difference is in labels
that are worded differently (here by five templates), in a queue, and in dropout. First all texts are trained on, then
captions alone, since labels in templates are poor examples of what people write. 40 % of the scenes have only a label.
"""

from __future__ import annotations

from limner.data.samplers import Shares
from limner.objectives.contrast import Contrast
from limner.train.batches import Augment, Sampling
from limner.train.corpora.labelled import LabelledScenes
from limner.train.evaluations.retrieval import Retrieval
from limner.train.evaluations.zero_shot import ZeroShot
from limner.train.experiment import Experiment, Scale, Start
from limner.train.optimiser import Optimiser
from limner.train.recipe import Claim, Recipe

ACCURACY, PRECISION, RECALL = "labels zero-shot accuracy", "labels text-to-image mAP", "text-to-image recall@1"


def recipe(scale: Scale = "tiny") -> Recipe:
    data = LabelledScenes() if scale != "debug" else LabelledScenes(labelled=24, captioned=40, tested=32)
    size = 256 if scale != "debug" else 16
    lengths = (data.labelled, data.captioned)
    steps = {"debug": 4, "tiny": 200, "full": 3000}[scale]

    def sampling(positives: str, *shares: float) -> Sampling:
        return Sampling(Shares(size, lengths, shares), positives=positives, augment=Augment(noise=0.3))  # type: ignore[arg-type]

    baseline = Experiment(
        "infonce-labelled",
        data,
        optimiser=Optimiser(rate=1.5e-3, steps=steps, warmup=40),
        sampling=sampling("picture", 0.4, 0.6),
        evaluations=(
            ZeroShot("labels", roles=("label",), name="labels"),
            Retrieval("labels", roles=("label",), relevance="concept", name="labels"),
            Retrieval(),
        ),
    )
    one_stage = baseline.replace(name="unicl-one-stage", sampling=sampling("concept", 0.4, 0.6))
    inside = one_stage.replace(name="unicl-inside", objectives=(Contrast(bags=True),))
    later = Optimiser(rate=7e-4, steps=max(2, steps // 2), warmup=20)
    stay = one_stage.replace(name="unicl-stay", start=Start(one_stage), optimiser=later)
    method = stay.replace(name="unicl", sampling=sampling("concept", 0.0, 1.0))
    return Recipe(
        card=101,
        kind="objective",
        paper="Yuan et al., Florence: A New Foundation Model for Computer Vision, 2021, arXiv 2111.11432",
        arms={"method": method, "baseline": baseline, "one stage": one_stage, "stay": stay, "inside": inside},
        claims=(
            Claim("a second stage on captions alone finds captions better", RECALL, than="one stage"),
            Claim("... and better than as many more steps on all texts", RECALL, than="stay"),
            Claim("... and costs labels no more than 2 points of accuracy", ACCURACY, than="one stage", margin=-0.02),
            Claim("more steps on all texts do not raise it", RECALL, "one stage", "stay", margin=-0.01),
            Claim("equal texts as positives: accuracy over 100 classes, equal steps", ACCURACY, "one stage"),
            Claim("equal texts as positives: all pictures of a label are found, equal steps", PRECISION, "one stage"),
            Claim("the mean outside the logarithm rather than inside", ACCURACY, "one stage", "inside"),
        ),
        notes="Where texts are equal to the letter the two losses are one (see the recipe), and templates drawn anew "
        "at each step differ little: the last three claims test what is left. They stood first until that "
        "had been proved. Labels name one of up to four objects; they are tested on scenes with one. Of Florence "
        "only its pre-training is shown: no heads for boxes, video or depth.",
    )
