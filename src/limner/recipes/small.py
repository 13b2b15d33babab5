"""`small`, the model in the package: trained from scratch on Flickr8k, taught by a frozen ImageNet backbone.

Two stages over the one loop. First words: a text transformer learns to meet the frozen teacher's
features of the training photographs (InfoNCE; the towers of card 017, the frozen side of card 029).
Then sight: an image tower learns to see what the teacher sees, place by place, to land where the
teacher's picture landed, and to meet the words itself. Photographs without captions teach through
the teacher alone; labelled ones say "a photo of a LABEL"; drawn scenes bring shapes and colours.

    python -m limner.recipes.small --data DATA --out runs/small

DATA holds flickr8k/, photo-pool/ (images.tar + captions.jsonl each) and teachers/imagenet-backbone.onnx.
About an hour on two idle cores; a run that was stopped goes on. Uses a GPU where there is one.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from limner.data.datasets import open_dataset
from limner.data.sources import CaptionsSource
from limner.data.world import render_batch
from limner.encode.tokenizer import Tokenizer, train_tokenizer
from limner.nn.encoders import ImageEncoder, MapReader, TextEncoder
from limner.nn.towers.convolutional_transformer import ConvolutionalTransformer
from limner.nn.towers.text_transformer import TextTransformer
from limner.train.bundling import Trained, bundle_trained
from limner.train.cache import cached_array, cached_pictures
from limner.train.loop import fit
from limner.train.pairs import Batches, PairSet
from limner.train.task import Optimiser, Task
from limner.train.taught import Sight, Words, sight_losses, word_losses
from limner.train.teacher import cached_maps
from limner.train.validate import Validation

CARD = """
A small two-tower model: pictures and English words as 256 numbers each, compared by cosine. It finds
everyday photographs (people, dogs, sports, streets, beaches, snow) and simple drawn shapes by short
descriptions. It is a start: it was trained from scratch on six thousand captioned photographs, knows few
words beyond theirs, reads no writing, recognises nobody, and cannot count or tell left from right reliably.
"""
LICENCE = (
    "The weights were trained by this project and are under Apache-2.0. Some of the photographs they were "
    "trained on are offered for research and education only; whether that binds a use of the weights is for "
    "the user to judge. For a commercial product, train on your own pairs with the same recipe."
)
TRAINING_DATA = (
    "Flickr8k, training split: 6,000 photographs with 5 captions each (Hodosh, Young, Hockenmaier 2013; "
    "non-commercial research and education). A pool of 7,893 photographs from 13 small public research sets, "
    "6,002 of them with labels, the others without any text. 4,000 scenes drawn by limner.data.world. Teacher, "
    "for its features only: MobileNetV2 trained on ImageNet-1k (ONNX model zoo, Apache-2.0)."
)
WIDE = 160  # side of the cached pictures: what the training photographs have


@dataclass(frozen=True, slots=True)
class Small:
    """Everything that decides what comes out, but for the data."""

    seed: int = 0
    size: int = 112
    dimension: int = 256
    vocabulary: int = 5000
    context: int = 64
    channels: int = 512  # principal components of the teacher's maps
    scenes: int = 4000
    words: Optimiser = Optimiser(rate=1e-3, steps=1500, warmup=100)
    words_batch: int = 384
    words_shares: tuple[float, ...] = (0.7, 0.15, 0.15)  # Flickr8k, photo pool, scenes
    sight: Optimiser = Optimiser(rate=1.5e-3, steps=1300, warmup=150)
    sight_batch: int = 192
    sight_shares: tuple[float, ...] = (0.6, 0.3, 0.1)

    def text_encoder(self) -> TextEncoder:
        tower = TextTransformer(self.vocabulary, self.context, 192, 3, 6, dropout=0.1)
        return TextEncoder(tower, 192, self.dimension)

    def image_encoder(self) -> ImageEncoder:
        tower = ConvolutionalTransformer(self.size, (48, 96), 256, 4, 4)
        return ImageEncoder(tower, 256, self.dimension)


def make(recipe: Small, data: Path, out: Path, *, most: int | None = None) -> Path:
    """Train, export, calibrate and measure; returns the bundle's folder. `most`: pictures of each set (for trials)."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    tokenizer, sets = training_data(recipe, data, out / "data", most)
    validation = Validation(open_dataset(data / "flickr8k", "val").first_images(most or 10**9), tokenizer, recipe.size)

    torch.manual_seed(recipe.seed)
    words = Words(recipe.text_encoder(), MapReader(recipe.channels, 1024, recipe.dimension, dropout=0.3)).to(device)
    task = Task(words, word_losses, recipe.words, half=True)
    shared = [dataclasses.replace(pairs, share=share) for pairs, share in zip(sets, recipe.words_shares, strict=True)]
    batches = Batches(shared, tokenizer, batch=recipe.words_batch, seed=recipe.seed, device=device)
    fit(task, batches, out / "words", seed=recipe.seed, log_every=20)

    sight = Sight(recipe.image_encoder().to(device), nn.Linear(256, recipe.channels, device=device), task.averaged)
    sight.image.to(memory_format=torch.channels_last)
    task = Task(sight, sight_losses, recipe.sight, half=True)
    shared = [dataclasses.replace(pairs, share=share) for pairs, share in zip(sets, recipe.sight_shares, strict=True)]
    batches = Batches(
        shared,
        tokenizer,
        batch=recipe.sight_batch,
        seed=recipe.seed + 1,
        device=device,
        size=recipe.size,
        least_crop=0.4,
    )
    fit(
        task,
        batches,
        out / "sight",
        seed=recipe.seed + 1,
        evaluate=lambda task: validation(task.averaged.image, task.averaged.words.text),
        evaluate_every=400,
    )
    model = task.averaged.cpu().eval()
    trained = Trained(
        name="small",
        image=model.image,
        text=model.words.text,
        tokenizer=tokenizer,
        size=recipe.size,
        dimension=recipe.dimension,
        logit_scale=model.scale().item(),
        recipe=recipe,
        licence=LICENCE,
        training_data=TRAINING_DATA,
        card=CARD,
    )
    splits = [open_dataset(data / "flickr8k", split).first_images(most or 10**9) for split in ("val", "test")]
    return bundle_trained(trained, *splits, out / "small").path


