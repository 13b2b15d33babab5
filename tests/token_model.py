"""A small untrained model with a vector for each place and word beside that of the whole, and maybe weighted words.

`from token_model import ...` works in every test: pyproject.toml puts this folder on the path.
"""

from __future__ import annotations

from pathlib import Path

import torch

from limner.core.types import Space
from limner.encode.bundle import write_bundle
from limner.encode.manifest import Calibration, ImageInput, Manifest, TextInput
from limner.encode.tokenizer import train_tokenizer
from limner.nn.blocks.token_reducer import ReducerPart
from limner.nn.heads.lexicon import Lexicon
from limner.nn.towers.convolutional_transformer import PictureTower
from limner.nn.towers.text_transformer import TextTower
from limner.nn.two_towers import Towers
from limner.train.export import LATE, LEXICAL, image_graph, text_graph

SIZE, CONTEXT, DIMENSION = 32, 64, 6
WORDS = ("red", "green", "blue", "yellow", "grey", "a", "thing", "and")


def write_token_bundle(folder: Path, reducer: ReducerPart | None = None, lexicon: Lexicon | None = None) -> Path:
    """2 x 2 places a picture, or as many tokens as the reducer makes."""
    tokenizer = train_tokenizer(list(WORDS) * 50, 300, CONTEXT)
    torch.manual_seed(0)
    picture, text = PictureTower((8, 8), 16, 1, 2), TextTower(16, 1, 2)
    towers = Towers(picture, text, DIMENSION, tokens=True, reducer=reducer, lexicon=lexicon)
    model = towers.build((3, SIZE, SIZE), tokenizer.vocabulary_size, CONTEXT).eval()
    spaces = [Space("dense", "dense", DIMENSION, "cosine"), Space(LATE, "tokens", DIMENSION, "maxsim")]
    if lexicon:
        spaces.append(Space(LEXICAL, "sparse", tokenizer.vocabulary_size, "dot"))
    calibration = Calibration(slope=10.0, offset=-5.0)
    manifest = Manifest(
        name="tokens",
        spaces=tuple(spaces),
        logit_scale=10.0,
        calibration={space.name: {"image": calibration, "text": calibration} for space in spaces},
        licence="Apache-2.0",
        training_data="none",
        image=ImageInput("image.onnx", SIZE, "stretch", "box"),
        text=TextInput("text.onnx", "tokenizer.json", CONTEXT),
        grid=None if reducer else (2, 2),
    )
    files = {
        "image.onnx": image_graph(model.image, SIZE, tokens=True, lexicon=model.lexicon),
        "text.onnx": text_graph(model.text, tokenizer.vocabulary_size, tokens=True, lexicon=model.lexicon),
        "tokenizer.json": tokenizer.to_json(),
    }
    write_bundle(folder, manifest, files)
    return folder
