"""The retrieval protocol of the image-text field: pictures with several captions each, searched both ways.

- text-to-image: a caption is the question, its one picture is relevant, all pictures are the pool.
- image-to-text: a picture is the question, each of its captions is relevant, all captions are the pool.
  "R@k" of the papers is success@k here: a hit if any of the picture's captions is among the first k.

Equal scores are ordered by a fixed shuffle of the pool that knows nothing of what is relevant. A collapsed
model, to which everything is alike, so gets recall@1 of 1/pool, not the 100 % that a stable sort of the
diagonal would give it.

Fold protocol ("COCO 1K"): the pictures are cut into consecutive folds, each searched by itself, and the
queries of all folds are put together. Smaller pools give higher numbers; the title says the pool.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from limner.core.errors import InputError
from limner.core.types import Floats, Integers, Run
from limner.eval.intervals import Sample
from limner.eval.metrics import (
    NDCG,
    AveragePrecision,
    Judged,
    MedianRank,
    RankMetric,
    Recall,
    ReciprocalRank,
    Success,
)
from limner.eval.report import Report

BLOCK_SCORES = 2**24
"""Scores held at once: 64 MB of float32, whatever the size of the pool."""
SHUFFLE_SEED = 0
CUTS = (1, 5, 10)
TEXT_TO_IMAGE: tuple[RankMetric, ...] = (
    *map(Recall, CUTS),
    MedianRank(),
    ReciprocalRank(),
    AveragePrecision(),
    NDCG(10),
)
IMAGE_TO_TEXT: tuple[tuple[RankMetric, str], ...] = (
    *((Success(cut), "any of") for cut in CUTS),
    (MedianRank(), "first of"),
    (ReciprocalRank(), "first of"),
    (AveragePrecision(), "all"),
    (NDCG(10), "all"),
)
"""Each with the sense in which it takes a picture's several captions."""


def evaluate_vectors(
    images: Floats,
    captions: Floats,
    owner: Integers,
    *,
    name: str,
    image_ids: Sequence[str] | None = None,
    caption_ids: Sequence[str] | None = None,
    fold_size: int | None = None,
    facts: Mapping[str, str | int | float] | None = None,
    notes: Sequence[str] = (),
) -> Report:
    """Both directions with intervals; similarity is the dot product.

    `images` (n, d), `captions` (m, d), `owner` (m,): the row of each caption's picture. `name`: data and split.
    `fold_size`: pictures in a fold; n must be a multiple of it. A picture without captions stays in the pool
    but asks nothing. Raises InputError where shapes, owners or fold size don't fit, or a value is not finite.
    """
    images, captions, owner = _checked(images, captions, owner)
    order = np.argsort(owner, kind="stable")
    captions, owner = captions[order], owner[order]
    counts = np.bincount(owner, minlength=len(images))
    folds = _folds(counts, fold_size)
    asked = np.flatnonzero(counts)
    texts_of_image = _judge_folds(images, captions, folds, _captions_of(counts))
    images_of_text = _judge_folds(captions, images, [(texts, pictures) for pictures, texts in folds], owner[:, None])
    clusters = np.unique(owner, return_inverse=True)[1].astype(np.int64)
    image_names = [str(row) if image_ids is None else image_ids[row] for row in asked.tolist()]
    caption_names = [str(row) if caption_ids is None else caption_ids[row] for row in order.tolist()]
    samples = [
        Sample(f"text-to-image {metric.name}", metric.values(images_of_text), caption_names, clusters, metric.statistic)
        for metric in TEXT_TO_IMAGE
    ]
    texts_of_image = Judged(texts_of_image.ranks[asked], texts_of_image.grades[asked])
    for metric, reading in IMAGE_TO_TEXT:
        label = f"image-to-text {metric.name}{_qualifier(reading, counts[asked])}"
        samples.append(
            Sample(label, metric.values(texts_of_image), image_names, np.arange(len(asked)), metric.statistic)
        )
    recalls = tuple(row + place for row in (0, len(TEXT_TO_IMAGE)) for place in range(len(CUTS)))
    return Report(
        f"{name}: {_pool(counts, folds)}",
        tuple(samples),
        facts or {},
        tuple(notes),
        recalls=recalls,
        resampled="images (an image's captions are drawn with it)",
    )


