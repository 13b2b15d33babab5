"""A trained pair of towers -> a bundle: exported, compared with torch, calibrated, measured, with its card."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from limner.core.errors import LimnerError
from limner.core.types import Space
from limner.data.datasets import Dataset
from limner.encode.bundle import Bundle, write_bundle
from limner.encode.manifest import CARD, Calibration, ImageInput, Manifest, RecipeNote, TextInput
from limner.encode.onnx import OnnxEncoder
from limner.encode.tokenizer import Tokenizer
from limner.eval.report import Report
from limner.measure import measure
from limner.nn.encoders import ImageEncoder, TextEncoder
from limner.train.calibrate import calibrate
from limner.train.export import halve, image_graph, run, text_graph
from limner.train.revision import commit

SPACE = "dense"
AGREEMENT = 1e-3
"""How far an exported graph may be from torch, in any component of a unit vector."""

HEADLINE = "text-to-image recall@10"


@dataclass(frozen=True, slots=True)
class Trained:
    """What a recipe hands over."""

    name: str
    image: ImageEncoder
    text: TextEncoder
    tokenizer: Tokenizer
    size: int
    dimension: int
    logit_scale: float
    recipe: Any
    """The dataclass of its settings; has `seed`."""
    licence: str
    training_data: str
    card: str
    """What the card says before the measured part."""


def bundle_trained(trained: Trained, validation: Dataset, test: Dataset, folder: Path) -> Bundle:
    """Write the bundle to `folder` (replaced if it is there).

    The graphs with weights in half precision are the ones that are calibrated, measured and written; the
    card tells what full precision would give. Raises LimnerError if a graph is not what torch computes.
    """
    full = {
        "image.onnx": image_graph(trained.image, trained.size),
        "text.onnx": text_graph(trained.text, trained.tokenizer.vocabulary_size),
    }
    graphs = {name: halve(graph) for name, graph in full.items()}
    _compare(trained, full)
    manifest = _manifest(trained)
    with tempfile.TemporaryDirectory() as scratch:
        drafts = []
        for name, files in (("full", full), ("half", graphs)):
            draft = write_bundle(Path(scratch) / name, manifest, _files(trained, files))
            drafts.append(OnnxEncoder(draft))
        wide, narrow = (measure(encoder, test, name=trained.name) for encoder in drafts)
        calibration = calibrate(drafts[1], validation, SPACE)
    metrics = {row.name: row.value for row in narrow.rows} | {f"{HEADLINE}, float32 weights": wide[HEADLINE].value}
    manifest = dataclasses.replace(manifest, calibration={SPACE: calibration}, metrics=metrics)
    card = _card(trained, manifest, narrow, wide, sum(len(graph) for graph in graphs.values()))
    if folder.exists():
        shutil.rmtree(folder)
    return write_bundle(folder, manifest, {**_files(trained, graphs), CARD: card.encode()})


def _files(trained: Trained, graphs: dict[str, bytes]) -> dict[str, bytes | Path]:
    return {**graphs, "tokenizer.json": trained.tokenizer.to_json()}


def _manifest(trained: Trained) -> Manifest:
    settings = json.dumps(dataclasses.asdict(trained.recipe), sort_keys=True)
    unknown = Calibration(1.0, 0.0)  # until it is fitted
    return Manifest(
        name=trained.name,
        spaces=(Space(SPACE, "dense", trained.dimension, "cosine"),),
        logit_scale=trained.logit_scale,
        calibration={SPACE: {"image": unknown, "text": unknown}},
        licence=trained.licence,
        training_data=trained.training_data,
        image=ImageInput("image.onnx", trained.size, "stretch", "bicubic"),
        text=TextInput("text.onnx", "tokenizer.json", trained.tokenizer.context_length),
        recipe=RecipeNote(
            trained.name, hashlib.sha256(settings.encode()).hexdigest()[:16], trained.recipe.seed, commit()
        ),
    )


def _compare(trained: Trained, graphs: dict[str, bytes]) -> None:
    """Raises LimnerError where the graphs and torch differ by more than AGREEMENT."""
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (4, trained.size, trained.size, 3), generator=generator, dtype=torch.uint8)
    ids = torch.randint(1, trained.tokenizer.vocabulary_size, (4, 20), generator=generator)
    ids[1, 7:] = 0
    with torch.no_grad():
        wanted = [trained.image(pixels.permute(0, 3, 1, 2).float() / 255)[0], trained.text(ids)]
    given = [
        run(graphs["image.onnx"], {"image": pixels.numpy()}),
        run(graphs["text.onnx"], {"tokens": ids.numpy()}),
    ]
    for name, torch_side, onnx_side in zip(graphs, wanted, given, strict=True):
        difference = float(np.abs(torch_side.numpy() - onnx_side).max())
        if not difference <= AGREEMENT:
            raise LimnerError(f"{name}: differs from torch by {difference:.2g}, {AGREEMENT:g} is allowed")


def _card(trained: Trained, manifest: Manifest, half: Report, full: Report, size: int) -> str:
    recipe = manifest.recipe
    assert recipe is not None
    calibration = manifest.calibration[SPACE]["text"]
    return f"""# {trained.name}

{trained.card.strip()}

## Measured

{half.markdown()}

The same with float32 weights: {HEADLINE} {100 * full[HEADLINE].value:.1f} % (as shipped, float16
weights: {100 * half[HEADLINE].value:.1f} %). Both graphs together have {size / 1e6:.1f} MB.

Probabilities: 1 / (1 + exp(-({calibration.slope:.2f} * cosine {calibration.offset:+.2f}))) for words, fitted on
the validation split for a collection in which one picture in ten fits.

## Data and licence

{trained.training_data}

{trained.licence}

Made by the recipe `{recipe.name}` ({recipe.fingerprint}), seed {recipe.seed}, commit {recipe.commit or "unknown"}.
"""
