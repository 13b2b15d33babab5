"""Several vectors an item: token sets around one centre, and scenes of objects before a background."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from limner.core.types import Floats, Kind, Representation, Tokens
from limner.measure.search.workload import Workload, power_law, unit

_SHAPE, _ITEMS, _QUERIES = range(3)


@dataclass(frozen=True)
class TokenSets(Workload):
    """`tokens` unit vectors an item, scattered around a centre of its own; a query is as many of them, perturbed.

    One vector, the mean, says most about such an item.
    """

    query_count: int = 200
    size: int = 128
    tokens: int = 32
    centre: float = 0.5
    """Length of the part that an item's tokens share, where what differs is 1 long."""
    perturbation: float = 1.5

    name: ClassVar[str] = "token sets"
    kind: ClassVar[Kind] = "tokens"

    def block(self, number: int, rows: int) -> Tokens:
        rng = self.generator(_ITEMS, number)
        centres = unit(rng.standard_normal((rows, 1, self.size), np.float32))
        inner = unit(rng.standard_normal((rows, self.tokens, self.size), np.float32))
        values = unit(self.centre * centres + inner).reshape(-1, self.size)
        return Tokens(np.arange(rows + 1) * self.tokens, values)

    def queries(self, items: Representation) -> Mapping[str, Tokens]:
        assert isinstance(items, Tokens)
        rng = self.generator(_QUERIES)
        asked = items.take(np.sort(rng.choice(len(items), self.query_count)))
        away = unit(rng.standard_normal(asked.values.shape, np.float32))
        return {f"{self.tokens} tokens": Tokens(asked.offsets, unit(asked.values + self.perturbation * away))}


@dataclass(frozen=True)
class ObjectTokens(Workload):
    """Scenes: each of some objects gives several tokens, the background gives the rest. A query names a few objects.

    An object is a kind with a nature of its own; kinds are frequent after Zipf's law, backgrounds are few and look
    alike everywhere. The mean of an item's tokens is mostly background, so that only single tokens tell.
    """

    query_count: int = 200
    size: int = 128
    kinds: int = 5000
    backgrounds: int = 50
    objects: tuple[int, int] = (2, 6)
    """Fewest and most in a scene."""
    tokens_an_object: tuple[int, int] = (2, 6)
    tokens: int = 32
    """Of an item, with those of the background."""
    nature: float = 0.7
    """Length of what one object is apart from its kind, where the kind is 1 long."""
    noise: float = 0.5
    """Length of what one token is apart from its object."""
    gap: float = 0.6
    """Length of the constant between words and pictures."""

    name: ClassVar[str] = "object tokens"
    kind: ClassVar[Kind] = "tokens"

    def block(self, number: int, rows: int) -> Tokens:
        rng = self.generator(_ITEMS, number)
        most = self.objects[1]
        there = np.arange(most) < rng.integers(self.objects[0], most + 1, (rows, 1))
        shown = rng.integers(self.tokens_an_object[0], self.tokens_an_object[1] + 1, (rows, most)) * there
        until = np.cumsum(shown, axis=1)
        # Which object a token shows; `most` where it shows the background. Tokens past `tokens` are cut off.
        owner = (np.arange(self.tokens)[None, :, None] >= until[:, None]).sum(axis=2)
        kind = np.searchsorted(self._kind_until, rng.random((rows, most)))
        own = unit(self._kinds[kind] + self.nature * self._noise(rng, rows, most))
        behind = self._backgrounds[rng.integers(self.backgrounds, size=rows)][:, None]
        shows = np.concatenate([own, behind], axis=1)
        values = shows[np.arange(rows)[:, None], owner] + self.noise * self._noise(rng, rows, self.tokens)
        return Tokens(np.arange(rows + 1) * self.tokens, unit(values).reshape(-1, self.size))

    def queries(self, items: Representation) -> Mapping[str, Tokens]:
        """Two or three words, each near one object of the item: three tokens a word."""
        assert isinstance(items, Tokens)
        rng = self.generator(_QUERIES)
        counts = rng.integers(2, 4, self.query_count)
        rows = np.sort(rng.choice(len(items), self.query_count))
        parts = []
        for row, count in zip(rows, counts, strict=True):
            tokens = items.take(slice(row, row + 1)).values.astype(np.float32)
            # The objects come first in an item, so that its first tokens show two objects at least.
            asked = tokens[rng.choice(2 * self.tokens_an_object[0], count, replace=False)].repeat(3, axis=0)
            parts.append(asked + self.noise * self._noise(rng, len(asked), 1)[:, 0] + self.gap * self._gap)
        offsets = np.concatenate([[0], np.cumsum(3 * counts)])
        return {"2 to 3 objects": Tokens(offsets, unit(np.concatenate(parts)))}

    def _noise(self, rng: np.random.Generator, rows: int, columns: int) -> Floats:
        return unit(rng.standard_normal((rows, columns, self.size), np.float32))

    @cached_property
    def _kinds(self) -> Floats:
        return self._noise(self.generator(_SHAPE, 0), self.kinds, 1)[:, 0]

    @cached_property
    def _backgrounds(self) -> Floats:
        return self._noise(self.generator(_SHAPE, 1), self.backgrounds, 1)[:, 0]

    @cached_property
    def _gap(self) -> Floats:
        return unit(self.generator(_SHAPE, 2).standard_normal(self.size, np.float32))

    @cached_property
    def _kind_until(self) -> npt.NDArray[np.float64]:
        until = np.cumsum(power_law(self.kinds, 0.8))
        until[-1] = 1
        return until
