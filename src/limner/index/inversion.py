"""Inversion: from documents with weighted terms to the arrays of an inverted index (postings.py reads them)."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from limner.core.errors import InputError
from limner.core.types import Floats, Integers, Sparse
from limner.index.ordering import cluster
from limner.index.posting_kernel import PAGE
from limner.index.posting_lists import BLOCK, BLOCK_BITS, PADDING, Bytes, encode, list_bytes

_MOST_DOCUMENTS = BLOCK << 16
_MOST_TERMS = 1 << 40
_CLUSTERED_TERMS = 16
"""The order of the documents looks at so many terms of each, the weightiest."""
_STRETCH = 1 << 16
"""So many documents are read at a time."""


def invert(documents: Sparse, ceiling: float) -> dict[str, npt.NDArray[Any]]:
    """See `Postings.build`. The arrays, for v terms in e lists over n documents in b blocks:

    terms (v,) int64, ascending · first (v + 1,) and offset (v + 1,) int64: each term's entries and its place in data
    blocks, counts, maxima (e,): the entries, by term, then by block · data: the lists (posting_lists.py)
    rows (n,) and pages (b, p): the documents by block, see posting_kernel.Lists · ceiling (1,)
    """
    if not (math.isfinite(ceiling) and ceiling > 0):
        raise InputError(f"ceiling is {ceiling}; it must be a positive number")
    if len(documents) > _MOST_DOCUMENTS:
        raise InputError(f"{len(documents)} documents: one inverted index holds {_MOST_DOCUMENTS}; split them")
    if len(documents.indices) and not 0 <= documents.indices.min() <= documents.indices.max() < _MOST_TERMS:
        raise InputError("terms must be numbers from 0 to 2^40")
    order = _order(documents, ceiling)
    blocks = [_invert_block(documents, ceiling, order[at : at + BLOCK]) for at in range(0, len(order), BLOCK)]
    owner = np.repeat(np.arange(len(blocks)), [len(block.terms) for block in blocks])
    terms, counts, maxima = (
        np.concatenate([np.empty(0, np.int64), *(block[field] for block in blocks)]) for field in range(3)
    )
    by_term = np.argsort(terms, kind="stable")
    ends = np.cumsum(list_bytes(counts, maxima)[by_term])
    dictionary, first = np.unique(terms[by_term], return_index=True)
    place = np.empty_like(ends)
    place[by_term] = ends - list_bytes(counts, maxima)[by_term]
    size = int(ends[-1]) if len(ends) else 0
    return {
        "terms": dictionary,
        "first": np.append(first, len(terms)),
        "offset": np.append(place[by_term][first], size),
        "blocks": owner[by_term].astype(np.uint16),
        "counts": counts[by_term].astype(np.uint16),
        "maxima": maxima[by_term].astype(np.uint8),
        "data": _gather(blocks, np.split(place, np.searchsorted(owner, np.arange(1, len(blocks)))), size),
        "rows": (order % PAGE).astype(np.uint16),
        "pages": _pages(order),
        "ceiling": np.array([ceiling], np.float64),
    }


class _Block(NamedTuple):
    terms: Integers
    counts: Integers
    maxima: Integers
    data: Bytes


def _invert_block(documents: Sparse, ceiling: float, rows: Integers) -> _Block:
    """The lists of the documents of these rows, by term."""
    own = documents.take(rows)
    ids = np.repeat(np.arange(len(own)), np.diff(own.indptr))
    keys = (own.indices << BLOCK_BITS | ids) << 8 | _impacts(own.values, ceiling)
    keys = np.sort(keys[own.values > 0])
    postings, impacts = keys >> 8, keys & 255
    if len(twice := np.flatnonzero(postings[1:] == postings[:-1])):
        term, row = postings[twice[0]] >> BLOCK_BITS, rows[postings[twice[0]] & (BLOCK - 1)]
        raise InputError(f"document {row} has the term {term} twice; add up its weights first")
    terms = postings >> BLOCK_BITS
    starts = np.flatnonzero(np.diff(terms, prepend=-1))
    if not len(starts):
        return _Block(terms, terms, terms, np.empty(0, np.uint8))
    counts, maxima = np.diff(starts, append=len(terms)), np.maximum.reduceat(impacts, starts)
    return _Block(terms[starts], counts, maxima, encode(postings & (BLOCK - 1), impacts, counts, maxima))


def _gather(blocks: list[_Block], places: list[Integers], size: int) -> Bytes:
    """All lists together, those of each block at its `places`."""
    data = np.zeros(size + PADDING, np.uint8)
    for block, place in zip(blocks, places, strict=False):
        sizes = list_bytes(block.counts, block.maxima)
        shift = place - (np.cumsum(sizes) - sizes)
        data[np.repeat(shift, sizes) + np.arange(len(block.data))] = block.data
    return data


def _impacts(weights: Floats, ceiling: float) -> Integers:
    with np.errstate(over="ignore"):
        impacts: Integers = np.clip(np.rint(weights * np.float32(255 / ceiling)), 1, 255).astype(np.int64)
    return impacts


def _order(documents: Sparse, ceiling: float) -> Integers:
    """The rows in the order in which they are kept."""
    if len(documents) <= BLOCK:
        return np.arange(len(documents))
    weightiest = np.full((len(documents), _CLUSTERED_TERMS), _MOST_TERMS)
    for start in range(0, len(documents), _STRETCH):
        own = documents.take(slice(start, start + _STRETCH))
        row = np.repeat(np.arange(len(own)), np.diff(own.indptr)).astype(np.uint64)
        unlike = (255 - _impacts(own.values, ceiling)).astype(np.uint64)
        keys = np.sort((row << np.uint64(48) | unlike << np.uint64(40) | own.indices.astype(np.uint64))[own.values > 0])
        row = (keys >> np.uint64(48)).astype(np.int64)
        rank = np.arange(len(row)) - np.searchsorted(row, np.arange(len(own)))[row]
        kept = rank < _CLUSTERED_TERMS
        weightiest[start + row[kept], rank[kept]] = (keys[kept] & np.uint64(_MOST_TERMS - 1)).astype(np.int64)
    vocabulary = np.unique(weightiest)
    vocabulary = vocabulary[vocabulary < _MOST_TERMS]
    return cluster(np.searchsorted(vocabulary, weightiest).astype(np.int32), len(vocabulary), BLOCK)


def _pages(order: Integers) -> npt.NDArray[np.uint16]:
    """Where in each block the rows of each page start."""
    first = np.arange(0, len(order), PAGE)
    blocks = [order[at : at + BLOCK] for at in range(0, len(order), BLOCK)]
    return np.array([np.searchsorted(block, first) for block in blocks], np.uint16).reshape(len(blocks), len(first))
