"""LexLIP: pictures and texts as weighted words of a vocabulary, to be searched with an inverted index.

Beside its vector, each side gets a lexicon: what it says of each place or word, as logits of the words of the text
tower's vocabulary, the greatest of each word over all positions, saturated by a logarithm. Two stages. The first
learns to name words: the text's head as a masked language model; a weak decoder that must fill a caption's gaps from
nothing but the words of the text, then of the picture; contrast of the lexicons and of the vectors; and a growing cost
of words that weigh something everywhere, which leaves few. The second contrasts with what a slowly moving teacher makes
of the batch and made of earlier ones. Measured against the same towers with vectors alone.

`limner train small-lexical` makes a bundle with both spaces in this way.
"""

from __future__ import annotations

from dataclasses import replace

from limner.data.samplers import Shuffled
from limner.nn.heads.lexicon import Lexicon
from limner.objectives.contrast import Contrast
from limner.objectives.lexicon_bottleneck import LexiconBottleneck, LexiconWords
from limner.objectives.lexicon_contrast import LexiconContrast
from limner.objectives.lexicon_sparsity import LexiconSparsity
from limner.recipes.align import photographs, scenes
from limner.train.evaluations.grounded_words import GroundedWords
from limner.train.evaluations.lexical_retrieval import LexicalRetrieval
from limner.train.evaluations.lexicon_size import LexiconSize
from limner.train.evaluations.said_words import SaidWords
from limner.train.experiment import Experiment, Scale, Start
from limner.train.modifiers.queue import FeatureQueue
from limner.train.modifiers.teacher import EmaTeacher
from limner.train.optimiser import Optimiser
from limner.train.recipe import Claim, Recipe

STEPS = {"debug": (3, 2), "tiny": (240, 12), "full": (2500, 500)}
"""Of the two stages."""
FILLING, TEXTS = 0.02, 0.1
"""Weight of the words that are to be guessed, and in which share of the texts."""
SPARSITY = 0.03
PARTS = ("image", "text", "similarity", "lexicon")
FOUND, WORDS = "text-to-image recall@10", "words a picture"


CLAIMS = (
    Claim(
        "weighted words find as much as vectors do, but for two points",
        f"lexical {FOUND}",
        than_metric=FOUND,
        margin=-0.02,
    ),
    Claim("... the heaviest ones in 8 bits, too", f"indexed {FOUND}", than_metric=FOUND, margin=-0.02),
    Claim(
        "a picture has fewer words than 5 % of the vocabulary",
        WORDS,
        than="method",
        than_metric="5% of the vocabulary",
        lower=True,
    ),
    Claim(
        "without the cost of words it has three times as many",
        WORDS,
        "no sparsity",
        "method",
        than_metric=f"{WORDS}, times 3",
    ),
    Claim("with the bottleneck more of its heaviest words are said of it", "top 10 words said", than="no bottleneck"),
    Claim("... and bare words find more", f"bare words {FOUND}", than="no bottleneck"),
    Claim(
        "colour and shape of four in five objects are among ten words",
        "colour and shape in the top 10 words",
        "scenes",
        "scenes",
        than_metric="80% of the objects",
    ),
    Claim(
        "... and so are four in five synonyms that no caption of the picture has",
        "unsaid synonym in the top 10 words",
        "scenes",
        "scenes",
        than_metric="80% of the synonyms",
    ),
)
NOTES = (
    "Maps of a frozen backbone, 6,000 photographs, 128 a step, a vocabulary of 2,000. The paper begins at BERT and "
    "BEiT; here weights are new, and a text begins as its own words. Single tokens are hidden, not whole words (most "
    "words are one token), in a tenth of the texts, and weigh a fiftieth: with a quarter of both, words found a point "
    "less and no more of them were said. The cost of words weighs more than the "
    "paper's 0.002, for so small a vocabulary and so short a training; the momentum stage is short, with a fast "
    "teacher (0.9): longer, it found less. Not in the paper: the vectors learn beside the words, and a place is read "
    "together with the whole picture, as the towers are shallow; without either, words found three points less. All "
    "this was chosen on validation. Both arms see the same number of pairs. Indexed are the 32 heaviest words of a "
    "picture. Scenes of at most two objects are asked about. What a search costs is measured by `limner bench search`."
)


def lexical(plain: Experiment, scale: Scale, *, bottleneck: bool = True, sparsity: float = SPARSITY) -> Experiment:
    """`plain` with weighted words beside its vectors: the second stage, which begins at the first."""
    first, second = STEPS[scale]
    before = plain.replace(
        name=f"{plain.name}, words",
        model=replace(plain.model, lexicon=Lexicon()),
        objectives=(
            Contrast(),
            LexiconContrast(),
            *((LexiconSparsity(weight=sparsity),) if sparsity else ()),
            LexiconWords(texts=TEXTS, weight=FILLING),
            *((LexiconBottleneck(texts=TEXTS, weight=FILLING),) if bottleneck else ()),
        ),
        optimiser=replace(plain.optimiser, steps=first),
        evaluations=(),
    )
    return before.replace(
        name=plain.name,
        objectives=(
            Contrast(keys="teacher"),
            LexiconContrast(keys="teacher"),
            # The teacher's keys pass no gradient on, so each side learns half as much from the contrast.
            *((LexiconSparsity(ramp=0.0, weight=sparsity / 2),) if sparsity else ()),
        ),
        optimiser=Optimiser(rate=2e-4, steps=second, warmup=5),
        start=Start(before, PARTS),
        modifiers=(EmaTeacher(0.9), FeatureQueue(32 if scale == "debug" else 512)),
        evaluations=(LexicalRetrieval(), LexiconSize(), SaidWords()),
    )


def smaller(plain: Experiment, scale: Scale, vocabulary: int) -> Experiment:
    """The shared settings with fewer pictures a step and fewer words, for lexicons cost more than vectors."""
    steps = sum(STEPS[scale])
    return plain.replace(
        data=replace(plain.data, vocabulary=vocabulary),
        sampling=replace(plain.sampling, sampler=Shuffled(16 if scale == "debug" else 128)),
        optimiser=replace(plain.optimiser, steps=steps),
    )


def recipe(scale: Scale = "tiny") -> Recipe:
    plain = smaller(photographs(scale), scale, 2000).replace(name="vectors alone")
    words = plain.replace(name="lexlip")
    drawn = smaller(scenes(scale), scale, 1000).replace(name="lexlip, scenes")
    return Recipe(
        card=1,
        kind="head",
        paper="LexLIP: Lexicon-Bottlenecked Language-Image Pre-Training for Large-Scale Image-Text Sparse Retrieval, "
        "ICCV 2023, arXiv 2302.02908",
        arms={
            "method": lexical(words, scale),
            "baseline": plain,
            "no bottleneck": lexical(words.replace(name="lexlip, no bottleneck"), scale, bottleneck=False),
            "no sparsity": lexical(words.replace(name="lexlip, no sparsity"), scale, sparsity=0.0),
            "scenes": lexical(drawn, scale).replace(evaluations=(GroundedWords(), LexiconSize())),
        },
        claims=CLAIMS,
        notes=NOTES,
    )
