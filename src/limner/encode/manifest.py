"""What `bundle.json` says about a model, as typed records: read strictly, written back the same.

The records below are the schema. Whatever they do not name is refused, so that a misspelt key can
never be silently ignored. `docs/bundle-format.md` explains each field to who writes a bundle.
"""

from __future__ import annotations

import dataclasses
import json
import re
import sys
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from limner.core.errors import BundleError
from limner.core.types import Modality, Space

FORMAT_VERSION = 3
"""Raised whenever `bundle.json` could not be read under an older limner."""
READABLE = (1, 2, 3)
"""Version 2 is version 3 without `grid`, version 1 is without `architecture`, too."""
VECTORS_VERSION = 1
"""Raised whenever a bundle would give other vectors under an older limner; part of every fingerprint."""
CARD = "card.md"

Resize: TypeAlias = Literal["stretch", "crop", "pad"]
Interpolation: TypeAlias = Literal["box", "bilinear", "bicubic", "lanczos"]

# One plain name in the bundle's own folder: no path, nothing hidden.
_FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_SPACE_NAME = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True, slots=True)
class ImageInput:
    """How a picture becomes the `image` input of `graph`: uint8 (n, size, size, 3), RGB."""

    graph: str
    size: int
    """Side of the square in pixels."""
    resize: Resize
    """`stretch` the whole picture to the square; `crop` its centre square; `pad` it with black."""
    interpolation: Interpolation


@dataclass(frozen=True, slots=True)
class TextInput:
    """How a text becomes the `tokens` input of `graph`: int64 (n, longest), padded with 0."""

    graph: str
    tokenizer: str
    context_length: int
    """Tokens that the graph reads at most, special tokens included."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """Score -> probability: 1 / (1 + exp(-(slope * score + offset)))."""

    slope: float
    offset: float


@dataclass(frozen=True, slots=True)
class RecipeNote:
    """How the weights were made: enough to make them again."""

    name: str
    fingerprint: str
    seed: int
    commit: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """Everything that `bundle.json` says, but for the checksums of the files."""

    name: str
    spaces: tuple[Space, ...]
    """What every graph puts out: one output of that name for each space."""
    logit_scale: float
    """The inverse temperature that the model was trained with."""
    calibration: Mapping[str, Mapping[Modality, Calibration]]
    """By space, then by the question's modality: one for each pair."""
    licence: str
    training_data: str
    image: ImageInput | None = None
    text: TextInput | None = None
    recipe: RecipeNote | None = None
    metrics: Mapping[str, float] = dataclasses.field(default_factory=dict)
    architecture: Mapping[str, Any] | None = None
    """What training needs to build the model anew and go on from the graphs' weights; searching does without."""
    grid: tuple[int, ...] | None = None
    """(rows, columns) of the places whose vectors, row by row, are a picture's tokens; None: its tokens are no places,
    or there are none."""

    def __post_init__(self) -> None:
        _check(self)

    @property
    def modalities(self) -> frozenset[Modality]:
        inputs: dict[Modality, object] = {"image": self.image, "text": self.text}
        return frozenset(modality for modality, given in inputs.items() if given is not None)

    @property
    def parts(self) -> dict[str, str]:
        """The files that make the vectors: role -> file name."""
        parts = {}
        if self.image:
            parts["image graph"] = self.image.graph
        if self.text:
            parts |= {"text graph": self.text.graph, "tokenizer": self.text.tokenizer}
        return parts


def read_manifest(content: bytes) -> tuple[Manifest, dict[str, str]]:
    """Parse `bundle.json` into the manifest and the files' checksums (name -> sha256).

    Raises BundleError: one line that says which field is wrong and what it should be.
    """
    try:
        record = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise BundleError(f"not valid JSON ({error}): copy or convert the model again") from None
    if not isinstance(record, dict):
        raise BundleError("not a JSON object: copy or convert the model again")
    version = record.pop("format", None)
    if version not in READABLE or type(version) is not int:
        mend = "update limner" if isinstance(version, int) and version > FORMAT_VERSION else "convert the model again"
        readable = " and ".join(map(str, READABLE))
        raise BundleError(f"bundle format {version!r} is unknown (this limner reads {readable}): {mend}")
    files = _parse("files", record.pop("files", {}), Mapping[str, str])
    for name in files:
        _check_file_name(name)
    return _parse("", record, Manifest), files


def print_manifest(manifest: Manifest, files: Mapping[str, str]) -> bytes:
    """The text of `bundle.json`: `read_manifest` gives back the same manifest and files."""
    record = {key: value for key, value in dataclasses.asdict(manifest).items() if value is not None}
    record = {"format": FORMAT_VERSION, **record, "files": dict(sorted(files.items()))}
    return (json.dumps(record, indent=2, ensure_ascii=False) + "\n").encode()


