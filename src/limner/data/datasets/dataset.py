"""One split of a data set: pictures with their captions."""

from __future__ import annotations

import dataclasses
import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from limner.core.errors import InputError, SourceError
from limner.core.types import Item
from limner.data.datasets.known import KNOWN, Known, Split


@dataclass(frozen=True, slots=True)
class Dataset:
    name: str
    split: str
    """Empty where the data have no splits."""
    items: tuple[Item, ...]
    """Pictures in the order of the data; `id` is unique, `texts` are the captions."""
    notes: tuple[str, ...] = ()
    """What differs from what one would expect of data of this name."""

    @property
    def captions(self) -> int:
        return sum(len(item.texts) for item in self.items)

    @property
    def licence(self) -> str:
        """The terms as the origin states them; empty where nothing is known."""
        return KNOWN.get(self.name, Known()).licence

    @property
    def fingerprint(self) -> str:
        """Equal for the same pictures (by name) with the same captions in the same order: 16 hexadecimal digits."""
        digest = hashlib.sha256()
        for item in self.items:
            for part in (item.id, *item.texts):
                digest.update(part.encode("utf-8", "surrogatepass") + b"\0")
            digest.update(b"\n")
        return digest.hexdigest()[:16]

    def first_captions(self, count: int) -> Dataset:
        """At most `count` captions a picture: papers score COCO with the first five of its five to seven."""
        if count < 1:
            raise InputError(f"first_captions({count}): needs 1 or more")
        items = tuple(item.replace(texts=item.texts[:count]) for item in self.items)
        return dataclasses.replace(self, items=items, notes=(*self.notes, f"The first {count} captions of each image."))

    def first_images(self, count: int) -> Dataset:
        """The first `count` pictures, which say so: a smaller pool gives higher numbers."""
        if count < 1:
            raise InputError(f"the first {count} images: needs 1 or more")
        if count >= len(self.items):
            return self
        note = f"Only the first {count:,} of {len(self.items):,} images: not comparable with the whole split."
        return dataclasses.replace(self, items=self.items[:count], notes=(*self.notes, note))


def split_dataset(
    name: str, place: str, items: Sequence[Item], splits: Sequence[str | None], wanted: str | None
) -> Dataset:
    """The part of `items` whose entry in `splits` is `wanted` ("train+restval": either).

    `wanted` None: "test" where the data have splits, else all. Data without splits are split by `drawn_split` where
    one is wanted. `place` names the data in messages. Pictures of a split data set that name no split are in none;
    the notes count them. Raises SourceError where there is no such split or no caption in it.
    """
    notes = []
    if wanted is not None and not any(splits):
        splits = [drawn_split(item.id) for item in items]
        notes.append(f"The data name no splits: {wanted} is drawn by a hash of each picture's id (8 : 1 : 1).")
    sizes = Counter(split for split in splits if split)
    if sizes:
        wanted = wanted or "test"
        parts = wanted.split("+")
        if missing := [part for part in parts if part not in sizes]:
            has = ", ".join(f"{split} ({count:,})" for split, count in sizes.items())
            raise SourceError(f"{place}: has no split {missing[0]!r}; it has {has}")
        lost = [item for item, split in zip(items, splits, strict=True) if not split]
        items = [item for item, split in zip(items, splits, strict=True) if split in parts]
        if lost:
            notes.append(f"{len(lost):,} records that name no split are left out, the first: {lost[0].uri}.")
    if not any(item.texts for item in items):
        raise SourceError(f"{place}: no picture has a caption, so there is nothing to measure")
    if len({item.id for item in items}) < len(items):
        items = [item.replace(id=item.uri) for item in items]
    if known := KNOWN.get(name, Known()).splits.get(wanted or ""):
        notes += _deviations(f"{name} {wanted}", known, items)
    return Dataset(name, wanted or "", tuple(items), tuple(notes))


def drawn_split(item_id: str) -> str:
    """ "train" for about eight in ten ids, "val" and "test" for one each: the same whatever else there is."""
    drawn = int.from_bytes(hashlib.sha256(item_id.encode("utf-8", "surrogatepass")).digest()[:8]) % 10
    return {0: "test", 1: "val"}.get(drawn, "train")


def _deviations(title: str, known: Split, items: Sequence[Item]) -> list[str]:
    if len(items) != known.images:
        return [f"Published as {title} are {known.images:,} images; here are {len(items):,}."]
    names = "\n".join(sorted(item.id for item in items))
    if known.names_sha256 and hashlib.sha256(names.encode()).hexdigest() != known.names_sha256:
        return [f"As many images as the published {title}, but not the same ones: the file names differ."]
    return []
