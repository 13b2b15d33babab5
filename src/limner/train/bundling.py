"""A trained pair of towers -> a bundle: exported, compared with torch, calibrated, measured, with its card."""

from __future__ import annotations

import copy
import dataclasses
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from limner.core.errors import InputError, LimnerError
from limner.core.types import Space
from limner.data.content import read_bytes
from limner.data.datasets import Dataset, open_dataset
from limner.data.pictures import read_picture
from limner.encode.bundle import Bundle, write_bundle
from limner.encode.manifest import CARD, Calibration, ImageInput, Manifest, RecipeNote, TextInput
from limner.encode.onnx import OnnxEncoder
from limner.eval.report import Report
from limner.measure import measure
from limner.nn.adapters.lora import Lora, merge
from limner.nn.blocks.similarity import Cosine
from limner.train.batches import pad
from limner.train.calibrate import calibrate
from limner.train.catalogue import recipe_module, recipe_names
from limner.train.export import halve, image_graph, run, text_graph, weights_of
from limner.train.revision import commit
from limner.train.starting import OUTCOME, Built, is_counter, open_run

SPACE = "dense"
AGREEMENT = 1e-3
"""How far an exported graph may be from torch, in any component of a unit vector."""
COMPARED = 8
"""Real pictures, and texts, on which the two are compared."""
HEADLINE = "text-to-image recall@10"


@dataclass(frozen=True, slots=True)
class About:
    """What the makers of a bundle say of it, in words."""

    card: str
    """What stands before the measured part."""
    training_data: str
    licence: str


def export_run(run_folder: Path, folder: Path, data: Path) -> Bundle:
    """A finished run as a bundle; `data`: captioned pictures with the splits "val", to calibrate, and "test", to
    measure. Raises InputError where the run or the data cannot be used, or `folder` is there."""
    validation, test = (open_dataset(data, split) for split in ("val", "test"))
    built = open_run(run_folder)
    record = json.loads((run_folder / OUTCOME).read_text())
    made = RecipeNote(record["name"], run_folder.absolute().parent.name, record["seed"], commit())
    return bundle(built, _about(record["name"], test), made, validation, test, folder)


def bundle(built: Built, about: About, made: RecipeNote, validation: Dataset, test: Dataset, folder: Path) -> Bundle:
    """Write the bundle to the new folder `folder`, and give it its name.

    The graphs with weights in half precision are the ones that are calibrated, measured and written; the
    card tells what full precision would give. Raises InputError for a model that a bundle cannot hold,
    LimnerError if a graph is not what torch computes.
    """
    if folder.exists():
        raise InputError(f"{folder} exists already: remove it or choose another folder for the bundle")
    built = _plain(built)
    size = built.architecture.shape[-1]
    full = {
        "image.onnx": image_graph(built.model.image, size),
        "text.onnx": text_graph(built.model.text, built.tokenizer.vocabulary_size),
    }
    graphs = {name: halve(graph) for name, graph in full.items()}
    manifest = _manifest(built, about, made, folder.name)
    with tempfile.TemporaryDirectory() as scratch:
        drafts = []
        for name, files in (("full", full), ("half", graphs)):
            draft = write_bundle(Path(scratch) / name, manifest, _files(built, files))
            drafts.append(OnnxEncoder(draft))
        _compare(built, full, drafts[0], test)
        wide, narrow = (measure(encoder, test, name=manifest.name) for encoder in drafts)
        calibration = calibrate(drafts[1], validation, SPACE)
    metrics = {row.name: row.value for row in narrow.rows} | {f"{HEADLINE}, float32 weights": wide[HEADLINE].value}
    manifest = dataclasses.replace(manifest, calibration={SPACE: calibration}, metrics=metrics)
    card = _card(about, manifest, narrow, wide, sum(len(graph) for graph in graphs.values()))
    return write_bundle(folder, manifest, {**_files(built, graphs), CARD: card.encode()})


def _plain(built: Built) -> Built:
    """As the graphs have it: low-rank updates added to their weights. Raises InputError where there is no graph."""
    if not built.architecture.reads_pictures:
        raise InputError(
            "the run reads maps of a frozen backbone, no pictures, so it cannot be a bundle: train a recipe on pixels"
        )
    if built.architecture.towers.similarity != Cosine():
        raise InputError("a bundle's vectors are compared by cosine; this model has another similarity")
    if not any(isinstance(adapter, Lora) for adapter in built.architecture.adapters):
        return built
    model = copy.deepcopy(built.model)
    merge(model)
    others = tuple(adapter for adapter in built.architecture.adapters if not isinstance(adapter, Lora))
    return Built(model, dataclasses.replace(built.architecture, adapters=others), built.tokenizer)


