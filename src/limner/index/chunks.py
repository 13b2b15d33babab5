"""Rows of several shards as one sequence by ascending key, read a chunk at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from limner.core.types import Integers, Representation, Space, concatenate
from limner.index.arrays import Array, Arrays, Stream
from limner.index.layout import ENTRY_TYPES, from_arrays, to_arrays

_CHUNK_ROWS = 1 << 16


class Chunks(Sequence[Representation]):
    """Every chunk is read from the files when it is asked for, so that only one need be in memory."""

    def __init__(
        self, sources: Sequence[Arrays], rows: Sequence[Integers], keys: Sequence[Integers], space: Space
    ) -> None:
        """`rows`: which rows of each source; `keys`: of these rows, all different."""
        self.space = space
        self._sources = sources
        every = np.concatenate([np.empty(0, np.int64), *keys])
        order = np.argsort(every)
        self.keys: Integers = every[order]
        self._owner = np.repeat(np.arange(len(sources), dtype=np.int32), [len(own) for own in rows])[order]
        self._row = np.concatenate([np.empty(0, np.int64), *rows])[order]

    def __len__(self) -> int:
        return -(-len(self.keys) // _CHUNK_ROWS)

    def __getitem__(self, number: int) -> Representation:  # type: ignore[override]
        if not 0 <= number < len(self):
            raise IndexError(number)
        chunk = slice(number * _CHUNK_ROWS, (number + 1) * _CHUNK_ROWS)
        owner, row = self._owner[chunk], self._row[chunk]
        present = np.unique(owner)
        if len(present) == 1:
            return from_arrays(self._sources[present[0]], row, self.space)
        by_owner = [np.flatnonzero(owner == one) for one in present]
        parts = [
            from_arrays(self._sources[one], row[own], self.space) for one, own in zip(present, by_owner, strict=True)
        ]
        return concatenate(parts, self.space).take(np.argsort(np.concatenate(by_owner)))

    def streams(self) -> dict[str, Stream]:
        """The rows as the arrays of one shard, to be written chunk by chunk."""
        types = ENTRY_TYPES[self.space.kind]
        if self.space.kind == "dense":
            return {"vectors": Stream(types["vectors"], (len(self.keys), self.space.size), self._parts("vectors"))}
        lengths = np.zeros(len(self.keys), np.int64)
        for number, source in enumerate(self._sources):
            own = self._owner == number
            lengths[own] = np.diff(source["offsets"])[self._row[own]]
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        shape = (int(offsets[-1]), *((self.space.size,) if self.space.kind == "tokens" else ()))
        entries = {name: Stream(dtype, shape, self._parts(name)) for name, dtype in types.items()}
        return {"offsets": Stream(offsets.dtype, offsets.shape, [offsets]), **entries}

    def _parts(self, name: str) -> Iterator[Array]:
        return (to_arrays(chunk, self.space)[name] for chunk in self)
