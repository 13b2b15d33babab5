"""The vectors of one space: ledger rows and array files together, as blocks to read and batches to add."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from limner.core.errors import CollectionError, InputError
from limner.core.selection import Selection
from limner.core.types import Floats, Integers, Representation, Space, concatenate
from limner.index.arrays import Array, ArrayFile, ArrayFolder, Arrays, damaged
from limner.index.catalogue import Catalogue
from limner.index.chunks import Chunks
from limner.index.layout import fits, fitted, from_arrays, longest, to_arrays
from limner.index.ledger import Shard, View, locate
from limner.index.structure import Structure, alive_rows, count_rows, is_due, key_arrays

VERIFIED_BYTES = 64 << 20
"""Up to this total the checksums are tested on opening; beyond, only sizes and headers are."""

MERGED_SHARDS = 16
"""So many shards of like size become one: few files to search, and each vector is rewritten only a few times."""

LARGE_SHARD_ROWS = 1 << 18
"""A shard of this size is merged no more, only rewritten when half of it is dead."""


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """The rows of one shard."""

    keys: Integers
    """(n,) int64, ascending."""
    arrays: Arrays
    """As `layout` says, memory-mapped and read-only."""
    space: Space
    live: npt.NDArray[np.bool_] | None
    """(n,): which rows a search may find. None: all of them."""
    kept: npt.NDArray[np.bool_] | None
    """(n,): the same with the rows of vanished items. None: all of them."""
    norm: float
    """Euclidean length of the longest vector."""
    covered: bool
    """Whether the structure of the snapshot knows these rows."""

    @property
    def vectors(self) -> Floats:
        """(n, d) of a dense space."""
        return self.arrays["vectors"]

    def count(self) -> int:
        """How many items a search may find."""
        return len(self.keys) if self.live is None else int(self.live.sum())

    def take(self, rows: Integers) -> Representation:
        return from_arrays(self.arrays, rows, self.space)

    def rows(self, among: Selection | None = None) -> Integers | None:
        """The rows that are alive and, if given, selected; ascending. None: every row."""
        if among is None:
            return None if self.live is None else np.flatnonzero(self.live)
        rows = among.rows(self.keys)
        return rows if self.live is None else rows[self.live[rows]]

    def mask(self, among: Selection | None = None) -> npt.NDArray[np.bool_] | None:
        """`rows` as a mask (n,). None: every row."""
        if among is None:
            return self.live
        mask = among.mask(self.keys)
        return mask if self.live is None else mask & self.live

    def rows_of(self, keys: Integers) -> Integers:
        """The rows of those of these ascending keys that are alive here."""
        rows = locate(self.keys, keys[slice(*np.searchsorted(keys, (self.keys[0], self.keys[-1] + 1)))])
        return rows if self.live is None else rows[self.live[rows]]


@dataclass(frozen=True, eq=False)
class Snapshot:
    """What a space held at one moment."""

    view: View | None
    """What the ledger said; the blocks are in the order of its shards."""
    blocks: tuple[Block, ...]
    structure: Structure | None

    def vectors(self, keys: Integers) -> Floats:
        """(m, d) of a dense space: those of ascending keys (m,) that are alive and covered."""
        blocks, firsts, lasts = self._spans
        taken = np.empty((len(keys), blocks[0].space.size), np.float32)
        starts, ends = np.searchsorted(keys, firsts).tolist(), np.searchsorted(keys, lasts, "right").tolist()
        apart = not np.any(firsts[1:] <= lasts[:-1])
        for block, start, end in zip(blocks, starts, ends, strict=True):
            asked = keys[start:end]
            if start == end:
                continue
            rows = np.searchsorted(block.keys, asked)
            if apart:
                taken[start:end] = block.vectors[rows]
                continue
            here = block.keys[rows] == asked
            if block.live is not None:
                here &= block.live[rows]
            taken[start:end][here] = block.vectors[rows[here]]
        return taken

    @cached_property
    def _spans(self) -> tuple[tuple[Block, ...], Integers, Integers]:
        """The covered blocks by their first key, the first keys and the last keys."""
        blocks = tuple(sorted((block for block in self.blocks if block.covered), key=lambda block: int(block.keys[0])))
        return blocks, np.array([block.keys[0] for block in blocks]), np.array([block.keys[-1] for block in blocks])

    def rest(self) -> tuple[Block, ...]:
        """The blocks that the structure does not cover."""
        return tuple(block for block in self.blocks if not block.covered)


class VectorStore:
    """The vectors that one model made in one space. Many readers, one writer, as the catalogue says.

    Everything that is written becomes part of the transaction of `catalogue` that is open, if one is.
    """

    def __init__(self, catalogue: Catalogue, folder: ArrayFolder, fingerprint: str, space: Space) -> None:
        self.space = space
        self._catalogue = catalogue
        self._folder = folder
        self._fingerprint = fingerprint
        self._snapshot = Snapshot(None, (), None)
        self._files: dict[str, dict[str, Array]] = {}
        """The files that are open: what was mapped and verified once is not again."""

    def snapshot(self) -> Snapshot:
        """All vectors as they are now. Raises CollectionError for a damaged or missing file."""
        snapshot = self._snapshot
        if snapshot.view is None or snapshot.view.generation != self._catalogue.shards.generation():
            self._snapshot = snapshot = self._open()
        return snapshot

    def add(self, keys: Integers, items: Representation) -> None:
        """Add or replace. `keys` (n,) int64, each once; n items, kept as `layout.fitted` makes them.

        Raises InputError for items that do not fit the space or a repeated key; StorageError.
        """
        keys, items = in_order(keys, items, self.space)
        if not len(keys):
            return
        with self._catalogue.transaction():
            file = self._folder.write(to_arrays(items, self.space))
            self._catalogue.shards.add(self._fingerprint, self.space.name, file, longest(items), keys)
            self.compact()

    def remove(self, keys: Integers) -> int:
        """Forget these; returns how many were there."""
        with self._catalogue.transaction():
            self.compact()
            return self._catalogue.shards.bury(np.asarray(keys, np.int64), self._fingerprint, self.space.name)

    def take(self, keys: Integers) -> tuple[Integers, Representation]:
        """Those of `keys` that have a vector here, vanished ones too: (m,) ascending, and the m representations."""
        found, parts = [np.empty(0, np.int64)], []
        for block in self.snapshot().blocks:
            rows = locate(block.keys, keys)
            rows = rows if block.kept is None else rows[block.kept[rows]]
            found.append(block.keys[rows])
            parts.append(block.take(rows))
        taken = np.concatenate(found)
        order = np.argsort(taken)
        return taken[order], concatenate(parts, self.space).take(order)

    def compact(self) -> None:
        """Merge shards where there are many of like size, and leave out dead rows where there are many.

        At once, or when the transaction around has been committed. `add` and `remove` do it by
        themselves. Does nothing, quickly, when there is nothing to gain.
        """
        self._catalogue.after_commit(self._compact)

    def refresh(self, build: Callable[[Chunks], dict[str, Array]], least: int) -> bool:
        """Build the structure anew where enough has changed since the last time; returns whether it was.

        `build` makes its arrays of all live rows; `least`: with fewer items there is no structure. Searches go on
        meanwhile with what there is. Raises CollectionBusy when another process writes at the end.
        """
        view = self._view()
        snapshot = self._open_view(view)
        blocks, structure = snapshot.blocks, snapshot.structure
        live = [block.keys if block.live is None else block.keys[block.live] for block in blocks]
        covered = sum(len(keys) for keys, block in zip(live, blocks, strict=True) if block.covered)
        count = sum(map(len, live))
        if not is_due(0 if structure is None else len(structure), covered, count, least):
            return False
        arrays = None
        if count >= least:
            rows = [locate(block.keys, keys) for block, keys in zip(blocks, live, strict=True)]
            chunks = Chunks([block.arrays for block in blocks], rows, live, self.space)
            arrays = {**build(chunks), **key_arrays(chunks.keys)}
        # The file is written under the lock: a writer sweeps what the ledger does not name.
        with self._catalogue.writing():
            file = None if arrays is None else self._folder.write(arrays)
            self._catalogue.shards.cover(view.shards, self._fingerprint, self.space.name, file)
            self._folder.sweep(self._catalogue.shards.files())
        return True

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

    def missing(self) -> Integers:
        """Keys, ascending, of the items that have not vanished and have no vector here."""
        return self._catalogue.shards.missing(self._fingerprint, self.space.name)

    def stats(self) -> dict[str, int]:
        """`vectors` that a search can find, `dead` rows, `shards` and their `bytes`; the structure's rows and bytes."""
        view, snapshot = self._view(), self.snapshot()
        structure = snapshot.structure
        return {
            "vectors": sum(block.count() for block in snapshot.blocks),
            "dead": sum(len(shard.dead) for shard in view.shards),
            "shards": len(view.shards),
            "bytes": sum(shard.file.bytes for shard in view.shards),
            "structure rows": 0 if structure is None else len(structure),
            "structure bytes": 0 if view.structure is None else view.structure.bytes,
        }

    def _compact(self) -> None:
        with self._catalogue.writing():
            merged = False
            while group := mergeable(self._view().shards):
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

    def _open(self) -> Snapshot:
        view = self._view()
        while True:
            try:
                return self._open_view(view)
            except (FileNotFoundError, CollectionError) as error:
                # A writer may have merged the file away after the view was taken, or while it was verified.
                again = self._view()
                if again.generation == view.generation:
                    if isinstance(error, FileNotFoundError):
                        raise damaged(self._folder.path / str(error.filename), "missing") from error
                    raise
                view = again

    def _open_view(self, view: View) -> Snapshot:
        verify = sum(shard.file.bytes for shard in view.shards) <= VERIFIED_BYTES
        before, files = self._snapshot, dict[str, dict[str, Array]]()
        arrays = None if view.structure is None else self._open_structure(view.structure, verify, files)
        known = _unchanged(before, view)
        blocks = []
        for shard in view.shards:
            opened = self._open_file(shard.file, verify, files)
            if not fits(opened, len(shard.keys), self.space):
                raise damaged(self._folder.path / shard.file.name, f"not {len(shard.keys)} items of its space")
            covered = arrays is not None and shard.structure is not None
            block = known.get(shard.file.name)
            if block is None or block.covered != covered or block.arrays is not opened:
                hidden = np.concatenate([shard.dead, locate(shard.keys, view.vanished)])
                live, kept = all_but(hidden, len(shard.keys)), all_but(shard.dead, len(shard.keys))
                block = Block(shard.keys, opened, self.space, live, kept, shard.norm, covered)
            blocks.append(block)
        self._files = files
        structure = None
        if view.structure is not None and arrays is not None:
            under = [block for block in blocks if block.covered]
            structure = before.structure
            same = structure is not None and structure.arrays is arrays
            if structure is None or not same or under != [block for block in before.blocks if block.covered]:
                live_keys = [block.keys if block.live is None else block.keys[block.live] for block in under]
                structure = Structure(view.structure.name, arrays, alive_rows(arrays, live_keys))
        return Snapshot(view, tuple(blocks), structure)

    def _open_structure(self, file: ArrayFile, verify: bool, files: dict[str, dict[str, Array]]) -> Arrays | None:
        """None where it is damaged: it can be done without."""
        try:
            arrays = self._open_file(file, verify, files)
            count_rows(arrays)
        except (OSError, CollectionError, KeyError, IndexError):
            return None
        return arrays

    def _open_file(self, file: ArrayFile, verify: bool, files: dict[str, dict[str, Array]]) -> dict[str, Array]:
        arrays = self._files.get(file.name)
        if arrays is None:
            arrays = self._folder.open(file)
            if verify:
                self._folder.verify(file)
        files[file.name] = arrays
        return arrays

    def _merge(self, group: Sequence[Shard]) -> None:
        for shard in group:
            self._folder.verify(shard.file)  # a damaged row must not get a new, valid checksum
        rows = [np.delete(np.arange(len(shard.keys)), shard.dead) for shard in group]
        keys = [shard.keys[own] for shard, own in zip(group, rows, strict=True)]
        chunks = Chunks([self._folder.open(shard.file) for shard in group], rows, keys, self.space)
        file = self._folder.write(chunks.streams()) if len(chunks.keys) else None
        self._catalogue.shards.replace(group, self._fingerprint, self.space.name, file, chunks.keys)