def training_data(recipe: Small, data: Path, cache: Path, most: int | None) -> tuple[Tokenizer, list[PairSet]]:
    """Flickr8k's training split, the photo pool and drawn scenes, with what the teacher sees in them."""
    train = open_dataset(data / "flickr8k", "train").items[:most]
    pool = list(CaptionsSource(data / "photo-pool"))[:most]
    scenes = min(recipe.scenes, most or recipe.scenes)
    captions = [
        [item.texts for item in train],
        [tuple(f"a photo of a {label}" for label in labels) for labels in pool_labels(data)[: len(pool)]],
        render_batch(1, 0, scenes, 16)[1],
    ]
    pictures = [
        cached_pictures(train, cache / "flickr8k.npy", WIDE),
        cached_pictures(pool, cache / "photo-pool.npy", WIDE),
        cached_array(lambda: render_batch(1, 0, scenes, WIDE)[0], cache / "world.npy"),
    ]
    maps = cached_maps(pictures, data / "teachers" / "imagenet-backbone.onnx", cache / "teacher", recipe.channels)
    every = [text for texts in captions for some in texts for text in some]
    tokenizer = train_tokenizer(every, recipe.vocabulary, recipe.context)
    return tokenizer, [PairSet(*row, share=1.0) for row in zip(pictures, maps, captions, strict=True)]


def pool_labels(data: Path) -> list[list[str]]:
    with (data / "photo-pool" / "captions.jsonl").open(encoding="utf-8") as lines:
        return [json.loads(line)["labels"] for line in lines]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    print(make(Small(seed=options.seed), options.data, options.out))
