"""An experiment as one value: everything that decides what a training gives, but for the seed.

It is a tree of frozen dataclasses with plain values at its leaves. Its JSON is its name: equal experiments
have equal fingerprints, share a run folder, and are trained once.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

from limner.core.errors import InputError
from limner.core.protocols import Modifier, Objective
from limner.data.corpus import Corpora
from limner.nn.two_towers import Towers, TwoTowers
from limner.objectives.contrast import Contrast
from limner.train.batches import Sampling
from limner.train.optimiser import Optimiser

if TYPE_CHECKING:
    from limner.train.starting import FromBundle

Scale: TypeAlias = Literal["debug", "tiny", "full"]
"""debug: seconds, to see that it runs; tiny: minutes on two cores, what the table shows; full: a GPU."""


class Data(Protocol):
    """Settings of data. `load` reads or draws them; what is slow to make is kept in `place.cache`."""

    vocabulary: int
    """Of the tokenizer that is learnt from the training texts."""
    context: int
    """Tokens of the longest text.

    Data may say `characters`, too: whether each Chinese character is a token of its own (see `train_tokenizer`)."""

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
    start: Start | FromBundle | None = None
    adapter: Adapter | None = None
    chunks: int = 1
    """Above 1: each batch is encoded in so many parts (see train/gradcache.py)."""
    half: bool = True
    """bfloat16 where that is safe."""
    seed_offset: int = 0
    """Added to the seed of each run: the same experiment once more, with seeds of its own."""

    def replace(self, **changes: Any) -> Experiment:
        """A variant. Raises InputError for a field that there is not."""
        try:
            return dataclasses.replace(self, **changes)
        except TypeError as error:
            raise InputError(f"{self.name}: {error}") from error

    def to_json(self, *, whole: bool = True) -> dict[str, Any]:
        """All that decides the weights: not the name, not what is measured at the end.

        `whole` False: without what stands at its default.
        """
        told = _fields(self, whole)
        return {name: value for name, value in told.items() if name not in ("name", "evaluations")}

    @property
    def fingerprint(self) -> str:
        """12 hexadecimal digits of what is not at its default: a new field renames no run that does without it."""
        told = json.dumps(self.to_json(whole=False), sort_keys=True)
        return hashlib.sha256(told.encode()).hexdigest()[:12]

    def check_same(self, stored: Mapping[str, Any]) -> None:
        """Raises InputError where a default has changed since `stored` was written: the run is another one now."""
        if different := _differing(stored, self.to_json()):
            raise InputError(f"the run {self.fingerprint} was made with another {different}: delete its folder")


def _fields(record: Any, whole: bool) -> dict[str, Any]:
    given = {one.name: (getattr(record, one.name), one.default) for one in dataclasses.fields(record)}
    return {name: as_plain(now, whole) for name, (now, default) in given.items() if whole or now != default}


def as_plain(value: Any, whole: bool) -> Any:
    """Settings as JSON has them: a dataclass is an object with its class's name at the key "". Raises InputError."""
    if isinstance(value, Experiment):  # inside another one: as a start, a teacher, a backbone
        return value.fingerprint
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {"": type(value).__name__, **_fields(value, whole)}
    if isinstance(value, tuple | list):
        return [as_plain(one, whole) for one in value]
    if isinstance(value, Mapping):
        return {str(name): as_plain(one, whole) for name, one in value.items()}
    if value is None or isinstance(value, str | int | float | bool):
        return value
    raise InputError(
        f"{value!r}: an experiment is made of dataclasses and plain values, so that it can be written down"
    )


def _differing(one: Any, other: Any, path: str = "") -> str:
    """The path of the first value that both have and that differs; empty if there is none."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        inner = (_differing(one[name], other[name], f"{path}.{name}") for name in one.keys() & other.keys())
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        inner = (_differing(*pair, f"{path}.{place}") for place, pair in enumerate(zip(one, other, strict=True)))
    else:
        return "" if one == other else path.lstrip(".")
    return next(filter(None, inner), "")


def parts_of(value: Any) -> Iterator[Any]:
    """Every dataclass of a tree of settings, the whole first."""
    if dataclasses.is_dataclass(value):
        yield value
        for one in dataclasses.fields(value):
            yield from parts_of(getattr(value, one.name))
    elif isinstance(value, tuple):
        for one in value:
            yield from parts_of(one)