def _files(built: Built, graphs: dict[str, bytes]) -> dict[str, bytes | Path]:
    return {**graphs, "tokenizer.json": built.tokenizer.to_json()}


def _manifest(built: Built, about: About, made: RecipeNote, name: str) -> Manifest:
    unknown = Calibration(1.0, 0.0)  # until it is fitted
    return Manifest(
        name=name,
        spaces=(Space(SPACE, "dense", built.model.dimension, "cosine"),),
        logit_scale=built.model.scale().item(),
        calibration={SPACE: {"image": unknown, "text": unknown}},
        licence=about.licence,
        training_data=about.training_data,
        image=ImageInput("image.onnx", built.architecture.shape[-1], "stretch", "bicubic"),
        text=TextInput("text.onnx", "tokenizer.json", built.tokenizer.context_length),
        recipe=made,
        architecture=built.architecture.to_json(),
    )


@torch.no_grad()
def _compare(built: Built, graphs: dict[str, bytes], encoder: OnnxEncoder, dataset: Dataset) -> None:
    """On real pictures and texts. Raises LimnerError where graphs and torch differ by more than AGREEMENT, or the
    graphs lack a weight of the towers."""
    items = dataset.items[:COMPARED]
    pictures = [encoder.prepare("image", read_picture(read_bytes(item.uri), item.uri)[0]) for item in items]
    ids = pad([encoder.prepare("text", text) for item in items for text in item.texts[:1]])
    pixels = torch.from_numpy(np.stack(pictures))
    wanted = [built.model.image(pixels.permute(0, 3, 1, 2).float() / 255), built.model.text(ids)]
    given = [run(graphs["image.onnx"], {"image": pixels.numpy()}), run(graphs["text.onnx"], {"tokens": ids.numpy()})]
    for name, torch_side, onnx_side in zip(graphs, wanted, given, strict=True):
        difference = float(np.abs(torch_side.numpy() - onnx_side).max())
        if not difference <= AGREEMENT:
            raise LimnerError(f"{name}: differs from torch by {difference:.2g}, {AGREEMENT:g} is allowed")
    kept = {name for graph in graphs.values() for name in weights_of(graph)}
    towers = [
        name for name in built.model.state_dict() if name.startswith(("image.", "text.")) and not is_counter(name)
    ]
    if lost := [name for name in towers if name not in kept]:
        raise LimnerError(f"the graphs lack the weight {lost[0]}, so that training could not go on from the bundle")


def _about(name: str, test: Dataset) -> About:
    """What the recipe of that name says of its model (`ABOUT`); else no more than is known."""
    if name in recipe_names() and (said := getattr(recipe_module(name), "ABOUT", None)):
        return said
    return About(
        f"Two towers that compare pictures and words by cosine, trained by the recipe `{name}`.",
        f"Pairs of {test.name}, the part for training.",
        "Not stated.",
    )


def _card(about: About, manifest: Manifest, half: Report, full: Report, size: int) -> str:
    recipe = manifest.recipe
    assert recipe is not None
    calibration = manifest.calibration[SPACE]["text"]
    # How long it took is a matter of the machine.
    facts = {name: fact for name, fact in half.facts.items() if not name.startswith("seconds")}
    return f"""# {manifest.name}

{about.card.strip()}

## Measured

{dataclasses.replace(half, facts=facts).markdown()}

The same with float32 weights: {HEADLINE} {100 * full[HEADLINE].value:.1f} % (as shipped, float16
weights: {100 * half[HEADLINE].value:.1f} %). Both graphs together have {size / 1e6:.1f} MB.

Probabilities: 1 / (1 + exp(-({calibration.slope:.2f} * cosine {calibration.offset:+.2f}))) for words, fitted on
the validation split for a collection in which one picture in ten fits.

## Data and licence

{about.training_data}

{about.licence}

Made by the recipe `{recipe.name}` ({recipe.fingerprint}), seed {recipe.seed}, commit {recipe.commit or "unknown"}.
"""
