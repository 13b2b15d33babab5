"""The arrays of a Partition, made in one pass over the vectors after training on a sample."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from limner.core.errors import InputError
from limner.core.types import Floats, Integers
from limner.index.coded import CodedLists, in_lists, packed, turn
from limner.index.effort import COUNTS, Trials, learn

_ROWS = 1 << 14
"""So many vectors are worked on at a time."""

_ROWS_A_LIST = 40
"""So many vectors a list train the centroids, and there are no more lists than give each so many."""

_ROUNDS = 8
_SAMPLE_QUERIES = 512
_BROAD = 100
"""The lists of nearly all of so many neighbours are read to learn effort,"""
_FOUND = 1 << 12
"""and so many rows found in them."""


def build(
    blocks: Sequence[Floats],
    similarity: str,
    folder: Path | None = None,
    seed: int = 0,
) -> dict[str, npt.NDArray[np.generic]]:
    """The arrays that `Partition` opens; row numbers count through the `blocks`, float32 (n_i, d).

    similarity: "cosine" (vectors of length 1 or 0) or "dot". Memory beyond the vectors: what training takes, and three
    bits a number; the int8 codes grow in an unnamed file in `folder` (None: that of the system for temporary files).
    Raises InputError if there is no vector.
    """
    count = sum(map(len, blocks))
    if not count:
        raise InputError("a partition needs at least one vector")
    random = np.random.default_rng(seed)
    lists = max(1, min(round(4 * count**0.5), count // _ROWS_A_LIST))
    chosen = np.sort(random.choice(count, min(count, lists * _ROWS_A_LIST), replace=False))
    longest = np.float32(1 if similarity == "cosine" else _longest(blocks))
    size = blocks[0].shape[1]
    half = max(factor for factor in range(1, int(size**0.5) + 1) if size % factor == 0)
    rotation = _rotation(half, random), _rotation(size // half, random)
    sample = turn(_take(blocks, chosen) / longest, *rotation)
    nearest = [_Nearest(asked, min(COUNTS[-1], count)) for asked in _questions(sample, random)]
    scale = _scale(sample)
    centroids = _rounded(_centroids(sample, lists, similarity, seed), scale)
    del sample

    def turned() -> Iterator[tuple[int, Floats]]:
        for start, piece in _pieces(blocks):
            vectors = turn(piece / longest, *rotation)
            for part in nearest:
                part.offer(vectors, start)
            yield start, vectors

    arrays: dict[str, npt.NDArray[np.generic]] = {
        "left": rotation[0],
        "right": rotation[1],
        "centroids": centroids,
        "scale": scale,
        "longest": np.array(longest),
    }
    coded, list_of_row = _coded(turned(), centroids, scale, _scratch((count, size), folder))
    arrays |= coded
    counts = [number for number in COUNTS if number <= count]
    return arrays | learn([_trials(CodedLists(arrays), list_of_row, part) for part in nearest], counts)


def _coded(
    pieces: Iterator[tuple[int, Floats]], centroids: npt.NDArray[np.int8], scale: Floats, codes: npt.NDArray[np.int8]
) -> tuple[dict[str, npt.NDArray[np.generic]], Integers]:
    """The codes of all vectors, which come turned, with `codes` filled; and the list of each row."""
    import faiss

    lists, size = centroids.shape
    centres = centroids * scale
    quantizer = faiss.IndexFlatL2(size)
    quantizer.add(centres)
    list_of_row = np.empty(len(codes), np.int64)
    bits, factors = np.empty((len(codes), -(-size // 64)), np.uint64), np.empty(len(codes), np.float32)
    for start, vectors in pieces:
        own = slice(start, start + len(vectors))
        list_of_row[own] = quantizer.assign(vectors, 1).reshape(-1)
        rest = vectors - centres[list_of_row[own]]
        bits[own] = packed(rest > 0)
        # So much longer than its signs' share of it is the difference: the estimate of its products is unbiased.
        factors[own] = (rest * rest).sum(axis=1) / np.maximum(np.abs(rest).sum(axis=1), 1e-30)
        codes[own] = _rounded(vectors, scale)
    return {**in_lists(bits, factors, list_of_row, lists), "codes": codes}, list_of_row


class _Nearest:
    """The nearest rows of each query so far."""

    def __init__(self, queries: Floats, count: int) -> None:
        self.queries, self._count = queries, count
        self._scores = np.empty((len(queries), 0), np.float32)
        self.rows = np.empty((len(queries), 0), np.int64)
        """(q, count): nearest first, when all vectors have been offered."""

    def offer(self, vectors: Floats, start: int) -> None:
        scores: Floats = self.queries @ vectors.T
        floor = self._scores[:, -1] if self._scores.shape[1] == self._count else np.full(len(scores), -np.inf)
        better = [np.flatnonzero(row > least) for row, least in zip(scores, floor, strict=True)]
        width = max(map(len, better))
        # Rows of unequal length, filled up with what never enters.
        new = np.full((len(scores), width), -np.inf, np.float32)
        rows = np.full((len(scores), width), -1, np.int64)
        for query, columns in enumerate(better):
            new[query, : len(columns)] = scores[query, columns]
            rows[query, : len(columns)] = columns + start
        self._scores, self.rows = np.hstack([self._scores, new]), np.hstack([self.rows, rows])
        order = np.argsort(-self._scores, axis=1, kind="stable")[:, : self._count]
        self._scores = np.take_along_axis(self._scores, order, axis=1)
        self.rows = np.take_along_axis(self.rows, order, axis=1)


def _trials(coded: CodedLists, list_of_row: Integers, nearest: _Nearest) -> Trials:
    queries = coded.quantised(nearest.queries)
    scores = np.stack([coded.list_scores(query) for query in queries])
    below: Floats = scores.max(axis=1, keepdims=True) - scores
    gaps: Floats = np.take_along_axis(below, list_of_row[nearest.rows], axis=1)
    broad = float(np.quantile(gaps[:, :_BROAD], 0.99))
    most = min(_FOUND, len(coded))
    places, found_gaps = np.empty((len(gaps), 2, gaps.shape[1]), np.int64), np.empty((len(gaps), 2, most), np.float32)
    place = np.empty((2, len(coded)), np.int64)
    for number, (query, rows) in enumerate(zip(queries, nearest.rows, strict=True)):
        found, rough = coded.scan(query, scores[number], broad, most)
        orders = np.stack([found[np.lexsort((found, -by))] for by in (rough, coded.rescored(query, found))])
        place[:, rows] = most
        np.put_along_axis(place, orders, np.arange(most)[None], axis=1)
        places[number], found_gaps[number] = place[:, rows], below[number, list_of_row[orders]]
    return Trials(gaps, places, found_gaps)


def _pieces(blocks: Sequence[Floats]) -> Iterator[tuple[int, Floats]]:
    """(number of its first row, vectors) of pieces of bounded size."""
    first = 0
    for block in blocks:
        for start in range(0, len(block), _ROWS):
            piece = block[start : start + _ROWS]
            yield first + start, piece
        first += len(block)


def _take(blocks: Sequence[Floats], rows: Integers) -> Floats:
    """These rows, which ascend, of all blocks in a row."""
    ends = np.cumsum([len(block) for block in blocks])
    parts = np.split(rows, np.searchsorted(rows, ends[:-1]))
    starts = ends - [len(block) for block in blocks]
    return np.concatenate([block[part - start] for block, part, start in zip(blocks, parts, starts, strict=True)])


def _rotation(size: int, random: np.random.Generator) -> Floats:
    return np.linalg.qr(random.standard_normal((size, size)))[0].astype(np.float32)


def _longest(blocks: Sequence[Floats]) -> float:
    """The length of the longest vector; 1 if all are zero."""
    return float(max(np.linalg.norm(piece, axis=1).max() for _, piece in _pieces(blocks))) or 1.0


def _unit(vectors: Floats) -> Floats:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: Floats = (vectors / np.where(lengths > 0, lengths, 1)).astype(np.float32)
    return unit


def _centroids(sample: Floats, lists: int, similarity: str, seed: int) -> Floats:
    import faiss

    faiss.cvar.distance_compute_blas_threshold = 20  # the default of faiss-cpu 1.15 makes batches slow
    training = faiss.Kmeans(
        sample.shape[1],
        lists,
        niter=_ROUNDS,
        spherical=similarity == "cosine",
        seed=seed + 1,
        min_points_per_centroid=1,
        max_points_per_centroid=_ROWS_A_LIST,
    )
    training.train(sample)
    return np.asarray(training.centroids, np.float32)


def _scale(sample: Floats) -> Floats:
    """The step of the int8 code of each coordinate, wide enough for vectors of length 1 like those of the sample."""
    shares = np.abs(sample) / np.maximum(np.linalg.norm(sample, axis=1, keepdims=True), 1e-30)
    scale: Floats = np.maximum(shares.max(axis=0), 1e-30) / np.float32(127)
    return scale


def _rounded(vectors: Floats, scale: Floats) -> npt.NDArray[np.int8]:
    codes: npt.NDArray[np.int8] = np.clip(np.rint(vectors / scale), -127, 127).astype(np.int8)
    return codes


def _questions(sample: Floats, random: np.random.Generator) -> tuple[Floats, Floats]:
    """Two kinds of queries made of vectors: such as words ask, and such as ask for more like this picture.

    The first are vectors, each moved as far as it is long along the difference of two others: they lie between the
    clusters as much as in them, where words are beside pictures. The second are vectors as they are: their first
    neighbours are near, but the hundredth is far.
    """
    count = min(len(sample), _SAMPLE_QUERIES)
    start, one, other = (sample[random.choice(len(sample), count, replace=False)] for _ in range(3))
    return _unit(_unit(start) + _unit(one - other)), _unit(start)


def _scratch(shape: tuple[int, int], folder: Path | None) -> npt.NDArray[np.int8]:
    """An array in an unnamed file, so that pages of it can leave memory."""
    with tempfile.TemporaryFile(dir=folder) as file:
        return np.memmap(file, np.int8, "w+", shape=shape)
