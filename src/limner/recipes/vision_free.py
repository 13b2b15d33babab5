"""Vision-free retrieval: pictures are found by what a describer wrote about them, with one text encoder for both sides.

Each picture is described twice, in sentences and as a list of its objects with their attributes and places. After
that nobody looks at it again. A generic text encoder, which has learnt from pairs of captions of the same picture, is
calibrated: captions and descriptions (sentences, list, or both by turns) are contrasted, both read by the one
encoder. The describer here knows the drawn scene and is as good as it is told to be: objects overlooked, attributes
mistaken, things invented. Photographs are described by the words that a simple predictor expects of their captions.
"""

from __future__ import annotations

from dataclasses import replace

from limner.data.samplers import Shuffled, TextChoice
from limner.nn.towers.map_transformer import MapTower
from limner.recipes.align import photographs, scenes
from limner.train.batches import Augment
from limner.train.corpora.described import DescribedScenes, WithoutPictures
from limner.train.corpora.predicted_words import PredictedWords
from limner.train.evaluations.by_description import ByDescription
from limner.train.evaluations.long_questions import LongQuestions
from limner.train.evaluations.modality_gap import ModalityGap
from limner.train.evaluations.retrieval import Retrieval
from limner.train.evaluations.two_way import TwoWay
from limner.train.evaluations.word_search import WordSearch
from limner.train.experiment import Evaluation, Experiment, Scale, Start
from limner.train.modifiers.documents import Documents
from limner.train.recipe import Claim, Recipe

RECALL, LONG = "text-to-image recall@1", "long and short: rank correlation"
PAIRS, ORDER = "pair over pair swapped", "order over order swapped"
FALSE = "text-to-image recall@10"
SPLITS = ("recall 0.5", "recall 0.6", "recall 0.7", "recall 0.8", "recall 0.9", "weak")
ASKED: tuple[Evaluation, ...] = (
    Retrieval(roles=("caption",)),
    Retrieval(roles=("attribute",), name="attribute"),
    Retrieval(roles=("scene",), name="scene"),
    Retrieval(roles=("long",), name="long"),
    TwoWay("pair", "pair swapped"),
    TwoWay("order", "order swapped"),
    ModalityGap(),
    LongQuestions(),
)
NOTES = (
    "4,000 drawn scenes of 1-4 objects, 1,000 others to tell on. The describer writes from the scene's truth: this "
    "shows what descriptions of known quality are worth, not what a describing model reaches. Training has the "
    "descriptions of one who sees all; others take their place afterwards, the encoder unchanged. The dual encoder "
    "reads maps of the world's frozen backbone and learns from the same captions. The generic encoder has learnt "
    "captions against other captions of all objects, no description. Vectors and BM25 read sentences and list "
    "together unless a claim says otherwise. Photographs: Flickr8k, 20 words each by ridge regression from the maps of "
    "a frozen ImageNet backbone, fitted on the captions of other pictures: there is no captioner here yet. None of "
    "the arms without pictures loads a pixel or a map: zeros stand in for them. No compositional hard negatives."
)


def recipe(scale: Scale = "tiny") -> Recipe:
    few = scale == "debug"
    plain, photos = scenes(scale), photographs(scale)
    steps = {"debug": 2, "tiny": 300, "full": 3000}[scale]
    dual = plain.replace(
        name="dual encoder",
        data=DescribedScenes(scenes=64, tested=32) if few else DescribedScenes(),
        optimiser=replace(plain.optimiser, steps=2 * steps),
        sampling=replace(plain.sampling, sampler=Shuffled(16 if few else 128), texts=TextChoice(1, ("caption",))),
        evaluations=ASKED,
    )
    half = replace(plain.optimiser, steps=steps)
    generic = read(dual, "again").replace(name="generic text encoder", optimiser=half, evaluations=by("both", *ASKED))
    method = read(dual, "document").replace(
        name="calibrated text encoder",
        optimiser=half,
        start=Start(generic),
        evaluations=measures(by("both", *ASKED)),
    )
    words = PredictedWords(photos.data)
    described = read(photos.replace(data=words), "document").replace(
        name="photographs, described", evaluations=by("both", Retrieval(roles=("caption",)))
    )
    return Recipe(
        card=120,
        kind="model",
        paper="Vision-Free Retrieval: Rethinking Multimodal Search with Textual Scene Descriptions, EMNLP 2025, "
        "arXiv 2509.19203",
        arms={
            "method": method,
            "baseline": dual,
            "generic": generic,
            "photographs": photos,
            "photographs, described": described,
        },
        claims=(*on_scenes(), *on_describers(), *on_texts()),
        notes=NOTES,
    )


