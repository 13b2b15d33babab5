"""Hooks on the training loop, each on its own file."""

from __future__ import annotations

from typing import Any

from limner.core.features import Features
from limner.train.batches import Batch


class Quiet:
    """A modifier that does nothing: a base to override the hooks that one needs."""

    __slots__ = ()

    def start(self, task: Any) -> None: ...

    def batch(self, task: Any, step: int, batch: Batch) -> Batch:
        return batch

    def features(self, task: Any, batch: Batch, features: Features) -> Features:
        return features

    def after_step(self, task: Any, step: int, features: Features) -> None: ...
