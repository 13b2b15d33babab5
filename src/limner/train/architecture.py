"""What a model is made of, as a record: enough to build it anew and to read its weights back.

A run keeps it beside its checkpoint, a bundle in its manifest. The parts are settings of `limner.nn`; a record
names a class and its fields and nothing else, so reading one runs no code that it brings.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib
import inspect
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import limner.nn
from limner.core.errors import InputError
from limner.nn.two_towers import Towers, TwoTowers
from limner.train.experiment import Adapter, as_plain


@dataclass(frozen=True, slots=True)
class Architecture:
    towers: Towers
    shape: tuple[int, ...]
    """Of what the image tower reads, one picture: (3, size, size), or (t, channels) of a map."""
    vocabulary: int
    context: int
    adapters: tuple[Adapter, ...] = ()
    """What was built around the towers, in this order."""

    @property
    def reads_pictures(self) -> bool:
        return len(self.shape) == 3

    def build(self) -> TwoTowers:
        """With new weights, by the seed of torch."""
        model = self.towers.build(self.shape, self.vocabulary, self.context)
        for adapter in self.adapters:
            adapter.attach(model)
        return model

    def with_adapter(self, adapter: Adapter) -> Architecture:
        return dataclasses.replace(self, adapters=(*self.adapters, adapter))

    def to_json(self) -> dict[str, Any]:
        record: dict[str, Any] = as_plain(self, True)
        return record

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Architecture:
        """Raises InputError for a part that this limner does not have."""
        read = _read(record)
        if not isinstance(read, cls):
            raise InputError("the record of the architecture is none: export the model again")
        return read


def _read(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(map(_read, value))
    if not isinstance(value, Mapping):
        return value
    name = value.get("")
    kind = _kinds().get(name) if isinstance(name, str) else None
    if kind is None:
        raise InputError(f"the architecture names {name!r}, which this limner does not have: update limner")
    try:
        return kind(**{key: _read(one) for key, one in value.items() if key})
    except TypeError as error:
        raise InputError(f"the architecture's {name} does not fit this limner: {error}") from error


@functools.cache
def _kinds() -> dict[str, type]:
    """Every dataclass of settings in limner.nn, by name."""
    modules = [
        importlib.import_module(module.name)
        for module in pkgutil.walk_packages(limner.nn.__path__, f"{limner.nn.__name__}.")
    ]
    kinds = (kind for module in modules for _, kind in inspect.getmembers(module, inspect.isclass))
    return {kind.__name__: kind for kind in (Architecture, *filter(dataclasses.is_dataclass, kinds))}