def read(experiment: Experiment, role: str) -> Experiment:
    """The experiment without pictures: the text of this role stands for each."""
    return experiment.replace(
        data=WithoutPictures(experiment.data),
        model=replace(experiment.model, image=MapTower(width=8)),
        sampling=replace(experiment.sampling, texts=TextChoice(1, ("caption", role)), augment=Augment(), size=0),
        modifiers=(Documents(role),),
    )


def by(role: str, *evaluations: Evaluation) -> tuple[Evaluation, ...]:
    return tuple(ByDescription(evaluation, role) for evaluation in evaluations)


def measures(asked: tuple[Evaluation, ...]) -> tuple[Evaluation, ...]:
    """All that is measured of the method."""
    parts = [
        ByDescription(Retrieval(roles=(kind,), name=f"{kind}, {role}"), role)
        for role in ("prose", "listing")
        for kind in ("attribute", "scene")
    ]
    swapped = [ByDescription(Retrieval(split, roles=("caption",), name=split)) for split in SPLITS]
    false = [
        ByDescription(Retrieval("inventing", roles=("invented",), name=name), role)
        for name, role in (("invented", "both"), ("invented, honest", "honest"))
    ]
    return (*asked, *parts, *swapped, *false, WordSearch())


def on_scenes() -> list[Claim]:
    return [
        Claim("tells whose colour is whose, far better than a dual encoder", f"{PAIRS} accuracy", margin=0.05),
        Claim("tells which stands where, far better than a dual encoder", f"{ORDER} accuracy", margin=0.05),
        *(
            Claim(
                f"right nine times in ten, {what}",
                f"{metric} accuracy",
                than="method",
                than_metric=f"{metric} by chance",
                margin=0.4,
            )
            for what, metric in (("colours", PAIRS), ("places", ORDER))
        ),
        Claim("a perfect description finds more than a dual encoder", RECALL),
        Claim("calibration raises recall", RECALL, than="generic", margin=0.05),
        Claim(
            "the modality gap is less than half that of a dual encoder",
            "modality gap",
            than_metric="half the modality gap",
            lower=True,
        ),
    ]


def on_describers() -> list[Claim]:
    return [
        Claim("still more with one object in ten overlooked", f"recall 0.9 {RECALL}", than_metric=RECALL),
        Claim("still more with three in ten overlooked", f"recall 0.7 {RECALL}", than_metric=RECALL),
        Claim("less with half of them overlooked", f"recall 0.5 {RECALL}", than_metric=RECALL, lower=True),
        Claim(
            "a describer who errs, too, finds less than one who only overlooks as many",
            f"weak {RECALL}",
            than="method",
            than_metric=f"recall 0.8 {RECALL}",
            lower=True,
        ),
        Claim(
            "what a describer invents is found though it is not there",
            f"invented {FALSE}",
            than="method",
            than_metric=f"invented, honest {FALSE}",
            margin=0.2,
        ),
        Claim(
            "photographs described by predicted words are found less than by a dual encoder",
            RECALL,
            "photographs",
            "photographs, described",
        ),
    ]


def on_texts() -> list[Claim]:
    def within(says: str, metric: str, other: str, margin: float = 0.0) -> Claim:
        return Claim(says, metric, than="method", than_metric=other, margin=margin)

    return [
        within("attributes are found better by the list than by prose", f"attribute, listing {RECALL}",
               f"attribute, prose {RECALL}"),
        within("scenes are found better by prose than by the list", f"scene, prose {RECALL}",
               f"scene, listing {RECALL}"),
        within("both together lose at most a point of the list's", f"attribute {RECALL}",
               f"attribute, listing {RECALL}", -0.01),
        within("... and of the prose's", f"scene {RECALL}", f"scene, prose {RECALL}", -0.01),
        Claim("long questions agree with short ones, more than a dual encoder's", LONG),
        within("word search beside the encoder adds to it", "hybrid: recall@1", RECALL),
        within("... and the encoder to word search", "hybrid: recall@1", "words: recall@1"),
    ]  # fmt: skip
