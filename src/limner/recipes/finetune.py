"""finetune: the bundled model goes on learning from your own pairs, in whole or through a small adapter.

Every arm begins at the bundle `small`, keeps its tokenizer and ends as a bundle of the same kind:

    method       all weights, at a small rate, the first layers slowest
    projectors   frozen towers; what they say of each place is computed once: seconds
    lora         low-rank updates of all linear layers, added to the weights at the end
    layer_norm   norms and biases alone
    prompts      learned vectors before the places and words of each block
    baseline     the bundle as it is

`limner train finetune --data pairs.jsonl --bundle mine`; another arm with `--arm projectors`. What to take for how
many pairs: docs/fine-tuning.md.
"""

from __future__ import annotations

import dataclasses

from limner.data.samplers import Shuffled
from limner.encode.bundle import Bundle, find_bundle
from limner.nn.adapters.layer_norm import LayerNorms
from limner.nn.adapters.lora import Lora
from limner.nn.adapters.projectors import Projectors
from limner.nn.adapters.prompts import Prompts
from limner.train.architecture import Architecture
from limner.train.batches import Augment, Sampling
from limner.train.corpora.encoded import Encoded
from limner.train.corpora.pairs import Pairs
from limner.train.evaluations.retrieval import Retrieval
from limner.train.experiment import Experiment, Scale
from limner.train.optimiser import Optimiser
from limner.train.recipe import Claim, Recipe
from limner.train.starting import FromBundle

BEGIN = "small"
PAIRS = "fashion"


def tuned(scale: Scale) -> Experiment:
    """All weights."""
    start = FromBundle.at(BEGIN)
    architecture = Architecture.from_json(Bundle.load(find_bundle(BEGIN)).manifest.architecture or {})
    return Experiment(
        "finetune",
        {"debug": Pairs(PAIRS, pictures=24, tested=12), "tiny": Pairs(PAIRS, pictures=400), "full": Pairs(PAIRS)}[
            scale
        ],
        architecture.towers,
        optimiser=Optimiser(
            rate=5e-4,
            steps={"debug": 2, "tiny": 40, "full": 250}[scale],
            warmup=8,
            rates=((r"\.(stem|tokens|positions?)\b", 0.2),),
            layer_decay=0.8,
        ),
        sampling=Sampling(
            Shuffled(64 if scale != "debug" else 8),
            positives="text",
            augment=Augment(least=0.6, jitter=0.2),
            size=architecture.shape[-1],
        ),
        evaluations=(Retrieval(),),
        start=start,
    )


def stored(whole: Experiment) -> Experiment:
    """Frozen towers and projectors, over states that are computed once."""
    assert isinstance(whole.data, Pairs)
    assert isinstance(whole.start, FromBundle)
    return whole.replace(
        name="finetune-projectors",
        data=Encoded(whole.data, whole.start),
        adapter=Projectors(),
        optimiser=adapted(whole.optimiser),
        sampling=dataclasses.replace(whole.sampling, augment=Augment(noise=0.1), size=0),
    )


def adapted(plan: Optimiser) -> Optimiser:
    """Few new weights, which all move alike and faster."""
    return dataclasses.replace(plan, rate=1e-3, rates=(), layer_decay=1.0)


def recipe(scale: Scale = "tiny") -> Recipe:
    whole = tuned(scale)
    adapters = {"lora": Lora(), "layer_norm": LayerNorms(), "prompts": Prompts()}
    arms = {
        "method": whole,
        "projectors": stored(whole),
        **{
            name: whole.replace(name=f"finetune-{name}", adapter=adapter, optimiser=adapted(whole.optimiser))
            for name, adapter in adapters.items()
        },
        "baseline": whole.replace(name="small", optimiser=dataclasses.replace(whole.optimiser, steps=0)),
    }
    return Recipe(
        card=0,
        kind="adaptation",
        paper="LoRA: Low-Rank Adaptation of Large Language Models, ICLR 2022, arXiv 2106.09685; Freeze-Align (card 29)",
        arms=arms,
        claims=(
            Claim("fine-tuned on 400 pairs it finds more than the bundled model", "text-to-image recall@10"),
            Claim("so does it with frozen towers", "text-to-image recall@10", arm="projectors"),
        ),
        notes="Names of products (fashion) find their photographs; the bundled model has seen few such words.",
    )