def similarity_blocks(queries: Floats, pool: Floats) -> Iterator[Floats]:
    """The dot products of (n, d) queries with (m, d), as blocks of rows (b, m) of bounded size."""
    step = max(1, BLOCK_SCORES // max(1, len(pool)))
    for start in range(0, len(queries), step):
        yield queries[start : start + step] @ pool.T


def top_run(queries: Floats, pool: Floats, query_ids: Sequence[str], pool_ids: Sequence[str], depth: int) -> Run:
    """The `depth` best of the pool for each query, (n, d) and (m, d), as a Run."""
    depth = min(depth, len(pool))
    scores: dict[str, dict[str, float]] = {}
    names = iter(query_ids)
    for block in similarity_blocks(queries, pool):
        best = np.argpartition(block, -depth, axis=1)[:, -depth:]
        for columns, values in zip(best.tolist(), np.take_along_axis(block, best, axis=1).tolist(), strict=True):
            scores[next(names)] = {pool_ids[column]: value for column, value in zip(columns, values, strict=True)}
    return Run(scores)


def rank_relevant(blocks: Iterable[Floats], relevant: Integers) -> Judged:
    """Places of the relevant items, from the rows of a similarity matrix.

    `blocks`: rows (b, m) in order, n in all, from any scorer. `relevant` (n, r): columns of the relevant items
    of each row, -1 in unused places. Ties are ordered by a fixed shuffle of the columns.
    """
    ranks = np.full(relevant.shape, np.inf)
    shuffled: npt.NDArray[np.int64] | None = None
    row = 0
    for block in blocks:
        if shuffled is None:
            shuffled = np.random.default_rng(SHUFFLE_SEED).permutation(block.shape[1])
        for scores in block:
            for place, column in enumerate(relevant[row]):
                if column >= 0:
                    ranks[row, place] = _rank(scores, column, shuffled)
            row += 1
    return Judged(ranks, (relevant >= 0).astype(np.float64))


def _rank(scores: Floats, column: np.int64, shuffled: npt.NDArray[np.int64]) -> int:
    own = scores[column]
    ahead = np.count_nonzero(scores > own)
    tied = scores == own
    if np.count_nonzero(tied) > 1:
        ahead += np.count_nonzero(shuffled[tied] < shuffled[column])
    return 1 + int(ahead)


def _judge_folds(queries: Floats, pool: Floats, folds: Sequence[tuple[slice, slice]], relevant: Integers) -> Judged:
    """Each fold's queries searched among that fold's pool. `relevant` (n, r): rows of the whole pool, or -1."""
    parts = [
        rank_relevant(
            similarity_blocks(queries[asking], pool[answering]),
            np.where(relevant[asking] >= 0, relevant[asking] - answering.start, -1),
        )
        for asking, answering in folds
    ]
    return Judged(np.concatenate([part.ranks for part in parts]), np.concatenate([part.grades for part in parts]))


def _captions_of(counts: Integers) -> Integers:
    """(n,) captions a picture -> (n, r) rows of captions that are sorted by picture, -1 in unused places."""
    places = np.arange(counts.max())
    rows = (np.cumsum(counts) - counts)[:, None] + places
    return np.where(places < counts[:, None], rows, -1)


def _folds(counts: Integers, fold_size: int | None) -> list[tuple[slice, slice]]:
    """Rows of pictures and rows of captions of each fold."""
    size = len(counts) if fold_size is None else fold_size
    if size < 1 or len(counts) % size:
        raise InputError(f"folds of {size} images: {len(counts):,} images cannot be cut into whole folds of that size")
    ends = np.concatenate([[0], np.cumsum(counts)])
    return [
        (slice(start, start + size), slice(int(ends[start]), int(ends[start + size])))
        for start in range(0, len(counts), size)
    ]


def _qualifier(reading: str, counts: Integers) -> str:
    """In which sense several captions are relevant, as the metric's name says it."""
    low, high = counts.min(), counts.max()
    if high == 1:
        return ""
    return f" ({reading} {low} captions)" if low == high else f" ({reading} {low} to {high} captions)"


def _pool(counts: Integers, folds: Sequence[tuple[slice, slice]]) -> str:
    """How many are searched among how many: a recall means nothing without it."""
    whole = f"{len(counts):,} images, {counts.sum():,} captions"
    if len(folds) == 1:
        return f"{whole}, each searched in the whole pool of the other kind"
    texts = sorted({captions.stop - captions.start for _, captions in folds})
    pool = f"{folds[0][0].stop:,} images and {' to '.join(f'{count:,}' for count in sorted({texts[0], texts[-1]}))}"
    return f"{whole} in {len(folds)} folds, each searched in its own pool of {pool} captions"


def _checked(images: Floats, captions: Floats, owner: Integers) -> tuple[Floats, Floats, Integers]:
    images, captions, owner = np.asarray(images, np.float32), np.asarray(captions, np.float32), np.asarray(owner)
    if images.ndim != 2 or captions.ndim != 2 or images.shape[1] != captions.shape[1]:
        raise InputError(f"image vectors {images.shape} and caption vectors {captions.shape}: need (n, d) and (m, d)")
    if owner.shape != (len(captions),) or owner.dtype.kind not in "iu":
        raise InputError(f"owner {owner.shape}, {owner.dtype}: needs one row number of an image for each caption")
    if not len(captions) or owner.min() < 0 or owner.max() >= len(images):
        raise InputError(f"owner: needs captions, each with a row of the {len(images):,} images")
    for kind, vectors in (("image", images), ("caption", captions)):
        if not np.isfinite(vectors).all():
            row = np.flatnonzero(~np.isfinite(vectors).all(axis=1))[0]
            raise InputError(f"{kind} vector {row} holds nan or inf, so it has no rank")
    return images, captions, owner.astype(np.int64)
