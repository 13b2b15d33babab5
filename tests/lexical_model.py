"""A bundle with dense vectors and weighted words: small towers with new weights, exported as trained ones are."""

from __future__ import annotations

from pathlib import Path

import torch

from limner.core.types import Space
from limner.encode.bundle import write_bundle
from limner.encode.manifest import Calibration, ImageInput, Manifest, TextInput
from limner.encode.tokenizer import train_tokenizer
from limner.nn.heads.lexicon import Lexicon
from limner.nn.towers.convolutional_transformer import PictureTower
from limner.nn.towers.text_transformer import TextTower
from limner.nn.two_towers import Towers
from limner.train.export import image_graph, text_graph

SIZE, CONTEXT = 32, 64
TOWERS = Towers(PictureTower((8, 8), 16, 1, heads=2), TextTower(16, 1, heads=2), 16, lexicon=Lexicon(6, 8))


def write_lexical_bundle(folder: Path) -> Path:
    tokenizer = train_tokenizer(["red green blue yellow grey thing"] * 50, 300, CONTEXT)
    torch.manual_seed(0)
    model = TOWERS.build((3, SIZE, SIZE), tokenizer.vocabulary_size, CONTEXT).eval()
    calibration = {"image": Calibration(10.0, -5.0), "text": Calibration(10.0, -5.0)}
    manifest = Manifest(
        name="lexical",
        spaces=(
            Space("dense", "dense", 16, "cosine"),
            Space("lexical", "sparse", tokenizer.vocabulary_size, "dot"),
        ),
        logit_scale=10.0,
        calibration={"dense": calibration, "lexical": calibration},
        licence="Apache-2.0",
        training_data="none: the weights are new",
        image=ImageInput("image.onnx", SIZE, "stretch", "bicubic"),
        text=TextInput("text.onnx", "tokenizer.json", CONTEXT),
    )
    files = {
        "image.onnx": image_graph(model.image, SIZE, lexicon=model.lexicon),
        "text.onnx": text_graph(model.text, tokenizer.vocabulary_size, lexicon=model.lexicon),
        "tokenizer.json": tokenizer.to_json(),
    }
    write_bundle(folder, manifest, files)
    return folder
