"""What all data share that are made of other data."""

from __future__ import annotations

from dataclasses import dataclass

from limner.train.experiment import Data


@dataclass(frozen=True, slots=True)
class Derived:
    """The tokenizer is that of the other data."""

    data: Data

    @property
    def vocabulary(self) -> int:
        return self.data.vocabulary

    @property
    def context(self) -> int:
        return self.data.context
