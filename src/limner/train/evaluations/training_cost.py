"""What one step of training costs: trained parameters, and the memory of what autograd keeps for the way back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from limner.nn.two_towers import Towers, TwoTowers
from limner.train.batches import pad
from limner.train.experiment import Adapter
from limner.train.outcome import Measured, Outcome
from limner.train.trained import Trained, see


@dataclass(frozen=True, slots=True)
class TrainingCost:
    """Of `towers` with `adapter` (None: all is trained), built anew: costs do not depend on weights.

    The memory is that of the tensors that the forward pass of `pairs` training pairs leaves for the backward pass, in
    float32, each counted once and parameters not at all: it grows with the batch, and a frozen part is free of it
    only where no gradient runs through.
    """

    towers: Towers
    adapter: Adapter | None = None
    pairs: int = 64

    def __call__(self, trained: Trained) -> Outcome:
        corpus, tokenizer = trained.corpora.train, trained.tokenizer
        rows = [row for row, texts in enumerate(corpus.texts) if texts][: self.pairs]
        images = see(torch.from_numpy(np.array(corpus.images[rows])), trained.size)
        ids = pad([tokenizer.encode(corpus.texts[row][0].text) for row in rows])
        model = self.towers.build(tuple(images.shape[1:]), tokenizer.vocabulary_size, tokenizer.context_length)
        if self.adapter:
            self.adapter.attach(model)
        learnt = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
        return {
            "trained parameters": Measured.of(learnt),
            "kept for the way back, MiB": Measured.of(saved_bytes(model.train(), images, ids) / 2**20),
        }


def saved_bytes(model: TwoTowers, images: Tensor, ids: Tensor) -> int:
    """What autograd keeps of one forward pass, without parameters and inputs."""
    own = {tensor.untyped_storage().data_ptr() for tensor in (*model.parameters(), *model.buffers(), images, ids)}
    kept: dict[int, Tensor] = {}

    def keep(tensor: Tensor) -> Tensor:
        kept.setdefault(tensor.untyped_storage().data_ptr(), tensor)  # held, so that no address is used again
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        rows = torch.arange(len(images))
        pictures, texts = model.encode_image(images, rows), model.encode_text(ids, rows)
        model.similarity(pictures, texts)
    return sum(tensor.untyped_storage().nbytes() for pointer, tensor in kept.items() if pointer not in own)
