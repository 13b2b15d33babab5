"""The same data with only those training texts that a filter keeps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from limner.core.errors import InputError
from limner.core.types import Integers
from limner.data.corpus import Corpora
from limner.train.corpora.derived import Derived
from limner.train.runs import Place


class TextFilter(Protocol):
    """Settings of a filter of alt-texts (limner.curate)."""

    def __call__(self, texts: Sequence[str], pictures: Integers) -> npt.NDArray[np.bool_]:
        """n texts and the number of each one's picture -> (n,) True for those that stay."""
        ...


@dataclass(frozen=True, slots=True)
class Kept(Derived):
    """Training texts of the role that the filter drops are gone, and pictures that have no other text of it with them.

    Validation and test stay as they are.
    """

    filter: TextFilter
    role: str = "caption"

    def load(self, place: Place) -> Corpora:
        """Raises InputError where nothing stays."""
        corpora = self.data.load(place)
        train = corpora.train
        judged = [(row, text) for row, texts in enumerate(train.texts) for text in texts if text.role == self.role]
        pictures = np.array([row for row, _ in judged], np.int64)
        stays = self.filter([text.text for _, text in judged], pictures)
        gone = {(row, text) for (row, text), kept in zip(judged, stays.tolist(), strict=True) if not kept}
        rows = np.unique(pictures[stays])
        if not len(rows):
            raise InputError(f"{train.name}: the filter {self.filter} keeps no text")
        texts = [[text for text in some if (row, text) not in gone] for row, some in enumerate(train.texts)]
        return Corpora(train.replace(texts=texts).take(rows), corpora.validation, corpora.test, corpora.more)
