"""What is written about items, as weighted words: the space that every collection has beside its model's."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from limner.core.types import Integers, Item, Sparse
from limner.encode.words import weigh_items
from limner.index.catalogue import Catalogue
from limner.index.place import Vectors

_ROWS = 4096


def written_about(item: Item) -> list[str]:
    """Its captions, names and all other fields that are text."""
    return [*item.texts, *(value for value in item.fields.values() if isinstance(value, str))]


def words_of_items(items: Iterable[Item]) -> Sparse:
    return weigh_items([written_about(item) for item in items])


def write_missing(catalogue: Catalogue, words: Vectors) -> None:
    """Weigh the words of the items that have none yet. Reads the ledger alone."""
    missing: Integers = words.missing()
    for start in range(0, len(missing), _ROWS):
        items = catalogue.get(missing[start : start + _ROWS])
        keys = np.array(sorted(items), np.int64)
        words.add(keys, words_of_items(items[key] for key in keys.tolist()))
