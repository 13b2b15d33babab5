"""ALIGN: a plain two-tower model with the contrastive loss; the baseline that most recipes vary.

Two towers, unit vectors, symmetric InfoNCE over the batch with a learned temperature. `photographs` and
`scenes` are the two settings in which other recipes compare: Flickr8k through a frozen ImageNet backbone,
drawn scenes through the world's own backbone. Here: noisy pairs in growing numbers, and whether the rules
by which ALIGN filters its alt-texts keep as much with fewer pairs.
"""

from __future__ import annotations

from limner.data.samplers import Shuffled
from limner.nn.two_towers import Towers
from limner.train.batches import Augment, Sampling
from limner.train.corpora.flickr8k import Flickr8k
from limner.train.corpora.scenes import Scenes
from limner.train.evaluations.retrieval import Retrieval
from limner.train.experiment import Experiment, Scale
from limner.train.optimiser import Optimiser


def photographs(scale: Scale = "tiny") -> Experiment:
    """InfoNCE on Flickr8k: a text tower and a reader of what a frozen ImageNet backbone sees."""
    return Experiment(
        "infonce",
        Flickr8k() if scale != "debug" else Flickr8k(pictures=64, tested=32),
        Towers(),
        optimiser=Optimiser(rate=1.5e-3, steps={"debug": 4, "tiny": 200, "full": 3000}[scale], warmup=40),
        sampling=Sampling(Shuffled(256 if scale != "debug" else 16), augment=Augment(least=0.5), size=5),
        evaluations=(Retrieval(),),
    )


def scenes(scale: Scale = "tiny") -> Experiment:
    """InfoNCE on drawn scenes: a text tower and a reader of what the world's frozen backbone sees."""
    return Experiment(
        "infonce-scenes",
        Scenes() if scale != "debug" else Scenes(scenes=64, tested=32),
        Towers(),
        optimiser=Optimiser(rate=1.5e-3, steps={"debug": 4, "tiny": 200, "full": 3000}[scale], warmup=40),
        sampling=Sampling(Shuffled(256 if scale != "debug" else 16), augment=Augment(noise=0.3)),
        evaluations=(Retrieval(),),
    )
