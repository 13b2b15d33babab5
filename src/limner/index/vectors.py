"""The vectors of one space: ledger rows and shard files together, as blocks to read and batches to add."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from limner.core.errors import CollectionError, InputError
from limner.core.types import Floats, Integers, Space
from limner.index.catalogue import Catalogue
from limner.index.ledger import Shard, View, locate
from limner.index.shards import ShardFolder, damaged

VERIFIED_BYTES = 64 << 20
"""Up to this total the checksums are tested on opening; beyond, only sizes and headers are."""

MERGED_SHARDS = 16
"""So many shards of like size become one: few files to search, and each vector is rewritten only a few times."""

LARGE_SHARD_ROWS = 1 << 18
"""A shard of this size is merged no more, only rewritten when half of it is dead."""

LONGEST_VECTOR = 1e18
"""Dot products of longer vectors overflow float32."""

_COPIED_ROWS = 1 << 14


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """The rows of one shard."""

    keys: Integers
    """(n,) int64, ascending."""
    vectors: Floats
    """(n, d), memory-mapped and read-only."""
    live: npt.NDArray[np.bool_] | None
    """(n,): which rows a search may find. None: all of them."""
    kept: npt.NDArray[np.bool_] | None
    """(n,): the same with the rows of vanished items. None: all of them."""
    norm: float
    """Euclidean length of the longest vector."""


@dataclass(frozen=True, slots=True, eq=False)
class _Opened:
    generation: int | None
    blocks: tuple[Block, ...]
    files: dict[str, Floats]


class VectorStore:
    """The vectors that one model made in one space. Many readers, one writer, as the catalogue says.

    Everything that is written becomes part of the transaction of `catalogue` that is open, if one is.
    """

    def __init__(self, catalogue: Catalogue, folder: ShardFolder, fingerprint: str, space: Space) -> None:
        self.space = space
        self._catalogue = catalogue
        self._folder = folder
        self._fingerprint = fingerprint
        self._opened = _Opened(None, (), {})

    def blocks(self) -> tuple[Block, ...]:
        """All vectors as they are now, in blocks. Raises CollectionError for a damaged or missing file."""
        opened = self._opened
        generation = self._catalogue.shards.generation()
        if opened.generation != generation:
            self._opened = opened = self._open(opened)
        return opened.blocks

    def add(self, keys: Integers, vectors: Floats) -> None:
        """Add or replace. `keys` (n,) int64, each once; `vectors` (n, d), kept as `fitted` makes them.

        Raises InputError for vectors that do not fit the space or a repeated key; StorageError.
        """
        keys = np.asarray(keys, np.int64)
        vectors = fitted(vectors, self.space)
        if keys.shape != vectors.shape[:1]:
            raise InputError(f"space {self.space.name}: {keys.shape} ids for {len(vectors)} vectors; give one for each")
        if len(np.unique(keys)) != len(keys):
            raise InputError(f"space {self.space.name}: an id occurs twice among those to add; give each once")
        if not len(keys):
            return
        order = np.argsort(keys, kind="stable")
        with self._catalogue.transaction():
            file = self._folder.write([vectors[order]], *vectors.shape)
            self._catalogue.shards.add(self._fingerprint, self.space.name, file, keys[order])
            self.compact()

    def remove(self, keys: Integers) -> int:
        """Forget these; returns how many were there."""
        with self._catalogue.transaction():
            self.compact()
            return self._catalogue.shards.bury(np.asarray(keys, np.int64), self._fingerprint, self.space.name)

    def take(self, keys: Integers) -> tuple[Integers, Floats]:
        """Those of `keys` that have a vector here, vanished ones too: (m,) ascending, and the vectors (m, d)."""
        found, vectors = [np.empty(0, np.int64)], [np.empty((0, self.space.size), np.float32)]
        for block in self.blocks():
            rows = locate(block.keys, keys)
            rows = rows if block.kept is None else rows[block.kept[rows]]
            found.append(block.keys[rows])
            vectors.append(block.vectors[rows])
        taken = np.concatenate(found)
        order = np.argsort(taken)
        return taken[order], np.concatenate(vectors)[order]

    def compact(self) -> None:
        """Merge shards where there are many of like size, and leave out dead rows where there are many.

        At once, or when the transaction around has been committed. `add` and `remove` do it by
        themselves. Does nothing, quickly, when there is nothing to gain.
        """
        self._catalogue.after_commit(self._compact)

    def verify(self) -> list[str]:
        """Test the checksum of every file; returns a line for each that is damaged."""
        return [line for _, line in self._damaged()]

    def drop_damaged(self) -> int:
        """Forget the shards whose checksum is wrong, so that their items count as missing. Returns how many."""
        shards = [shard for shard, _ in self._damaged()]
        if shards:
            nothing = np.empty(0, np.int64)
            self._catalogue.shards.replace(shards, self._fingerprint, self.space.name, None, nothing)
        return len(shards)

    def placed(self) -> Integers:
        """Keys, ascending, of the items that have a vector here, vanished ones too."""
        return self._catalogue.shards.placed(self._fingerprint, self.space.name)

    def stats(self) -> dict[str, int]:
        """`vectors` that a search can find, `dead` rows, `shards` and their `bytes`."""
        shards = self._view().shards
        return {
            "vectors": sum(len(block.keys) if block.live is None else int(block.live.sum()) for block in self.blocks()),
            "dead": sum(len(shard.dead) for shard in shards),
            "shards": len(shards),
            "bytes": sum(shard.file.bytes for shard in shards),
        }

    def _compact(self) -> None:
        with self._catalogue.writing():
            merged = False
            while group := _mergeable(self._view().shards):
                # The new file is safe on disk before the ledger goes over to it; only then do the old files go.
                self._merge(group)
                merged = True
            if merged:
                self._folder.sweep(self._catalogue.shards.files())

    def _view(self) -> View:
        return self._catalogue.shards.view(self._fingerprint, self.space.name)

    def _damaged(self) -> Iterator[tuple[Shard, str]]:
        for shard in self._view().shards:
            try:
                self._folder.verify(shard.file)
            except CollectionError as error:
                yield shard, str(error)

    def _open(self, before: _Opened) -> _Opened:
        view = self._view()
        while True:
            try:
                return self._open_view(view, before)
            except (FileNotFoundError, CollectionError) as error:
                # A writer may have merged the file away after the view was taken, or while it was verified.
                again = self._view()
                if again.generation == view.generation:
                    if isinstance(error, FileNotFoundError):
                        raise damaged(self._folder.path / str(error.filename), "missing") from error
                    raise
                view = again

    def _open_view(self, view: View, before: _Opened) -> _Opened:
        verify = sum(shard.file.bytes for shard in view.shards) <= VERIFIED_BYTES
        blocks, files = [], {}
        for shard in view.shards:
            name = shard.file.name
            vectors = before.files.get(name)
            if vectors is None:
                vectors = self._folder.open(shard.file, len(shard.keys), self.space.size)
                if verify:
                    self._folder.verify(shard.file)
            files[name] = vectors
            hidden = np.concatenate([shard.dead, locate(shard.keys, view.vanished)])
            live, kept = _all_but(hidden, len(shard.keys)), _all_but(shard.dead, len(shard.keys))
            blocks.append(Block(shard.keys, vectors, live, kept, shard.file.norm))
        return _Opened(view.generation, tuple(blocks), files)

    def _merge(self, group: Sequence[Shard]) -> None:
        kept = [np.delete(np.arange(len(shard.keys)), shard.dead) for shard in group]
        keys = np.concatenate([shard.keys[rows] for shard, rows in zip(group, kept, strict=True)])
        file, order = None, np.argsort(keys)
        if len(keys):
            for shard in group:
                self._folder.verify(shard.file)  # a damaged row must not get a new, valid checksum
            sources = [self._folder.open(shard.file, len(shard.keys), self.space.size) for shard in group]
            file = self._folder.write(_gather(sources, kept, order), len(keys), self.space.size)
        self._catalogue.shards.replace(group, self._fingerprint, self.space.name, file, keys[order])


def fitted(vectors: Floats, space: Space) -> Floats:
    """Vectors (n, d) as `space` compares them: float32, and of length 1 if it compares by cosine.

    What has length 1 already (or is zero) stays bit for bit, so that twice is once. Raises InputError
    for another shape, a number that is not finite, and vectors too long for a dot product.
    """
    values = np.asarray(vectors, np.float32)
    if values.ndim != 2 or values.shape[1] != space.size:
        raise InputError(f"space {space.name}: needs vectors of shape (n, {space.size}), not {values.shape}")
    lengths: npt.NDArray[np.float64] = np.linalg.norm(values.astype(np.float64), axis=1)
    if not np.isfinite(lengths).all():
        raise InputError(f"space {space.name}: a vector holds NaN or infinity; leave it out")
    if space.similarity == "cosine":
        unchanged = (np.abs(lengths - 1) < 1e-6) | (lengths == 0)
        return (values / np.where(unchanged, 1, lengths)[:, None]).astype(np.float32)
    if lengths.max(initial=0.0) > LONGEST_VECTOR:
        raise InputError(f"space {space.name}: a vector is longer than {LONGEST_VECTOR:g}; scale it down")
    return values


def _all_but(rows: Integers, count: int) -> npt.NDArray[np.bool_] | None:
    """A mask (count,) without these rows; None if there are none to leave out."""
    if not len(rows):
        return None
    mask = np.ones(count, np.bool_)
    mask[rows] = False
    return mask


def _mergeable(shards: Sequence[Shard]) -> Sequence[Shard]:
    """The next shards to become one: half dead, or many of one tier (a power of MERGED_SHARDS). Maybe none."""
    tiers: dict[int, list[Shard]] = {}
    for shard in shards:
        if 2 * len(shard.dead) >= len(shard.keys):
            return [shard]
        if shard.live < LARGE_SHARD_ROWS:
            tiers.setdefault(int(math.log(shard.live, MERGED_SHARDS) + 1e-9), []).append(shard)
    return next((tier for _, tier in sorted(tiers.items()) if len(tier) >= MERGED_SHARDS), [])


def _gather(sources: Sequence[Floats], kept: Sequence[Integers], order: Integers) -> Iterator[Floats]:
    """The kept rows of all sources, concatenated and put in `order`, in chunks of bounded size."""
    owner = np.repeat(np.arange(len(sources)), [len(rows) for rows in kept])[order]
    row = np.concatenate(kept)[order]
    for start in range(0, len(order), _COPIED_ROWS):
        chunk_owner, chunk_row = owner[start : start + _COPIED_ROWS], row[start : start + _COPIED_ROWS]
        chunk = np.empty((len(chunk_row), sources[0].shape[1]), np.float32)
        for number in np.unique(chunk_owner):
            mine = chunk_owner == number
            chunk[mine] = sources[number][chunk_row[mine]]
        yield chunk
