"""A model with all that it takes to build and to feed it: from a bundle, from a finished run."""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import dataclass
from pathlib import Path

import torch

from limner.core.errors import BundleError, InputError
from limner.encode.bundle import Bundle, find_bundle
from limner.encode.tokenizer import Tokenizer
from limner.nn.heads.lexicon import Lexicon
from limner.nn.two_towers import TwoTowers
from limner.train.architecture import Architecture
from limner.train.export import weights_of

ARCHITECTURE, TOKENIZER, CHECKPOINT, OUTCOME = "architecture.json", "tokenizer.json", "checkpoint.pt", "outcome.json"
"""In the folder of a run."""


@dataclass(frozen=True, slots=True, eq=False)
class Built:
    model: TwoTowers
    architecture: Architecture
    tokenizer: Tokenizer


@dataclass(frozen=True, slots=True)
class FromBundle:
    """An experiment begins at a bundle: its architecture, weights and tokenizer."""

    model: str
    """Name or folder."""
    fingerprint: str
    """Of the bundle, so that an experiment says which weights it began at."""

    @classmethod
    def at(cls, model: str) -> FromBundle:
        return cls(model, Bundle.load(find_bundle(model)).fingerprint)

    def open(self) -> Built:
        """Raises BundleError where the bundle is not the one that the experiment was made for."""
        bundle = Bundle.load(find_bundle(self.model))
        if bundle.fingerprint != self.fingerprint:
            raise BundleError(
                f"{bundle.path}: is not the bundle that the experiment begins at, {self.fingerprint[:12]}"
            )
        return _open(bundle)


def with_lexicon(built: Built, lexicon: Lexicon | None) -> Built:
    """With new lexicon heads (by the seed of torch), where the towers have none and are to have some."""
    model, towers = built.model, built.architecture.towers
    if lexicon is None or towers.lexicon is not None:
        return built
    model.lexicon = lexicon.build(model.image, model.text, built.architecture.vocabulary)
    towers = dataclasses.replace(towers, lexicon=lexicon)
    return Built(model, dataclasses.replace(built.architecture, towers=towers), built.tokenizer)


def start_from_bundle(path: str | Path) -> tuple[TwoTowers, Tokenizer]:
    """The model of a bundle, to go on training it: built by its architecture, weights read from its graphs.

    Raises BundleError where the bundle does not say its architecture or its graphs do not fit it.
    """
    built = _open(Bundle.load(path))
    return built.model, built.tokenizer


def _open(bundle: Bundle) -> Built:
    manifest = bundle.manifest
    if manifest.architecture is None or manifest.image is None or manifest.text is None:
        raise BundleError(f"{bundle.path}: does not say its architecture, so it can be searched with but not trained")
    try:
        architecture = Architecture.from_json(manifest.architecture)
    except InputError as error:
        raise BundleError(f"{bundle.path}: {error}") from error
    model = architecture.build().requires_grad_(True)
    weights = {"log_scale": torch.tensor(math.log(manifest.logit_scale))}
    for side in (manifest.image, manifest.text):
        weights |= weights_of((bundle.path / side.graph).read_bytes())
    try:
        missing, more = model.load_state_dict(weights, strict=False)
    except RuntimeError as error:  # shapes that do not fit
        raise BundleError(f"{bundle.path}: the graphs are not of its architecture: export the model again") from error
    if wrong := [name for name in missing if not is_counter(name)] + more:
        raise BundleError(f"{bundle.path}: the graphs are not of its architecture ({wrong[0]}): export the model again")
    tokenizer = Tokenizer.load(bundle.path / manifest.text.tokenizer, manifest.text.context_length)
    return Built(model, architecture, tokenizer)


def is_counter(name: str) -> bool:
    """How many batches a norm has seen: a graph has no use for it."""
    return name.endswith("num_batches_tracked")


def write_run(built: Built, folder: Path) -> None:
    """What `open_run` needs beside the checkpoint."""
    (folder / ARCHITECTURE).write_text(json.dumps(built.architecture.to_json(), indent=1) + "\n")
    (folder / TOKENIZER).write_bytes(built.tokenizer.to_json())


def open_run(folder: Path) -> Built:
    """The averaged weights of a finished run, in evaluation mode. Raises InputError where the folder is none."""
    if not (folder / OUTCOME).exists():
        raise InputError(
            f"{folder}: is not the folder of a finished run (no {OUTCOME}): give the one limner train named"
        )
    architecture = Architecture.from_json(json.loads((folder / ARCHITECTURE).read_text()))
    model = architecture.build().eval()
    model.load_state_dict(torch.load(folder / CHECKPOINT, map_location="cpu", weights_only=True)["averaged"])
    tokenizer = with_room(Tokenizer.load(folder / TOKENIZER, architecture.context), model)
    return Built(model, architecture, tokenizer)


def with_room(tokenizer: Tokenizer, model: TwoTowers) -> Tokenizer:
    """For as many tokens as the text tower has positions: an adapter may have added some."""
    room = len(getattr(model.text.tower, "positions", ()))
    return tokenizer.with_context(room) if room else tokenizer
