"""Annotation files in JSON: Karpathy's splits and COCO captions, told apart by what is in them."""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from limner.core.errors import SourceError
from limner.core.types import Item
from limner.data.datasets.dataset import Dataset, split_dataset
from limner.data.datasets.places import locate_pictures
from limner.data.sources.paths import existing_file

_COCO_NAME = re.compile(r"captions_(\w+)")


def read_annotations(path: str | Path, split: str | None, images: str | Path | None) -> Dataset:
    """Raises SourceError: no such file, no JSON of a known layout, no such split, pictures not found."""
    table = existing_file(path)
    try:
        with open(table, encoding="utf-8-sig") as file:
            whole = json.load(file)
    except (ValueError, RecursionError) as error:
        raise SourceError(f"{table}: is not JSON ({error})") from None
    except OSError as error:
        raise SourceError(f"{table}: {error.strerror}") from None
    try:
        if "annotations" in whole:
            return _coco(table, whole, split, images)
        return _karpathy(table, whole, split, images)
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        raise SourceError(
            f"{table}: neither Karpathy's layout (images with sentences) nor COCO captions (images and annotations):"
            f" {type(error).__name__} {error}"
        ) from None


def _karpathy(table: str, whole: Mapping[str, Any], split: str | None, images: str | Path | None) -> Dataset:
    """{"dataset": ..., "images": [{"filename", "filepath"?, "split", "sentences": [{"raw"}]}]}"""
    records = whole["images"]
    names = [(posixpath.join(record.get("filepath", ""), record["filename"]), record["filename"]) for record in records]
    texts = [[sentence["raw"] for sentence in record["sentences"]] for record in records]
    items = _items(table, images, names, texts)
    name = str(whole.get("dataset") or Path(table).stem.removeprefix("dataset_"))
    return split_dataset(name, table, items, [record["split"] for record in records], split)


def _coco(table: str, whole: Mapping[str, Any], split: str | None, images: str | Path | None) -> Dataset:
    """{"images": [{"id", "file_name"}], "annotations": [{"image_id", "caption"}]}: one file is one split."""
    texts: dict[Any, list[str]] = {record["id"]: [] for record in whole["images"]}
    for annotation in whole["annotations"]:
        if annotation["image_id"] not in texts:
            raise SourceError(f"{table}: a caption names image {annotation['image_id']}, which the file does not list")
        texts[annotation["image_id"]].append(annotation["caption"])
    found = _COCO_NAME.fullmatch(Path(table).stem)
    part = found[1] if found else Path(table).stem
    names = [(posixpath.join(part, record["file_name"]), record["file_name"]) for record in whole["images"]]
    items = _items(table, images, names, [texts[record["id"]] for record in whole["images"]])
    return split_dataset("coco" if found else part, table, items, [part] * len(items), split or part)


def _items(
    table: str, images: str | Path | None, names: Sequence[Sequence[str]], texts: Sequence[Sequence[str]]
) -> list[Item]:
    uri_of = locate_pictures(table, images, names)
    return [
        Item(uri_of(ways), ways[-1], texts=tuple(text for text in map(str.strip, captions) if text))
        for ways, captions in zip(names, texts, strict=True)
    ]