def _check(manifest: Manifest) -> None:
    """What the types cannot say. Raises BundleError."""
    if not _FILE_NAME.fullmatch(manifest.name):
        raise BundleError(f"name {manifest.name!r} must be letters, digits, '.', '_' and '-' only")
    if not manifest.modalities:
        raise BundleError("neither an image nor a text graph is named: a bundle needs one")
    for name in manifest.parts.values():
        _check_file_name(name)
    if len(set(manifest.parts.values())) < len(manifest.parts):
        raise BundleError("graphs and tokenizer share a file: each needs its own")
    for field, number in (
        ("image.size", manifest.image.size if manifest.image else 1),
        ("text.context_length", manifest.text.context_length if manifest.text else 1),
        ("logit_scale", manifest.logit_scale),
        *((f"size of space {space.name}", space.size) for space in manifest.spaces),
    ):
        if not number > 0:
            raise BundleError(f"{field} must be above 0, not {number}")
    if manifest.grid is not None and (len(manifest.grid) != 2 or min(manifest.grid) < 1):
        raise BundleError(f"grid must be two numbers above 0, rows and columns, not {list(manifest.grid)}")
    names = [space.name for space in manifest.spaces]
    if not names or len(set(names)) < len(names):
        raise BundleError(f"spaces must be at least one, each with its own name, not {names}")
    for name in names:
        if not _SPACE_NAME.fullmatch(name):
            raise BundleError(f"space name {name!r} must be lower-case letters, digits and '_' only")
    calibrated = {(space, modality) for space, by in manifest.calibration.items() for modality in by}
    wanted = {(name, modality) for name in names for modality in manifest.modalities}
    for space, modality in sorted(wanted ^ calibrated):
        what = "is missing" if (space, modality) in wanted else "belongs to no space and graph of this bundle"
        raise BundleError(f"{_join(_join('calibration', space), modality)} {what}")
    for space, modality in sorted(wanted):
        if not manifest.calibration[space][modality].slope > 0:
            raise BundleError(f"calibration.{space}.{modality}.slope must be above 0: a better score is more probable")


def _check_file_name(name: str) -> None:
    if not _FILE_NAME.fullmatch(name) or name == "bundle.json":
        raise BundleError(f"file name {name!r} is not allowed: a plain name in the bundle's own folder is")


def _parse(where: str, value: Any, wanted: Any) -> Any:
    """Turn a JSON value into the wanted type: a record, number, text, literal, mapping, tuple or optional one."""
    origin, arguments = typing.get_origin(wanted), typing.get_args(wanted)
    if dataclasses.is_dataclass(wanted) and isinstance(wanted, type):
        return _parse_record(where, value, wanted)
    if wanted is Any:
        return value
    if origin is types.UnionType:  # `X | None` is the only union of the schema
        return None if value is None else _parse(where, value, arguments[0])
    if origin is Literal:
        _require(isinstance(value, str) and value in arguments, where, f"one of {', '.join(arguments)}", value)
    elif origin is tuple:
        _require(isinstance(value, list), where, "a list", value)
        return tuple(_parse(f"{where}[{place}]", part, arguments[0]) for place, part in enumerate(value))
    elif origin is Mapping:
        _require(isinstance(value, dict), where, "an object", value)
        return {
            _parse(where, key, arguments[0]): _parse(_join(where, key), part, arguments[1])
            for key, part in value.items()
        }
    elif wanted is float:
        _require(type(value) in (int, float) and abs(value) <= sys.float_info.max, where, "a number", value)
        return float(value)
    elif wanted is int:
        _require(type(value) is int, where, "a whole number", value)
    else:
        _require(isinstance(value, str), where, "a text", value)
    return value


def _parse_record(where: str, value: Any, wanted: type) -> Any:
    _require(isinstance(value, dict), where or "bundle.json", "an object", value)
    hints = typing.get_type_hints(wanted)
    for key in value:
        if key not in hints:
            raise BundleError(
                f"{_join(where, key)} is not a field of bundle format {FORMAT_VERSION}: correct or remove it"
            )
    for field in dataclasses.fields(wanted):
        optional = (field.default, field.default_factory) != (dataclasses.MISSING, dataclasses.MISSING)
        if field.name not in value and not optional:
            raise BundleError(f"{_join(where, field.name)} is missing")
    return wanted(**{key: _parse(_join(where, key), part, hints[key]) for key, part in value.items()})


def _join(where: str, key: str) -> str:
    key = key if key.isprintable() else ascii(key)
    return f"{where}.{key}" if where else key


def _require(right: bool, where: str, wanted: str, value: Any) -> None:
    if not right:
        shown = json.dumps(value)
        raise BundleError(f"{where} must be {wanted}, not {shown if len(shown) <= 40 else shown[:40] + '...'}")
