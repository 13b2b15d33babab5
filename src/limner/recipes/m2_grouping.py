"""M2-Encoder's grouping: contrast inside groups of the batch, over accumulated micro-batches, in two languages.

Of an update's 256 pairs the plain loss compares all with all. With four groups of workers that do not exchange,
negatives come from the own quarter; when four micro-batches are accumulated and their features contrasted at once,
a row meets 64 (`groups=4`), when each micro-batch is contrasted by itself, 16 (`groups=16`). The pairs, the updates
and the model are the same. English and Chinese captions mix in each batch; half of the pictures are described in
one language only, and no text is the translation of another.
"""

from __future__ import annotations

from dataclasses import replace

from limner.data.samplers import TextChoice
from limner.objectives.blockwise import BlockwiseContrast
from limner.recipes.align import scenes
from limner.train.corpora.bilingual import Bilingual
from limner.train.evaluations.retrieval import Retrieval
from limner.train.evaluations.translations import Translations
from limner.train.experiment import Scale
from limner.train.recipe import Claim, Recipe

ENGLISH, CHINESE, ACROSS = "en text-to-image recall@1", "zh text-to-image recall@1", "en to zh success@1"
CHANCE = "translation success@1 by chance"


def recipe(scale: Scale = "tiny") -> Recipe:
    plain = scenes(scale)
    measures = tuple(
        Retrieval(split, roles=(language,), name=name)
        for language in ("en", "zh")
        for split, name in (("test", language), (f"without {language}", f"{language} unheard"))
    )
    baseline = plain.replace(
        name="bilingual",
        data=Bilingual() if scale != "debug" else Bilingual(scenes=64, tested=32),
        evaluations=(*measures, Translations()),
    )

    def alone(language: str) -> TextChoice:
        """Pictures without a text in the language stay in the batch, as negatives."""
        return TextChoice(1, (language,))

    return Recipe(
        card=89,
        kind="efficiency",
        paper="M2-Encoder: Advancing Bilingual Image-Text Understanding by Large-scale Efficient Pretraining, 2024, "
        "arXiv 2401.15896",
        arms={
            "method": baseline.replace(name="grouped, accumulated", objectives=(BlockwiseContrast(groups=4),)),
            "baseline": baseline,
            "not accumulated": baseline.replace(name="grouped", objectives=(BlockwiseContrast(groups=16),)),
            **{
                language: baseline.replace(
                    name=f"only {language}",
                    sampling=replace(baseline.sampling, texts=alone(language)),
                    evaluations=tuple(one for one in measures if one.roles == (language,)),
                )
                for language in ("en", "zh")
            },
        },
        claims=(
            Claim("negatives over accumulated micro-batches beat those of one", ENGLISH, than="not accumulated"),
            Claim("... in Chinese", CHINESE, than="not accumulated"),
            Claim("a quarter of the negatives costs no more than two points", ENGLISH, margin=-0.02),
            Claim("... in Chinese", CHINESE, margin=-0.02),
            Claim("both languages cost English no more than two points", ENGLISH, than="en", margin=-0.02),
            Claim("... and Chinese", CHINESE, than="zh", margin=-0.02),
            Claim("pictures described only in Chinese are found in English", f"en unheard {ENGLISH[3:]}", than="en"),
            Claim("... and the reverse", f"zh unheard {CHINESE[3:]}", than="zh"),
            Claim("texts find their translations", ACROSS, "method", "method", than_metric=CHANCE, margin=0.1),
        ),
        notes="The paper's loss is not released: groups and accumulation are the reading of the card. That blocks and "
        "groups give the value and gradient of the plain loss, alone and over several processes, and how memory and "
        "traffic grow, are tests and a bench of objectives/blockwise.py; that micro-batches give the gradient of the "
        "whole is a test of train/gradcache.py. Here all pairs of an update are encoded at once. Not covered: shared "
        "upper layers, two heads, masked tasks.",
    )
