"""Retrieval on the validation split while a model trains: the same measure as the final one, in torch."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from limner.data.content import read_bytes
from limner.data.datasets import Dataset
from limner.data.pictures import read_picture
from limner.encode.manifest import ImageInput
from limner.encode.preprocess import prepare_picture
from limner.encode.tokenizer import Tokenizer
from limner.eval.retrieval import evaluate_vectors
from limner.train.pairs import pad

SHOWN = {
    "t2i_R@1": "text-to-image recall@1",
    "t2i_R@10": "text-to-image recall@10",
    "i2t_R@10": "image-to-text success@10 (any of 5 captions)",
}
_BATCH = 100


class Validation:
    """`validation(image encoder, text encoder)` -> a few recalls in per cent."""

    def __init__(self, dataset: Dataset, tokenizer: Tokenizer, size: int) -> None:
        wanted = ImageInput("", size, "stretch", "bicubic")
        pictures = [read_picture(read_bytes(item.uri), item.uri)[0] for item in dataset.items]
        self.pictures = torch.from_numpy(np.stack([prepare_picture(picture, wanted) for picture in pictures]))
        self.ids = pad([tokenizer.encode(text) for item in dataset.items for text in item.texts])
        self.owner = np.repeat(np.arange(len(dataset.items)), [len(item.texts) for item in dataset.items])

    @torch.no_grad()
    def __call__(
        self, image: Callable[[Tensor], tuple[Tensor, Tensor]], text: Callable[[Tensor], Tensor]
    ) -> dict[str, float]:
        device = next(image.parameters()).device  # type: ignore[attr-defined]
        with torch.autocast(device.type, torch.bfloat16):
            images = [
                image(pictures.to(device).permute(0, 3, 1, 2).float() / 255)[0].float().cpu()
                for pictures in self.pictures.split(_BATCH)
            ]
            texts = [text(ids.to(device)).float().cpu() for ids in self.ids.split(5 * _BATCH)]
        report = evaluate_vectors(torch.cat(images).numpy(), torch.cat(texts).numpy(), self.owner, name="validation")
        values = {sample.name: sample.value for sample in report.samples}
        return {short: 100 * values[name] for short, name in SHOWN.items() if name in values}
