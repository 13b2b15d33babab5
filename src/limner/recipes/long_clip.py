"""Long-CLIP: a trained text tower learns to read long texts and keeps what it could do with short ones.

The start is a model trained on captions of up to about twenty tokens. Its first twenty positions are kept as they
are, the others are stretched, and the model goes on with descriptions of eight sentences, about sixty words. Beside
them, a short caption of each picture is matched with what varies most among the pictures of the batch: a short
text cannot know the details, and so does not pull them away. What is measured: whether a fact is understood
wherever it stands in the text, and whether short captions find as much as before.
"""

from __future__ import annotations

from dataclasses import replace

from limner.data.samplers import Shuffled, TextChoice
from limner.nn.adapters.longer_texts import LongerTexts
from limner.objectives.component_matching import ComponentMatching
from limner.objectives.contrast import Contrast
from limner.objectives.targets import Groups
from limner.recipes.align import scenes
from limner.train.corpora.descriptions import Descriptions, TwinScenes
from limner.train.corpora.scenes import Scenes
from limner.train.evaluations.retrieval import Retrieval
from limner.train.evaluations.twins import TwinsByPosition
from limner.train.experiment import Scale, Start
from limner.train.optimiser import Optimiser
from limner.train.recipe import Claim, Recipe

CONTEXT = 32
LATE, SHORT = "twins, fact from word 40: recall@1", "short text-to-image recall@1"


def recipe(scale: Scale = "tiny") -> Recipe:
    few = scale == "debug"
    counts = {"scenes": 64, "tested": 32} if few else {"scenes": 4000, "tested": 500}
    texts = Descriptions(sentences=8, words=0, styles=("short", "partial", "relation"))
    short = Retrieval(roles=("short",), name="short")
    plain = scenes(scale)
    before = plain.replace(
        name="short captions",
        data=Scenes(texts, context=CONTEXT, **counts),
        sampling=replace(plain.sampling, texts=TextChoice(1, ("short", "sentence"))),
        evaluations=(short,),
    )
    smooth = Groups(smoothing=0.1)
    method = before.replace(
        name="long-clip",
        data=TwinScenes(replace(texts, words=1000), twins=16 if few else 800, **counts),
        objectives=(Contrast(smooth, role="long"), ComponentMatching("short")),
        optimiser=Optimiser(rate=5e-4, steps={"debug": 2, "tiny": 80, "full": 1500}[scale], warmup=20),
        sampling=replace(plain.sampling, sampler=Shuffled(16 if few else 64), texts=TextChoice(1, ("long", "short"))),
        evaluations=(short, Retrieval(roles=("long",), name="long"), TwinsByPosition(edges=(0, 20, 40))),
        start=Start(before),
        adapter=LongerTexts(factor=7),
    )
    everywhere = LongerTexts(keep=0, factor=4)
    long_only = replace(method.sampling, texts=TextChoice(1, ("long",)))
    both_whole = (Contrast(smooth, role="long"), Contrast(smooth, role="short", name="short"))
    return Recipe(
        card=69,
        kind="adaptation",
        paper="Long-CLIP: Unlocking the Long-Text Capability of CLIP, ECCV 2024, arXiv 2403.15378",
        arms={
            "method": method,
            "baseline": method.replace(
                name="long texts only, all positions stretched",
                objectives=(Contrast(smooth),),
                sampling=long_only,
                adapter=everywhere,
            ),
            "cut": method.replace(
                name="long texts cut", data=replace(method.data, texts=replace(texts, words=24)), adapter=None
            ),
            "before": before,
            "stretched": method.replace(name="all positions stretched", adapter=everywhere),
            "whole": method.replace(name="short texts match whole vectors", objectives=both_whole),
        },
        claims=(
            Claim("understands late facts that a cut text has lost", LATE, than="cut", margin=0.02),
            Claim("understands late facts better than long texts alone teach", LATE),
            Claim("short captions find as much as before, within a point", SHORT, than="before", margin=-0.01),
            Claim("long texts alone, all positions stretched, lose short captions", SHORT, arm="before"),
            Claim("short captions find more than with long texts alone", SHORT),
            Claim("the kept positions help short captions", SHORT, than="stretched"),
            Claim("matching components instead of whole vectors helps short captions", SHORT, than="whole"),
        ),
        notes="Scenes of 1-4 objects, maps of a frozen backbone; 32 positions become 104 (the paper: 77 become 248). "
        "Short texts are captions of their own: the first of sentences in random order is no summary, as it is in the "
        "paper's data. The facts of twins are patterns and sizes. 16 components of 64 pictures.",
    )
