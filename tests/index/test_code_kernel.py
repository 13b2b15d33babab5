"""What the loops over 1-bit and int8 codes promise; the compiled ones and numpy agree to the last bit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from limner.index import code_kernel
from limner.index.code_kernel import Lists, Query, dots, quantised, scan
from limner.index.coded import in_lists, packed


def made(n: int, size: int, lists: int, seed: int) -> tuple[Lists, np.ndarray, np.ndarray]:
    """Lists of n codes, their signs (n, size) as -1 and 1, and the list of each row."""
    random = np.random.default_rng(seed)
    positive = random.random((n, size)) < 0.5
    positive[n // 2 :] = positive[: n - n // 2]  # equal codes, whose rows decide
    factors = random.choice(np.array([0.5, 1.0, 1.5], np.float32), n)
    list_of_row = random.integers(lists, size=n)
    return Lists(**in_lists(packed(positive), factors, list_of_row, lists)), 2.0 * positive - 1, list_of_row


def asked(size: int, seed: int) -> Query:
    random = np.random.default_rng(seed)
    return quantised(random.standard_normal(size).astype(np.float32), np.full(size, 0.01, np.float32))


def both(lists: Lists, query: Query, scores: np.ndarray, gap: float, count: int, allowed: np.ndarray | None) -> list:
    """The answer of the loops in numpy, which the compiled ones must give, too."""
    answers = []
    with pytest.MonkeyPatch.context() as patch:
        for compiled in {None, code_kernel.compiled}:
            patch.setattr(code_kernel, "compiled", compiled)
            rows, rough = scan(lists, query, scores, gap, count, allowed)
            order = np.argsort(rows)
            answers.append((rows[order].tolist(), rough[order].tolist()))
    assert all(answer == answers[0] for answer in answers)
    return list(zip(*answers[0], strict=True))


@settings(max_examples=60, deadline=None)
@given(
    n=st.integers(0, 300),
    size=st.sampled_from([1, 7, 64, 65, 200, 512]),
    count_of_lists=st.integers(1, 12),
    share=st.sampled_from([None, 0.0, 0.02, 0.5, 1.0]),
    gap=st.sampled_from([0.0, 0.3, 1.0, 9.0]),
    count=st.integers(1, 90),
    seed=st.integers(0, 9),
)
def test_a_scan_finds_the_best_of_the_lists_it_reads(
    n: int, size: int, count_of_lists: int, share: float | None, gap: float, count: int, seed: int
) -> None:
    lists, signs, list_of_row = made(n, size, count_of_lists, seed)
    random, query = np.random.default_rng(seed + 1), asked(size, seed + 2)
    scores = random.random(count_of_lists).astype(np.float32)
    allowed = None if share is None else random.random(n) < share
    found = both(lists, query, scores, gap, count, allowed)

    eligible = np.ones(n, np.bool_) if allowed is None else allowed
    read, seen = np.zeros(n, np.bool_), 0
    floor = -np.inf
    for number in np.argsort(-scores):
        if seen >= count and scores[number] < floor:
            break
        own = eligible & (list_of_row == number)
        floor = scores[number] - np.float32(gap) if not seen else floor
        seen += own.sum()
        read |= own
    rebuilt = sum(
        weight * (query.planes[:, bit, None] >> np.arange(64, dtype=np.uint64) & 1).reshape(-1)[:size].astype(int)
        for bit, weight in enumerate((1, 2, 4, -8))
    )
    factors = np.empty(n)
    factors[lists.rows[:n]] = lists.factors[:n]
    rough = scores[list_of_row] + factors * query.step * (signs @ rebuilt)
    assert len(found) == min(count, read.sum())
    assert all(read[row] and abs(score - rough[row]) < 1e-4 for row, score in found)
    if found:
        worst = min(score for _, score in found)
        assert sum(rough[read] > worst + 1e-4) <= len(found)


@settings(max_examples=40, deadline=None)
@given(
    n=st.integers(0, 60), size=st.sampled_from([1, 5, 64, 130, 512, 4096]), some=st.booleans(), seed=st.integers(0, 9)
)
def test_dot_products_with_int8_codes(n: int, size: int, some: bool, seed: int) -> None:
    random, query = np.random.default_rng(seed), asked(size, seed)
    codes = random.integers(-127, 128, (n, size)).astype(np.int8)
    rows = random.integers(n, size=2 * n) if some else None
    answers = []
    with pytest.MonkeyPatch.context() as patch:
        for compiled in {None, code_kernel.compiled}:
            patch.setattr(code_kernel, "compiled", compiled)
            answers.append(dots(codes, query, rows))
    assert all(answer.tolist() == answers[0].tolist() for answer in answers)
    taken = codes if rows is None else codes[rows]
    assert np.allclose(answers[0], taken @ (query.fine * np.float64(query.fine_step)), rtol=1e-5, atol=1e-6)


def test_the_largest_sums_stay_within_31_bits() -> None:
    query = quantised(np.ones(4096, np.float32), np.ones(4096, np.float32))
    assert dots(np.full((1, 4096), 127, np.int8), query) == pytest.approx(4096 * 127, rel=1e-2)


def test_a_query_of_zeros_meets_all_alike() -> None:
    lists, _, _ = made(50, 64, 3, 0)
    query = quantised(np.zeros(64, np.float32), np.ones(64, np.float32))
    found = both(lists, query, np.zeros(3, np.float32), 0.0, 7, None)
    assert [row for row, _ in found] == list(range(7))


@pytest.mark.skipif(code_kernel.compiled is None, reason="the extension was not built here")
def test_damage_is_noticed_before_foreign_memory_is_touched() -> None:
    lists, _, _ = made(100, 64, 4, 0)
    query, scores = asked(64, 0), np.zeros(4, np.float32)
    damaged = [
        replace(lists, bits=lists.bits[:-1]),
        replace(lists, factors=lists.factors[:-1]),
        replace(lists, rows=lists.rows + np.uint32(1000)),
        replace(lists, starts=lists.starts + np.array([-5, 0, 0, 0, 0])),
        replace(lists, starts=lists.starts + 8),
    ]
    for broken in damaged:
        with pytest.raises(ValueError, match="damaged"):
            scan(broken, query, scores, 1.0, 10, None)
        with pytest.raises(ValueError, match="damaged"):
            scan(broken, query, scores, 1.0, 10, np.ones(100, np.bool_))
    with pytest.raises(ValueError, match="damaged"):
        scan(lists, query, scores, 1.0, 10, np.ones(99, np.bool_))
    with pytest.raises(ValueError, match="damaged"):
        dots(np.zeros((3, 64), np.int8), query, np.array([3]))