def _unchanged(before: Snapshot, view: View) -> dict[str, Block]:
    """By file name, the blocks whose rows are all as alive as they were."""
    if before.view is None or not np.array_equal(before.view.vanished, view.vanished):
        return {}
    dead = {shard.file.name: shard.dead for shard in view.shards}
    return {
        shard.file.name: block
        for shard, block in zip(before.view.shards, before.blocks, strict=True)
        if shard.file.name in dead and np.array_equal(dead[shard.file.name], shard.dead)
    }


def in_order(keys: Integers, items: Representation, space: Space) -> tuple[Integers, Representation]:
    """What is to be added as the space keeps it, by ascending key.

    Raises InputError for items that do not fit the space or a repeated key.
    """
    keys, items = np.asarray(keys, np.int64), fitted(items, space)
    if keys.shape != (len(items),):
        raise InputError(f"space {space.name}: {keys.shape} ids for {len(items)} vectors; give one for each")
    if len(np.unique(keys)) != len(keys):
        raise InputError(f"space {space.name}: an id occurs twice among those to add; give each once")
    order = np.argsort(keys)
    return keys[order], items.take(order)


def all_but(rows: Integers, count: int) -> npt.NDArray[np.bool_] | None:
    """A mask (count,) without these rows; None if there are none to leave out."""
    if not len(rows):
        return None
    mask = np.ones(count, np.bool_)
    mask[rows] = False
    return mask


def mergeable(shards: Sequence[Shard]) -> Sequence[Shard]:
    """The next shards to become one: half dead, or many of one tier (a power of MERGED_SHARDS). Maybe none.

    Shards that the structure covers are not merged with others, so that it covers all of a shard or nothing.
    """
    tiers: dict[tuple[bool, int], list[Shard]] = {}
    for shard in shards:
        if 2 * len(shard.dead) >= len(shard.keys):
            return [shard]
        if shard.live < LARGE_SHARD_ROWS:
            tier = int(math.log(shard.live, MERGED_SHARDS) + 1e-9)
            tiers.setdefault((shard.structure is not None, tier), []).append(shard)
    return next((tier for _, tier in sorted(tiers.items()) if len(tier) >= MERGED_SHARDS), [])
