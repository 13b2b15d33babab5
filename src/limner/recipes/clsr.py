"""CLSR: near negatives are pushed apart less, each modality is kept tidy, and latents are rebuilt across modalities.

Three parts beside the contrastive loss, each also alone: a temperature for each pair, higher the more alike the two
things already are; contrast of a picture with its other view and of a text with itself under other dropout; and
small decoders that rebuild from each vector what the towers knew before the projection. On drawn scenes whose
captions often nearly repeat one another. The control guides the temperature by a likeness of the wrong pairs.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from limner.core.features import Features
from limner.data.samplers import Shuffled
from limner.objectives.contrast import Contrast, PairTemperature
from limner.objectives.intra_modal import IntraModal
from limner.objectives.latent_reconstruction import LatentReconstruction
from limner.objectives.semantic_temperature import SemanticTemperature
from limner.objectives.targets import positives
from limner.recipes.align import scenes
from limner.train.evaluations.paraphrases import Paraphrases
from limner.train.evaluations.rebuilt_latents import RebuiltLatents
from limner.train.evaluations.retrieval import Retrieval
from limner.train.evaluations.seen_again import SeenAgain
from limner.train.experiment import Scale
from limner.train.recipe import Claim, Recipe

RECALL, AP = "text-to-image recall@1", "image-to-text mAP"
REBUILT, CHANCE = "text latent rebuilt recall@10", "text latent by chance recall@10"


@dataclass(frozen=True, slots=True)
class Permuted:
    """The control: the factors of another pair temperature, dealt out anew among the negatives."""

    of: PairTemperature

    def __call__(self, features: Features) -> Tensor:
        factors, negative = self.of(features), ~positives(features)
        dealt = factors[negative]
        return factors.masked_scatter(negative, dealt[torch.randperm(len(dealt), device=dealt.device)])


def recipe(scale: Scale = "tiny") -> Recipe:
    plain = scenes(scale)
    baseline = plain.replace(
        name="infonce-scenes-128",
        sampling=replace(plain.sampling, sampler=Shuffled(128 if scale != "debug" else 16)),
        evaluations=(Retrieval(), Paraphrases("short"), SeenAgain(3.0)),
    )
    tempered, rebuilding = Contrast(temperature=SemanticTemperature()), LatentReconstruction()
    tidy = IntraModal(keys="view", weight=0.5)
    twice = replace(baseline.sampling, views=2)
    rebuilt = (*baseline.evaluations, RebuiltLatents())
    return Recipe(
        card=55,
        kind="objective",
        paper="Contrastive Latent Space Reconstruction Learning for Audio-Text Retrieval, IEEE ICTAI 2023, "
        "doi 10.1109/ICTAI59109.2023.00137",
        arms={
            "method": baseline.replace(
                name="clsr", objectives=(tempered, tidy, rebuilding), sampling=twice, evaluations=rebuilt
            ),
            "baseline": baseline,
            "temperature": baseline.replace(name="clsr-temperature", objectives=(tempered,)),
            "intra-modal": baseline.replace(name="clsr-intra-modal", objectives=(Contrast(), tidy), sampling=twice),
            "reconstruction": baseline.replace(
                name="clsr-reconstruction", objectives=(Contrast(), rebuilding), evaluations=rebuilt
            ),
            "permuted": baseline.replace(
                name="clsr-permuted", objectives=(Contrast(temperature=Permuted(SemanticTemperature())),)
            ),
        },
        claims=(
            Claim("all parts together: search by text", RECALL),
            Claim("all parts together: search by picture", AP),
            Claim("a picture is found again under other noise", "image seen again recall@1", "intra-modal"),
            Claim("paraphrases are nearer by the temperature", "paraphrases: cosine", "temperature"),
            Claim("likeness of the wrong pairs does not help", RECALL, "baseline", "permuted", margin=-0.01),
            Claim(
                "a text's latent is rebuilt from its picture", REBUILT, than="method", than_metric=CHANCE, margin=0.1
            ),
        ),
        notes="On pictures instead of sounds. All formulas are reconstructed from the abstract: kappa 0.5, intra-modal "
        "weight 0.5, reconstruction 0.1 on latents of unit variance. A picture's other view is its map in other noise. "
        "The temperature follows how far a likeness is above the mean of the negatives: with the likeness itself, "
        "training from scratch ends where all is alike (recall@1 on validation 0.005). A smaller kappa costs less.",
    )
