"""Wukong: Chinese text meets a locked image tower, through a few learnt tokens instead of a grid of places.

The image tower learnt with English texts and is locked; only the text tower learns, from Chinese captions, a token for
each character. Words and tokens are matched as in FILIP, but a picture keeps 8 tokens, each a mixture of the 36 places
that it learns to choose. Compared: towers trained from scratch, and from the English ones without a lock, at equal
steps; 4, 8 and 16 tokens, the mean of as many blocks of places, and the whole grid.
"""

from __future__ import annotations

from dataclasses import replace

from limner.data.samplers import Shuffled, TextChoice
from limner.nn.adapters.frozen import Frozen
from limner.nn.blocks.token_reducer import GridPool, ReducerPart, TokenReducer
from limner.nn.towers.map_transformer import MapTower
from limner.nn.towers.text_transformer import TextTower
from limner.nn.two_towers import Towers
from limner.objectives.token_contrast import TokenContrast
from limner.train.batches import Augment, Sampling
from limner.train.corpora.parallel import Parallel
from limner.train.corpora.scenes import Scenes
from limner.train.evaluations.token_attention import TokenAttention
from limner.train.evaluations.token_cost import TokenCost
from limner.train.evaluations.token_search import TokenSearch
from limner.train.evaluations.training_cost import TrainingCost
from limner.train.evaluations.typing_variants import TypingVariants
from limner.train.experiment import Experiment, Scale, Start
from limner.train.optimiser import Optimiser
from limner.train.recipe import Claim, Recipe

FOUND = "text-to-image recall@1 by tokens"
BYTES, BYTES_SAVED = "bytes a picture, tokens", 0.7 * 36 * 128
OVERLAP = "attention maps, mean pairwise IoU"
LEARNT = {4: "4 tokens", 8: "baseline", 16: "16 tokens"}
"""Arms by their number of tokens, all from scratch."""
BLOCKS = {4: GridPool(2, 2), 8: GridPool(2, 4), 16: GridPool(4, 4)}


def recipe(scale: Scale = "tiny") -> Recipe:
    few = scale == "debug"
    counts = {"scenes": 64, "tested": 32} if few else {"tested": 500}
    steps = {"debug": 4, "tiny": 150, "full": 3000}[scale]

    def towers(reducer: ReducerPart | None) -> Towers:
        return Towers(MapTower(96, dropout=0.1), TextTower(96), 64, tokens=True, reducer=reducer)

    def trained(name: str, reducer: ReducerPart | None) -> Experiment:
        return Experiment(
            name,
            Scenes(Parallel(("en", "zh"), (), 0.0), characters=True, **counts),
            towers(reducer),
            objectives=(TokenContrast(),),
            optimiser=Optimiser(3e-3, steps=steps, warmup=20, rates=(("log_scale", 10.0),)),
            sampling=Sampling(Shuffled(16 if few else 64), TextChoice(1, ("zh",)), augment=Augment(noise=0.1)),
            evaluations=(TokenSearch(language="zh"), TokenCost()),
        )

    scratch = trained("eight tokens, from scratch", TokenReducer(8))
    english = scratch.replace(
        name="eight tokens, English", sampling=replace(scratch.sampling, texts=TextChoice(1, ("en",)))
    )
    unlocked = scratch.replace(name="eight tokens, from English", start=Start(english, ("image",)))
    lock = Frozen(("image",))
    locked = unlocked.replace(name="eight tokens, locked", adapter=lock)
    return Recipe(
        card=25,
        kind="model",
        paper="Gu et al., Wukong: A 100 Million Large-scale Chinese Cross-modal Pre-training Benchmark, NeurIPS 2022 "
        "Datasets and Benchmarks, arXiv 2202.06767",
        arms={
            "method": locked.replace(
                evaluations=(*scratch.evaluations, TypingVariants(), TokenAttention(), TrainingCost(locked.model, lock))
            ),
            "baseline": scratch.replace(evaluations=(*scratch.evaluations, TrainingCost(scratch.model))),
            "unlocked": unlocked,
            "places": trained("all places", None),
            **{f"{count} tokens": trained(f"{count} tokens", TokenReducer(count)) for count in (4, 16)},
            **{f"{count} blocks": trained(f"{count} blocks", blocks) for count, blocks in BLOCKS.items()},
        },
        claims=_claims(),
        notes="The grid has 36 places, not 64; the reducer has 32 channels between two convolutions and no token of "
        "the whole picture. 6,000 drawn scenes with Chinese captions, English ones for the tower that is locked; the "
        "maps of a frozen backbone stand before all towers. The lock includes projection and reducer, which learnt "
        "with English. Rate, noise and size of the towers were chosen on validation. Time is the processor's, of one "
        "thread. Not covered: curation, prompts, public Chinese sets.",
    )


def _claims() -> tuple[Claim, ...]:
    return (
        Claim("locked finds more than all from scratch, at equal steps", FOUND, margin=0.02),
        Claim("... than from the same start without a lock", FOUND, than="unlocked"),
        Claim("... and trains fewer parameters", "trained parameters", lower=True),
        *(
            Claim(f"{count} learnt tokens find more than {count} blocks", FOUND, arm, f"{count} blocks")
            for count, arm in LEARNT.items()
        ),
        *(
            Claim(f"{count} learnt tokens lose at most 2 points on 36 places", FOUND, arm, "places", margin=-0.02)
            for count, arm in LEARNT.items()
        ),
        Claim("8 tokens take less than a third of the bytes", BYTES, than="places", margin=BYTES_SAVED, lower=True),
        Claim("... and less time a question", "ms a question, tokens", than="places", lower=True),
        Claim("maps look at different places: IoU 0.5 below that of equal ones", OVERLAP, than="method",
              than_metric=f"{OVERLAP} of equal ones", margin=0.5, lower=True),
        Claim("... and more at objects than their share of the places", "attention on objects", than="method",
              than_metric="objects, share of the places", margin=0.2),
        *(
            Claim(f"{typed} loses no more than {points} points", f"{typed}: {FOUND}", than="method",
                  than_metric=f"as written: {FOUND}", margin=-points / 100)
            for typed, points in (("typed with spaces", 1), ("typed without punctuation", 5),
                                  ("typed with a character left out", 5))
        ),
    )  # fmt: skip
