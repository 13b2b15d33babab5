"""small-lexical: the bundled model with weighted words beside its vectors, for an inverted index.

It begins at the bundle `small`, with its tokenizer and on its data, gets lexicon heads and goes on in the two stages
of LexLIP (see `lexlip`). `limner train small-lexical --scale full --data DATA`, then `limner model export`: a bundle
with the spaces `dense` and `lexical`, which hybrid search adds up, and of which `lexical` answers bare words without
any model.
"""

from __future__ import annotations

import dataclasses

from limner.data.samplers import Shares
from limner.encode.bundle import Bundle, find_bundle
from limner.recipes.lexlip import lexical
from limner.recipes.small import ABOUT as SMALL
from limner.recipes.small import SIZE, data
from limner.train.architecture import Architecture
from limner.train.batches import Augment, Sampling
from limner.train.bundling import About
from limner.train.evaluations.lexical_retrieval import LexicalRetrieval
from limner.train.evaluations.lexicon_size import LexiconSize
from limner.train.evaluations.retrieval import Retrieval
from limner.train.experiment import Experiment, Scale
from limner.train.optimiser import Optimiser
from limner.train.recipe import Claim, Recipe
from limner.train.starting import FromBundle

NAME, BEGIN = "small_lexical", "small"
ABOUT = About(
    card=f"{SMALL.card.rstrip()} Each picture and text is also 32 weighted words at most, of the tokenizer's.\n",
    training_data=SMALL.training_data,
    licence=SMALL.licence,
)


def plain(scale: Scale) -> Experiment:
    """The bundled model, to go on with."""
    towers = Architecture.from_json(Bundle.load(find_bundle(BEGIN)).manifest.architecture or {}).towers
    read = data(scale, "pixels")
    return Experiment(
        NAME,
        read,
        towers,
        optimiser=Optimiser(5e-4, warmup=20, rates=(("^lexicon", 3.0),)),
        sampling=Sampling(
            Shares({"debug": 12, "tiny": 64, "full": 192}[scale], read.lengths, (0.6, 0.3, 0.1)),
            positives="text",
            augment=Augment(least=0.4, jitter=0.3),
            size=SIZE,
        ),
        start=FromBundle.at(BEGIN),
    )


def recipe(scale: Scale = "tiny") -> Recipe:
    begun = plain(scale)
    before = begun.replace(optimiser=dataclasses.replace(begun.optimiser, steps=0), evaluations=(Retrieval(),))
    measured = (Retrieval(), LexicalRetrieval(), LexiconSize())
    method = lexical(begun, scale).replace(name=NAME, evaluations=measured)
    return Recipe(
        card=1,
        kind="model",
        paper="LexLIP (card 1, arXiv 2302.02908) on the bundled model",
        arms={"method": method, "baseline": before.replace(name="small, as it is")},
        claims=(
            Claim(
                "weighted words find as much as the vectors that they began beside, but for two points",
                "indexed text-to-image recall@10",
                than_metric="text-to-image recall@10",
                margin=-0.02,
            ),
            Claim("the vectors lose no more than two points", "text-to-image recall@10", margin=-0.02),
        ),
    )
