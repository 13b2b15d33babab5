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
from limner.measure.model import measure
from limner.nn.adapters.lora import Lora, merge
from limner.nn.blocks.similarity import BestVector, Cosine
from limner.nn.blocks.token_reducer import side_of
from limner.train.batches import pad
from limner.train.calibrate import calibrate
from limner.train.catalogue import recipe_module, recipe_names
from limner.train.export import DENSE, FOCUSED, LATE, LEXICAL, halve, image_graph, run, text_graph, weights_of
from limner.train.revision import commit
from limner.train.starting import OUTCOME, Built, is_counter, open_run

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
    model, size, tokens = built.model, built.architecture.shape[-1], built.architecture.towers.tokens
    heads = {"tokens": tokens, "lexicon": model.lexicon, "focus": model.focus}
    full = {
        "image.onnx": image_graph(model.image, size, **heads),
        "text.onnx": text_graph(model.text, built.tokenizer.vocabulary_size, **heads),
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
        calibration = {space.name: calibrate(drafts[1], validation, space.name) for space in manifest.spaces}
    metrics = {row.name: row.value for row in narrow.rows} | {f"{HEADLINE}, float32 weights": wide[HEADLINE].value}
    manifest = dataclasses.replace(manifest, calibration=calibration, metrics=metrics)
    card = _card(about, manifest, narrow, wide, sum(len(graph) for graph in graphs.values()))
    return write_bundle(folder, manifest, {**_files(built, graphs), CARD: card.encode()})


def _plain(built: Built) -> Built:
    """As the graphs have it: low-rank updates added to their weights. Raises InputError where there is no graph."""
    if not built.architecture.reads_pictures:
        raise InputError(
            "the run reads maps of a frozen backbone, no pictures, so it cannot be a bundle: train a recipe on pixels"
        )
    if built.architecture.towers.similarity not in (Cosine(), BestVector()):
        raise InputError("a bundle's vectors are compared by cosine; this model has another similarity")
    if not any(isinstance(adapter, Lora) for adapter in built.architecture.adapters):
        return built
    model = copy.deepcopy(built.model)
    merge(model)
    others = tuple(adapter for adapter in built.architecture.adapters if not isinstance(adapter, Lora))
    return Built(model, dataclasses.replace(built.architecture, adapters=others), built.tokenizer)


def _files(built: Built, graphs: dict[str, bytes]) -> dict[str, bytes | Path]:
    return {**graphs, "tokenizer.json": built.tokenizer.to_json()}


def _grid(built: Built) -> tuple[int, int] | None:
    """Of the places that a picture's tokens are; None where there are no tokens, or where they are learnt mixtures."""
    towers, size = built.architecture.towers, built.architecture.shape[-1]
    if not towers.tokens or towers.reducer:
        return None
    with torch.no_grad():
        side = side_of(built.model.image.read(torch.zeros(1, 3, size, size)).states)
    return side, side


def _manifest(built: Built, about: About, made: RecipeNote, name: str) -> Manifest:
    unknown = Calibration(1.0, 0.0)  # until it is fitted
    towers = built.architecture.towers
    spaces = [Space(DENSE, "dense", towers.dimension, "cosine")]
    if towers.tokens:
        spaces.append(Space(LATE, "tokens", towers.dimension, "maxsim"))
    if built.model.lexicon:
        spaces.append(Space(LEXICAL, "sparse", built.model.lexicon.vocabulary, "dot"))
    if built.model.focus:
        spaces.append(Space(FOCUSED, "tokens", towers.dimension, "maxsim"))
    return Manifest(
        name=name,
        spaces=tuple(spaces),
        logit_scale=built.model.scale().item(),
        calibration={space.name: {"image": unknown, "text": unknown} for space in spaces},
        licence=about.licence,
        training_data=about.training_data,
        image=ImageInput("image.onnx", built.architecture.shape[-1], "stretch", "bicubic"),
        text=TextInput("text.onnx", "tokenizer.json", built.tokenizer.context_length),
        recipe=made,
        architecture=built.architecture.to_json(),
        grid=_grid(built),
    )


@torch.no_grad()
def _compare(built: Built, graphs: dict[str, bytes], encoder: OnnxEncoder, dataset: Dataset) -> None:
    """On real pictures and texts. Raises LimnerError where graphs and torch differ by more than AGREEMENT, or the
    graphs lack a weight of the towers or heads."""
    items = dataset.items[:COMPARED]
    pictures = [encoder.prepare("image", read_picture(read_bytes(item.uri), item.uri)[0]) for item in items]
    ids = pad([encoder.prepare("text", text) for item in items for text in item.texts[:1]])
    pixels = torch.from_numpy(np.stack(pictures))
    model, rows = built.model, torch.arange(len(items))
    sides = {
        "image.onnx": ({"image": pixels.numpy()}, model.encode_image(pixels.permute(0, 3, 1, 2) / 255, rows)),
        "text.onnx": ({"tokens": ids.numpy()}, model.encode_text(ids, rows)),
    }
    for name, (inputs, wanted) in sides.items():
        outputs = {DENSE: wanted.vectors, FOCUSED if model.focus and name == "image.onnx" else LATE: wanted.tokens}
        if model.lexicon:
            exported = model.lexicon.exported_texts if name == "text.onnx" else model.lexicon.exported_pictures
            outputs[LEXICAL] = exported(wanted.lexicon)
        for output, values in outputs.items():
            if values is not None:
                given = run(graphs[name], inputs, output)
                real = wanted.mask.numpy() if wanted.mask is not None and output == LATE else np.True_
                difference = float(np.abs(values.numpy() - given)[real].max())
                if not difference <= AGREEMENT:
                    raise LimnerError(f"{name}: {output} differs from torch by {difference:.2g}; {AGREEMENT:g} may be")
    kept = {name for graph in graphs.values() for name in weights_of(graph)}
    parts = ("image.", "text.", "lexicon.", "focus.")
    towers = [name for name in model.state_dict() if name.startswith(parts) and not is_counter(name)]
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
    calibration = manifest.calibration[DENSE]["text"]
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
