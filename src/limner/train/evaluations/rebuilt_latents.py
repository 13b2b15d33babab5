"""Whether what is rebuilt from a picture's vector is its own text's latent (card 55)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from limner.core.errors import InputError
from limner.eval.metrics import Recall
from limner.objectives.latent_reconstruction import LatentDecoders
from limner.train.evaluations.retrieval import ranked
from limner.train.outcome import Measured, Outcome
from limner.train.trained import Trained


@dataclass(frozen=True, slots=True)
class RebuiltLatents:
    """From the vector of each picture of a split the latent of its first text is rebuilt, and looked for, by distance,
    among those of all pictures; beside it what chance would find."""

    head: str = "latent_reconstruction"
    split: str = "test"

    @torch.no_grad()
    def __call__(self, trained: Trained) -> Outcome:
        if self.head not in trained.heads:
            raise InputError(f"this needs a model that was trained with LatentReconstruction(name={self.head!r})")
        head = trained.heads[self.head]
        assert isinstance(head, LatentDecoders)
        corpus = trained.corpora.split(self.split)
        images, texts = trained.encode_images(corpus), trained.encode_texts([some[0].text for some in corpus.texts])
        distance = torch.cdist(head.image_to_text(images.vectors), head.text_scale(_float(texts.latent)))
        values = ranked(-distance.cpu().numpy(), np.eye(len(corpus), dtype=bool), (Recall(1), Recall(10)))
        found = {f"text latent rebuilt {name}": Measured.of(one) for name, one in values.items()}
        for cut in (1, 10):
            found[f"text latent by chance recall@{cut}"] = Measured.of(np.full(len(corpus), cut / len(corpus)))
        return found


def _float(latent: Tensor | None) -> Tensor:
    assert latent is not None
    return latent.float()
