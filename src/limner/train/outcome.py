"""What a run was measured to be, kept query by query, so that two runs can be compared in pairs."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from limner.core.types import Integers
from limner.eval.metrics.base import Doubles


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """One metric: a value for each query; its mean is the result."""

    values: Doubles
    """(q,)"""
    clusters: Integers
    """(q,): queries that hang together (the captions of one picture) share a number, from 0 without gaps."""

    @classmethod
    def of(cls, values: npt.ArrayLike, clusters: npt.ArrayLike | None = None) -> Measured:
        """A number alone is one query."""
        numbers = np.atleast_1d(np.asarray(values, np.float64))
        groups = np.arange(len(numbers)) if clusters is None else np.unique(clusters, return_inverse=True)[1]
        return cls(numbers, groups.astype(np.int64))

    @property
    def mean(self) -> float:
        return float(self.values.mean())


Outcome: TypeAlias = Mapping[str, Measured]
"""Metric name (definition, split and pool in the name) -> what was measured."""


def save(outcome: Outcome, record: Mapping[str, Any], folder: Path) -> None:
    """outcome.npz with the values and outcome.json with the means and what `record` says of the run."""
    arrays = {f"{kind}/{name}": getattr(one, kind) for name, one in outcome.items() for kind in ("values", "clusters")}
    np.savez_compressed(folder / "outcome.npz", **arrays)
    summary = {**record, "metrics": {name: one.mean for name, one in outcome.items()}}
    partial = folder / "outcome.json.partial"
    partial.write_text(json.dumps(summary, indent=1) + "\n")
    os.replace(partial, folder / "outcome.json")  # last: a folder that has it is whole


def load(folder: Path) -> tuple[Outcome, dict[str, Any]]:
    record = json.loads((folder / "outcome.json").read_text())
    with np.load(folder / "outcome.npz") as arrays:
        return {
            name: Measured(arrays[f"values/{name}"], arrays[f"clusters/{name}"]) for name in record["metrics"]
        }, record
