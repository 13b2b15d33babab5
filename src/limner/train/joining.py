"""Parts of a batch, encoded apart, as the features of the whole."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor

from limner.core.errors import InputError
from limner.core.features import Encoded, Features, Queue

Record = TypeVar("Record")

RAGGED = ("states", "tokens", "mask", "ids")
"""Fields whose second dimension is a number of places or words: it may differ from part to part."""


def map_tensors(record: Record, change: Callable[[str, Tensor], Tensor], path: str = "") -> Record:
    """The record with each of its tensors changed. Paths are like "image.vectors", "view.text.mask", "roles.long"."""
    if isinstance(record, Tensor):
        return change(path, record)  # type: ignore[return-value]
    within = f"{path}." if path else ""
    if isinstance(record, Encoded | Features | Queue):
        names = [field.name for field in dataclasses.fields(record)]
        return dataclasses.replace(
            record, **{name: map_tensors(getattr(record, name), change, within + name) for name in names}
        )
    if isinstance(record, Mapping):
        return {name: map_tensors(value, change, within + name) for name, value in record.items()}  # type: ignore[return-value]
    return record


def tensors_of(features: Features) -> dict[str, Tensor]:
    """Every tensor of the features by its path."""
    found: dict[str, Tensor] = {}

    def note(path: str, tensor: Tensor) -> Tensor:
        found[path] = tensor
        return tensor

    map_tensors(features, note)
    return found


def join_features(parts: Sequence[Features]) -> Features:
    """One batch of several: their pictures one after the other, and their texts.

    `owner` and the roles are numbered anew; states, tokens, masks and ids are filled up with padding to the longest.
    Groups must mean the same in all parts. Scale, similarity, progress, queue and model are those of the first.
    Raises InputError where some parts have a field and others do not, or where there is no part.
    """
    if not parts:
        raise InputError("no features to join: the batch has no parts")
    if len(parts) == 1:
        return parts[0]
    pictures = _offsets([len(part.image.group) for part in parts])
    texts = _offsets([len(part.text.group) for part in parts])
    return parts[0].replace(
        image=_join_encoded([part.image for part in parts], "image"),
        text=_join_encoded([part.text for part in parts], "text"),
        owner=torch.cat([part.owner + first for part, first in zip(parts, pictures, strict=True)]),
        roles={
            role: torch.cat(
                [part.roles[role] + first for part, first in zip(parts, texts, strict=True) if role in part.roles]
            )
            for role in dict.fromkeys(role for part in parts for role in part.roles)
        },
        targets={
            name: _cat([part.targets.get(name) for part in parts], f"targets {name!r}")
            for name in dict.fromkeys(name for part in parts for name in part.targets)
        },
        **{
            name: _cat([getattr(part, name) for part in parts], name) for name in ("rows", "ids", "concept", "language")
        },
        **{name: _join_inner([getattr(part, name) for part in parts], name) for name in ("view", "teacher")},
    )


def _offsets(counts: Sequence[int]) -> list[int]:
    """How many rows stand before each part."""
    return [sum(counts[:number]) for number in range(len(counts))]


def _join_encoded(parts: Sequence[Encoded], side: str) -> Encoded:
    # A part without texts may lack what only texts would have given it.
    parts = [part for part in parts if len(part.group)] or parts[:1]
    lengths = {part.states.shape[1] for part in parts if part.states is not None}
    if len(lengths) > 1 and all(part.mask is None for part in parts):
        # What is filled up must be told from what is real.
        parts = [part.replace(mask=torch.ones_like(part.states[..., 0], dtype=torch.bool)) for part in parts]
    names = [field.name for field in dataclasses.fields(Encoded)]
    return Encoded(**{name: _cat([getattr(part, name) for part in parts], f"{side} {name}") for name in names})


def _join_inner(parts: Sequence[Features | None], name: str) -> Features | None:
    return join_features(list(parts)) if _given(parts, name) else None  # type: ignore[arg-type]


def _cat(tensors: Sequence[Tensor | None], name: str) -> Tensor | None:
    if not _given(tensors, name):
        return None
    if name.split()[-1] in RAGGED:
        longest = max(tensor.shape[1] for tensor in tensors)  # type: ignore[union-attr]
        tensors = [lengthen(tensor, longest) for tensor in tensors]  # type: ignore[arg-type]
    return torch.cat(tensors)  # type: ignore[arg-type]


def lengthen(tensor: Tensor, length: int) -> Tensor:
    """(n, t, ...) -> (n, length, ...), filled up with zeros: padding, masked, False."""
    missing = length - tensor.shape[1]
    return F.pad(tensor, (0, 0) * (tensor.ndim - 2) + (0, missing)) if missing else tensor


def _given(values: Sequence[object], name: str) -> bool:
    """Whether the parts have this field: all of them, or none."""
    missing = [value is None for value in values]
    if any(missing) and not all(missing):
        raise InputError(f"some parts of the batch have {name}, others have none: encode all parts alike")
    return not any(missing)
