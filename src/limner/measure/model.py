"""Measure a model on a data set: its pictures and captions through the encoder, then the retrieval protocol.

report = measure(encoder, open_dataset("flickr8k", "test"))
print(report.text())
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from limner.core.errors import InputError
from limner.core.protocols import Encoder
from limner.core.types import Dense, Floats, Integers, Item, Modality, Qrels, Space
from limner.data.content import read_bytes
from limner.data.datasets import Dataset
from limner.data.pictures import read_picture
from limner.encode.stream import Loaded, encode_stream
from limner.eval.report import Report
from limner.eval.retrieval import evaluate_vectors, top_run
from limner.eval.trec import write_qrels, write_run

T = TypeVar("T")
RUN_DEPTH = 100
"""Answers a query in the TREC run files."""


def measure(
    encoder: Encoder,
    dataset: Dataset,
    *,
    name: str = "",
    batch_size: int = 32,
    threads: int | None = None,
    limit: int | None = None,
    fold_size: int | None = None,
    space: str | None = None,
    trec: str | Path | None = None,
) -> Report:
    """Retrieval in both directions, with intervals.

    `name`: what the report calls the model. `limit`: only so many pictures, the first. `fold_size`: cut the
    pictures into folds of that size, each searched alone. `space`: which dense space, where the model has
    several. `trec`: a folder for `text-to-image.run` (the first 100 answers a query), `text-to-image.qrels`
    and the same of `image-to-text`.

    Pictures that cannot be read and captions that the model cannot take are left out; the report's notes
    count them. Raises InputError where nothing is left, or `space` or `fold_size` does not fit.
    """
    started = time.perf_counter()
    used = dataset if limit is None else dataset.first_images(limit)
    target = dense_space(encoder, space)

    pairs = encode_pairs(encoder, used, target, batch_size, threads)
    items, images, kept, captions = pairs.items, pairs.images, pairs.asked, pairs.captions
    facts = _facts(encoder, name, target, used, time.perf_counter() - started)
    notes = [
        *_left_out("Images left out, with their captions", [str(error) for _, error in pairs.broken]),
        *_left_out(
            "Captions left out", [f"{_caption_id(items, caption)}: {error}" for caption, error in pairs.refused]
        ),
    ]
    title = f"{used.name} {used.split}".strip()
    if not kept:
        raise InputError(f"{title}: no caption is left to measure with. {' '.join(notes)}")
    owner = np.array([row for row, _ in kept], np.int64)
    image_ids, caption_ids = [item.id for item in items], [_caption_id(items, caption) for caption in kept]
    if trec is not None:
        _write_trec(Path(trec), (image_ids, images), (caption_ids, captions), owner)
    ids = {"image_ids": image_ids, "caption_ids": caption_ids}
    notes = [*used.notes, *notes]
    return evaluate_vectors(images, captions, owner, name=title, **ids, fold_size=fold_size, facts=facts, notes=notes)


@dataclass(frozen=True)
class Pairs:
    """Pictures and captions as vectors, in the order of the data set."""

    items: list[Item]
    images: Floats
    """(items, d)."""
    asked: list[tuple[int, int]]
    """Of each caption: which item, and which of its texts."""
    captions: Floats
    """(asked, d)."""
    broken: list[tuple[Item, InputError]]
    """Pictures that cannot be read, and why,"""
    refused: list[tuple[tuple[int, int], InputError]]
    """and captions that the model cannot take."""


def encode_pairs(
    encoder: Encoder, dataset: Dataset, space: Space, batch_size: int = 32, threads: int | None = None
) -> Pairs:
    """All pictures and captions of the data set in a dense space, of length 1 where it compares by cosine."""

    def load_picture(item: Item) -> Loaded[None]:
        return Loaded(None, read_picture(read_bytes(item.uri), item.uri, shorter_side=encoder.picture_side)[0])

    def load_caption(caption: tuple[int, int]) -> Loaded[None]:
        row, place = caption
        return Loaded(None, items[row].texts[place])

    items, images, broken = _encode(encoder, "image", dataset.items, load_picture, space, batch_size, threads)
    texts = [(row, place) for row, item in enumerate(items) for place in range(len(item.texts))]
    asked, captions, refused = _encode(encoder, "text", texts, load_caption, space, batch_size, threads)
    return Pairs(items, images, asked, captions, broken, refused)


def dense_space(encoder: Encoder, name: str | None) -> Space:
    dense = {space.name: space for space in encoder.spaces.values() if space.kind == "dense"}
    if name is None and len(dense) == 1:
        return next(iter(dense.values()))
    if name not in dense:
        raise InputError(f"say which space to measure: the dense ones of this model are {', '.join(dense) or 'none'}")
    return dense[name]


def _encode(
    encoder: Encoder,
    modality: Modality,
    things: Iterable[T],
    load: Callable[[T], Loaded[None]],
    space: Space,
    batch_size: int,
    threads: int | None,
) -> tuple[list[T], Floats, list[tuple[T, InputError]]]:
    """(what was encoded, its vectors (n, d), what was not and why), each in the order given."""
    kept, failed = list[T](), list[tuple[T, InputError]]()
    parts = [np.empty((0, space.size), np.float32)]
    for batch in encode_stream(encoder, modality, things, load, batch_size=batch_size, threads=threads):
        kept += [thing for thing, _ in batch.encoded]
        failed += batch.failed
        if batch.encoded:
            found = batch.features[space.name]
            assert isinstance(found, Dense)
            parts.append(found.values)
    vectors = np.concatenate(parts)
    if space.similarity == "cosine":
        vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), np.finfo(np.float32).tiny)
    return kept, vectors, failed


def _facts(encoder: Encoder, name: str, space: Space, dataset: Dataset, seconds: float) -> dict[str, str | int | float]:
    facts: dict[str, str | int | float] = {
        "model": name or encoder.fingerprint[:12],
        "model fingerprint": encoder.fingerprint,
        "space": f"{space.name}, {space.size} dimensions, {space.similarity}",
        "data": dataset.name,
        "split": dataset.split or "none",
        "data fingerprint": dataset.fingerprint,
        "images in the split": len(dataset.items),
        "captions in the split": dataset.captions,
        "seconds to encode": round(seconds, 1),
    }
    return facts | ({"licence of the data": dataset.licence} if dataset.licence else {})


def _caption_id(items: Sequence[Item], caption: tuple[int, int]) -> str:
    row, place = caption
    return f"{items[row].id}#{place}"


def _left_out(what: str, reasons: Sequence[str]) -> list[str]:
    return [f"{what}: {len(reasons):,}; the first: {reasons[0]}."] if reasons else []


def _write_trec(
    folder: Path, images: tuple[Sequence[str], Floats], captions: tuple[Sequence[str], Floats], owner: Integers
) -> None:
    (image_ids, image_vectors), (caption_ids, caption_vectors) = images, captions
    image_of = {caption: {image_ids[row]: 1} for caption, row in zip(caption_ids, owner, strict=True)}
    captions_of: dict[str, dict[str, int]] = {}
    for caption, row in zip(caption_ids, owner, strict=True):
        captions_of.setdefault(image_ids[row], {})[caption] = 1
    folder.mkdir(parents=True, exist_ok=True)
    write_run(top_run(caption_vectors, image_vectors, caption_ids, image_ids, RUN_DEPTH), folder / "text-to-image.run")
    write_run(top_run(image_vectors, caption_vectors, image_ids, caption_ids, RUN_DEPTH), folder / "image-to-text.run")
    write_qrels(Qrels(image_of), folder / "text-to-image.qrels")
    write_qrels(Qrels(captions_of), folder / "image-to-text.qrels")
