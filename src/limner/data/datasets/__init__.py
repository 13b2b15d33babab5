"""Data sets as benchmarks know them: a name, a split, pictures with their captions, and the counts to expect.

    folder with Flickr8k.token.txt, Flickr_8k.*Images.txt     the original layout of Flickr8k
    dataset_flickr8k.json, dataset_flickr30k.json, ...        Karpathy's splits
    captions_val2014.json, ...                                COCO captions
    everything else that `data.sources` opens                 pairs of one's own: CSV, JSONL, parquet, tar, folder

Nothing is downloaded: the data are where the person put them.
"""

from __future__ import annotations

import os
import posixpath
from pathlib import Path

from limner.core.errors import InputError
from limner.core.types import Item
from limner.data.datasets.annotations import read_annotations
from limner.data.datasets.dataset import Dataset, split_dataset
from limner.data.datasets.flickr8k import is_flickr8k, read_flickr8k
from limner.data.sources import open_source

__all__ = ["Dataset", "open_dataset"]


def open_dataset(path: str | Path, split: str | None = None, *, images: str | Path | None = None) -> Dataset:
    """One split of the data at `path`; the layouts are listed at the top of this page.

    `split`: "train", "val", "test" ...; "train+restval" joins two; None: "test" where the data have splits,
    else all of it (a COCO file is one split, and is taken). Pairs that name no splits have "train", "val" and
    "test" all the same, by a hash of the picture's id. `images`: the folder or tar archive of the
    pictures, for Flickr8k and annotation files whose pictures are not found near them.
    Raises SourceError: nothing there, unknown layout, no such split (names those there are), no captions.
    """
    place = os.path.abspath(os.path.expanduser(path))
    if os.path.isdir(place) and is_flickr8k(place):
        return read_flickr8k(place, split, images)
    if place.lower().endswith(".json"):
        return read_annotations(place, split, images)
    if images is not None:
        raise InputError(f"{place}: says itself where its pictures are; leave `images` out")
    items = [item if item.id else item.replace(id=_name(item)) for item in open_source(place)]
    splits = [str(item.fields["split"]) if "split" in item.fields else None for item in items]
    return split_dataset(Path(place).name.partition(".")[0], place, items, splits, split)


def _name(item: Item) -> str:
    """Its name inside the source; the uri for what is no row (a broken line)."""
    return posixpath.join(*(str(item.fields.get(key, "")) for key in ("folder", "name"))) or item.uri
