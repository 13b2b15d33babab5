"""What filters select, kept while nothing changes: a page that is turned, or typed into, asks with the same again."""

from __future__ import annotations

from dataclasses import dataclass

from limner.core.query import Predicate
from limner.core.selection import Selection
from limner.index.catalogue import Catalogue

_KEPT = 4
"""So many filters are remembered; a broad one takes nine bytes an item."""


@dataclass(frozen=True, slots=True)
class _Known:
    generation: int
    predicate: Predicate
    selection: Selection


class Filters:
    """The items that predicates hold for. Safe to use from several threads."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._known: tuple[_Known, ...] = ()
        """The latest first."""

    def select(self, predicate: Predicate) -> Selection:
        """The items that match and have not vanished, as `Catalogue.select`. Raises InputError."""
        generation = self._catalogue.shards.generation()
        known = [one for one in self._known if one.generation == generation]
        for one in known:
            if one.predicate == predicate:
                return one.selection
        selection = Selection(self._catalogue.select(predicate))
        self._known = (_Known(generation, predicate, selection), *known[: _KEPT - 1])
        return selection
