"""How the representations of each kind lie in a shard, and what is kept of them.

    dense    vectors float32 (n, d); of length 1 where the space compares by cosine
    sparse   offsets int64 (n + 1,), terms uint32, impacts uint8: weights in 255 steps up to a ceiling
    tokens   offsets int64 (n + 1,), vectors float16 (total, d)

Impacts of eight bits lose nothing that a ranking would show, and sums of integers do not depend on their order.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from limner.core.errors import InputError
from limner.core.types import Dense, Floats, Integers, Representation, Space, Sparse, Tokens
from limner.index.arrays import Array, Arrays

LONGEST_VECTOR = 1e18
"""Dot products of longer vectors overflow float32."""

LONGEST_TOKEN = 6e4
"""Longer ones do not fit float16."""

IMPACTS = 255
CEILING = 4.0
"""The largest weight that is kept; larger ones are cut to it.

Rows of a lexicon are exported at this length, and weights of BM25 are at most k1 + 1: neither is cut.
"""

ENTRY_TYPES: Mapping[str, Mapping[str, np.dtype[Any]]] = {
    "dense": {"vectors": np.dtype(np.float32)},
    "sparse": {"terms": np.dtype(np.uint32), "impacts": np.dtype(np.uint8)},
    "tokens": {"vectors": np.dtype(np.float16)},
}
"""The arrays of a shard that hold its entries, beside the offsets."""

_NEEDED = {"dense": Dense, "sparse": Sparse, "tokens": Tokens}


def fitted(representation: Representation, space: Space) -> Representation:
    """What `space` keeps of these items.

    What fits already stays bit for bit, so that twice is once. Raises InputError for another kind or shape, a
    number that is not finite, vectors too long, negative weights, and a term that an item has twice.
    """
    if not isinstance(representation, _NEEDED[space.kind]):
        needed = _NEEDED[space.kind].__name__
        raise InputError(f"space {space.name}: needs {needed}, not {type(representation).__name__}")
    if isinstance(representation, Dense):
        return Dense(fitted_vectors(representation.values, space))
    if isinstance(representation, Tokens):
        return Tokens(representation.offsets, _fitted_tokens(representation, space).astype(np.float32))
    return _fitted_weights(representation, space)


def fitted_vectors(vectors: Floats, space: Space) -> Floats:
    """Vectors (n, d) as `space` compares them: float32, and of length 1 if it compares by cosine."""
    values = np.asarray(vectors, np.float32)
    lengths = _lengths(values, space)
    if space.similarity == "cosine":
        unchanged = (np.abs(lengths - 1) < 1e-6) | (lengths == 0)
        return (values / np.where(unchanged, 1, lengths)[:, None]).astype(np.float32)
    if lengths.max(initial=0.0) > LONGEST_VECTOR:
        raise InputError(f"space {space.name}: a vector is longer than {LONGEST_VECTOR:g}; scale it down")
    return values


def question_words(queries: Representation, space: Space) -> Sparse:
    """The words of questions, whose weights may be negative and are kept as they are. Raises InputError."""
    if not isinstance(queries, Sparse):
        raise InputError(f"space {space.name}: needs Sparse, not {type(queries).__name__}")
    if queries.vocabulary_size != space.size:
        raise InputError(f"space {space.name}: has {space.size} terms, not {queries.vocabulary_size}")
    if not np.isfinite(queries.values).all():
        raise InputError(f"space {space.name}: a weight of a question is NaN or infinity")
    return queries


def longest(representation: Representation) -> float:
    """Euclidean length of the longest vector; of sparse ones, the largest weight."""
    values = representation.values
    if isinstance(representation, Sparse):
        return float(values.max(initial=0.0))
    squares = np.einsum("ij,ij->i", values, values, dtype=np.float64)
    return math.sqrt(squares.max(initial=0.0))


def to_arrays(representation: Representation, space: Space) -> dict[str, Array]:
    """Fitted items as the arrays of a shard."""
    if isinstance(representation, Dense):
        return {"vectors": representation.values}
    if isinstance(representation, Tokens):
        return {"offsets": representation.offsets, "vectors": representation.values.astype(np.float16)}
    impacts = np.rint(representation.values * (IMPACTS / CEILING)).astype(np.uint8)
    return {"offsets": representation.indptr, "terms": representation.indices.astype(np.uint32), "impacts": impacts}


def from_arrays(arrays: Arrays, rows: Integers, space: Space) -> Representation:
    """Some rows of a shard as the items that they are."""
    if space.kind == "dense":
        return Dense(np.asarray(arrays["vectors"][rows]))
    starts = arrays["offsets"][:-1][rows]
    lengths = arrays["offsets"][1:][rows] - starts
    entries, offsets = spans(starts, lengths), np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    if space.kind == "tokens":
        return Tokens(offsets, arrays["vectors"][entries].astype(np.float32))
    weights = arrays["impacts"][entries] * np.float32(CEILING / IMPACTS)
    return Sparse(offsets, arrays["terms"][entries].astype(np.int64), weights, space.size)


def fits(arrays: Arrays, rows: int, space: Space) -> bool:
    """Whether a file holds so many items of the space."""
    if space.kind == "dense":
        return _is(arrays.get("vectors"), np.float32, (rows, space.size))
    offsets = arrays.get("offsets")
    if offsets is None or not _is(offsets, np.int64, (rows + 1,)):
        return False
    entries = int(offsets[-1])
    if space.kind == "tokens":
        return _is(arrays.get("vectors"), np.float16, (entries, space.size))
    return _is(arrays.get("terms"), np.uint32, (entries,)) and _is(arrays.get("impacts"), np.uint8, (entries,))


def spans(starts: Integers, lengths: Integers) -> Integers:
    """starts[0], starts[0] + 1, ... (lengths[0] of them), starts[1], ..."""
    before = np.cumsum(lengths) - lengths
    entries: Integers = np.arange(int(lengths.sum()), dtype=np.int64) + np.repeat(starts - before, lengths)
    return entries


def _is(array: Array | None, dtype: npt.DTypeLike, shape: tuple[int, ...]) -> bool:
    return array is not None and array.dtype == dtype and array.shape == shape


def _lengths(values: Floats, space: Space) -> npt.NDArray[np.float64]:
    if values.ndim != 2 or values.shape[1] != space.size:
        raise InputError(f"space {space.name}: needs vectors of shape (n, {space.size}), not {values.shape}")
    lengths: npt.NDArray[np.float64] = np.linalg.norm(values.astype(np.float64), axis=1)
    if not np.isfinite(lengths).all():
        raise InputError(f"space {space.name}: a vector holds NaN or infinity; leave it out")
    return lengths


def _fitted_tokens(tokens: Tokens, space: Space) -> npt.NDArray[np.float16]:
    values = np.asarray(tokens.values, np.float32)
    if _lengths(values, space).max(initial=0.0) > LONGEST_TOKEN:
        raise InputError(f"space {space.name}: a vector is longer than {LONGEST_TOKEN:g}; scale it down")
    return values.astype(np.float16)


def _fitted_weights(words: Sparse, space: Space) -> Sparse:
    values, indices = np.asarray(words.values, np.float32), np.asarray(words.indices, np.int64)
    if words.vocabulary_size != space.size:
        raise InputError(f"space {space.name}: has {space.size} terms, not {words.vocabulary_size}")
    if len(indices) and (indices.min() < 0 or indices.max() >= space.size):
        raise InputError(f"space {space.name}: a term lies outside of 0 to {space.size - 1}")
    if not np.isfinite(values).all() or values.min(initial=0.0) < 0:
        raise InputError(f"space {space.name}: a weight is negative, NaN or infinity; leave it out")
    owner = np.repeat(np.arange(len(words)), np.diff(words.indptr))
    order = np.lexsort((indices, owner))
    owner, indices, values = owner[order], indices[order], values[order]
    if np.any((np.diff(owner) == 0) & (np.diff(indices) == 0)):
        raise InputError(f"space {space.name}: an item has a term twice; add up its weights")
    impacts = np.clip(np.rint(values * (IMPACTS / CEILING)), 0, IMPACTS)
    kept = impacts > 0
    offsets = np.concatenate([[0], np.cumsum(np.bincount(owner[kept], minlength=len(words)))]).astype(np.int64)
    return Sparse(offsets, indices[kept], impacts[kept].astype(np.float32) * np.float32(CEILING / IMPACTS), space.size)
