"""An experiment as one value: everything that decides what a training gives, but for the seed.

It is a tree of frozen dataclasses with plain values at its leaves. Its JSON is its name: equal experiments
have equal fingerprints, share a run folder, and are trained once.
"""

from __future__ import annotations

import dataclasses
import hashlib
import inspect
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, TypeAlias

from limner.core.errors import InputError
from limner.core.protocols import Modifier, Objective
from limner.data.corpus import Corpora
from limner.nn.two_towers import Towers, TwoTowers
from limner.objectives.contrast import Contrast
from limner.train.batches import Sampling
from limner.train.optimiser import Optimiser

Scale: TypeAlias = Literal["debug", "tiny", "full"]
"""debug: seconds, to see that it runs; tiny: minutes on two cores, what the table shows; full: a GPU."""


class Data(Protocol):
    """Settings of data. `load` reads or draws them; what is slow to make is kept in `place.cache`."""

    vocabulary: int
    """Of the tokenizer that is learnt from the training texts."""
    context: int
    """Tokens of the longest text."""

    def load(self, place: Any) -> Corpora: ...


class Evaluation(Protocol):
    """What is measured at the end: metric name -> one value a query (see train/outcome.py)."""

    def __call__(self, trained: Any) -> Mapping[str, Any]: ...


class Adapter(Protocol):
    """Changes a model in place so that few of its parameters are trained."""

    def attach(self, model: TwoTowers) -> None: ...


@dataclass(frozen=True, slots=True)
class Start:
    """Another experiment (same seed), trained first: its tokenizer and averaged weights are where this one begins."""

    experiment: Experiment
    parts: tuple[str, ...] = ("image", "text", "similarity")
    """Parts of the model that are taken over."""


@dataclass(frozen=True, slots=True)
class Experiment:
    name: str
    data: Data
    model: Towers = Towers()
    objectives: tuple[Objective, ...] = (Contrast(),)
    optimiser: Optimiser = Optimiser()
    sampling: Sampling = Sampling()
    modifiers: tuple[Modifier, ...] = ()
    evaluations: tuple[Evaluation, ...] = ()
    start: Start | None = None
    adapter: Adapter | None = None
    chunks: int = 1
    """Above 1: each batch is encoded in so many parts (see train/gradcache.py)."""
    half: bool = True
    """bfloat16 where that is safe."""

    def replace(self, **changes: Any) -> Experiment:
        """A variant. Raises InputError for a field that there is not."""
        try:
            return dataclasses.replace(self, **changes)
        except TypeError as error:
            raise InputError(f"{self.name}: {error}") from error

    def to_json(self) -> dict[str, Any]:
        """All that decides the weights: not the name, not what is measured at the end."""
        return {name: value for name, value in _plain(self).items() if name not in ("name", "evaluations")}

    @property
    def fingerprint(self) -> str:
        """12 hexadecimal digits of `to_json`."""
        return hashlib.sha256(json.dumps(self.to_json(), sort_keys=True).encode()).hexdigest()[:12]

    def components(self) -> list[Path]:
        """The files that define its parts, each once: what one reads to know the method."""
        files = dict.fromkeys(Path(inspect.getfile(kind)) for kind in _kinds(self))
        return [file for file in files if file.name not in ("experiment.py", "optimiser.py", "batches.py")]


def _plain(value: Any) -> Any:
    if isinstance(value, Start):
        return {"experiment": value.experiment.fingerprint, "parts": list(value.parts)}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {one.name: _plain(getattr(value, one.name)) for one in dataclasses.fields(value)}
        return {"": type(value).__name__, **fields}
    if isinstance(value, tuple | list):
        return [_plain(one) for one in value]
    if isinstance(value, Mapping):
        return {str(name): _plain(one) for name, one in value.items()}
    if value is None or isinstance(value, str | int | float | bool):
        return value
    raise InputError(f"{value!r}: an experiment is made of dataclasses and plain values, so that it can be written down")


def _kinds(value: Any) -> Iterator[type]:
    if dataclasses.is_dataclass(value):
        yield type(value)
        for one in dataclasses.fields(value):
            yield from _kinds(getattr(value, one.name))
    elif isinstance(value, tuple):
        for one in value:
            yield from _kinds(one)
