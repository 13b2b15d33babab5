"""How the posting lists of an inverted index are written, and how numpy reads them (_posting_kernel.c does the same).

Documents stand in blocks of 8192. A list holds what one term has in one block: `count` documents, each with an
impact of 1 to 255, none above `maximum`. Both numbers are known from the list's entry and give its whole shape:

    high bits    which documents, the upper part: for ids of 13 bits cut after `low` bits, one zero for each value
                 of the upper part and before it a one for each id that has it (Elias-Fano code; Vigna, "Quasi-succinct
                 indices", WSDM 2013). `low` is the one that makes the list smallest; for a term in more than about a
                 seventh of the block it is 0, and the high bits are a plain bitmap
    fields       in the order of the documents, `low` bits of the id and above them the impact minus 1,
                 in as many bits as `maximum` - 1 needs

Both parts start at a byte. Bits are numbered from the least significant one of each byte.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from limner.core.types import Integers

BLOCK_BITS = 13
BLOCK = 1 << BLOCK_BITS
PADDING = 128
"""Bytes after the last list, so that the kernel may read whole words."""

Bytes = npt.NDArray[np.uint8]


def _shapes() -> tuple[Integers, Integers]:
    """Of a list of each possible count: low bits an id, bytes of high bits."""
    count = np.arange(BLOCK + 1)
    low = np.arange(BLOCK_BITS + 1)[:, None]
    high = np.where(low > 0, count + (BLOCK >> low) + 7, BLOCK) >> 3
    best = np.argmin(8 * high + count * low, axis=0)
    return best, high[best, count]


LOW_BITS, HIGH_BYTES = _shapes()
_IMPACT_BITS = np.array([0, *(int(maximum - 1).bit_length() for maximum in range(1, 256))])


def field_bits(counts: Integers, maxima: Integers) -> Integers:
    bits: Integers = LOW_BITS[counts] + _IMPACT_BITS[maxima]
    return bits


def list_bytes(counts: Integers, maxima: Integers) -> Integers:
    size: Integers = HIGH_BYTES[counts] + ((counts * field_bits(counts, maxima) + 7) >> 3)
    return size


def encode(ids: Integers, impacts: Integers, counts: Integers, maxima: Integers) -> Bytes:
    """The lists of `counts` postings, one after the other: of each, ascending ids below 8192, and their impacts."""
    ends = np.cumsum(list_bytes(counts, maxima))
    bits = np.zeros(8 * ends[-1], np.uint8)
    low, width, starts = LOW_BITS[counts], field_bits(counts, maxima), 8 * (ends - list_bytes(counts, maxima))
    owner, rank = _ranks(counts)
    low_of = low[owner]
    bits[starts[owner] + (ids >> low_of) + np.where(low_of > 0, rank, 0)] = 1
    fields = (impacts - 1) << low_of | (ids & ((1 << low_of) - 1))
    at = (starts + 8 * HIGH_BYTES[counts])[owner] + rank * width[owner]
    for bit in range(int(width.max())):
        ones = np.flatnonzero((fields >> bit) & 1)
        bits[at[ones] + bit] = 1
    return np.packbits(bits, bitorder="little")


def decode(data: Bytes, counts: Integers, maxima: Integers) -> tuple[Integers, Integers, Integers]:
    """What `encode` wrote at the start of `data`: (list, id, impact) of every posting."""
    sizes = list_bytes(counts, maxima)
    starts = 8 * (np.cumsum(sizes) - sizes)
    bits = np.unpackbits(data[: sizes.sum()], bitorder="little")
    is_high = np.zeros(len(bits) + 1, np.int8)
    is_high[starts] = 1
    is_high[starts + 8 * HIGH_BYTES[counts]] -= 1
    owner, rank = _ranks(counts)
    ones = np.flatnonzero(bits & np.cumsum(is_high[:-1], dtype=np.int8).view(np.uint8))
    if len(ones) != len(owner):
        raise ValueError("the posting lists are damaged")
    low, width = LOW_BITS[counts][owner], field_bits(counts, maxima)[owner]
    at = (starts + 8 * HIGH_BYTES[counts])[owner] + rank * width
    fields = np.zeros(len(owner), np.int64)
    for bit in range(int(width.max(initial=0))):
        some = np.flatnonzero(width > bit)
        fields[some] |= bits[at[some] + bit].astype(np.int64) << bit
    upper = ones - starts[owner] - np.where(low > 0, rank, 0)
    return owner, (upper << low | (fields & ((1 << low) - 1))) & (BLOCK - 1), (fields >> low) + 1


def _ranks(counts: Integers) -> tuple[Integers, Integers]:
    """The list that each posting belongs to, and its place in it."""
    owner = np.repeat(np.arange(len(counts)), counts)
    return owner, np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)
