"""Measuring one contender: every index of limner at a tiny size, the numbers checked against what is known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from limner.core.types import Dense, Integers, Representation
from limner.measure.search.contender import Contender, Effort, Mask
from limner.measure.search.contenders import contenders
from limner.measure.search.own import Own
from limner.measure.search.tokens import ObjectTokens
from limner.measure.search.trial import Trial, good_row, recall
from limner.measure.search.vectors import ClusteredVectors
from limner.measure.search.words import picture_words
from limner.measure.search.workload import SELECTIVITIES, open_workload

SMALL = {
    "dense": ClusteredVectors(1500, query_count=30, size=32),
    "sparse": picture_words(1500),
    "tokens": ObjectTokens(150, query_count=30, size=16, kinds=40),
}
OWN = [name for name, one in contenders().items() if one.is_own]


class Half(Contender):
    """Finds every second of the best, exactly; and one that the filter forbids."""

    name, kind, package = "half", "dense", "numpy"
    filters = True

    def build(self, items: Representation, folder: Path) -> None:
        assert isinstance(items, Dense)
        np.save(folder / "rows.npy", items.values)

    def open(self, items: Representation, folder: Path) -> None:
        self._rows = np.load(folder / "rows.npy")

    def search(self, query: Representation, k: int, effort: Effort, allowed: Mask | None = None) -> Integers:
        assert isinstance(query, Dense)
        scores = self._rows @ query.values[0]
        if allowed is not None:
            scores[~allowed] -= 100
        return np.argsort(-scores, kind="stable")[: 2 * k : 2]


def trial_of(contender: Contender, folder: Path, seconds: float = 5) -> Trial:
    return Trial(contender, open_workload(SMALL[contender.kind], folder), folder / "index", seconds)


@pytest.mark.parametrize("name", OWN)
def test_every_index_of_limner_is_measured(name: str, tmp_path: Path) -> None:
    (build,) = trial_of(contenders()[name], tmp_path).build()
    assert build["disk_bytes"] > 0
    assert build["seconds"] > 0
    rows = list(trial_of(contenders()[name], tmp_path).search())
    (opened,) = (row for row in rows if row["phase"] == "open")
    assert 0 < opened["held_bytes"] <= build["disk_bytes"]
    searched = [row for row in rows if row["phase"] == "search"]
    assert [row["effort"] for row in searched] == [dict(effort) for effort in contenders()[name].efforts]
    for row in searched:
        # These sizes are searched exactly, of words up to the rounding of their weights.
        assert min(row["recall@10"], row["recall@100"]) > (0.9 if "Lexical" in name else 0.999)
        assert 0 < row["p50_ms"] <= row["p99_ms"]
    filtered = [row for row in rows if row["phase"] == "filter"]
    assert [row["selectivity"] for row in filtered] == list(SELECTIVITIES)
    assert all(row["answers_missing"] == row["answers_not_allowed"] == 0 for row in filtered)
    assert all(row["recall@10"] > 0.9 for row in filtered)


@pytest.mark.parametrize("name", OWN)
def test_what_is_added_while_others_search_is_found(name: str, tmp_path: Path) -> None:
    list(trial_of(contenders()[name], tmp_path).build())
    (added,) = trial_of(contenders()[name], tmp_path, 0.2).add()
    assert added["found"]
    assert added["items"] == SMALL[contenders()[name].kind].n
    assert added["seconds_until_found"] > 0
    assert added["p50_ms_during"] > 0


def test_what_a_contender_misses_shows(tmp_path: Path) -> None:
    list(trial_of(Half(), tmp_path).build())
    rows = list(trial_of(Half(), tmp_path).search())
    (searched,) = (row for row in rows if row["phase"] == "search")
    assert searched["recall@10"] == pytest.approx(0.5)
    assert searched["recall@100"] == pytest.approx(0.5)
    filtered = {row["selectivity"]: row for row in rows if row["phase"] == "filter"}
    assert filtered[0.99]["answers_not_allowed"] == 0
    # One item is allowed, the first; what comes after it is not.
    assert filtered[0.0001]["recall@10"] == 1
    assert filtered[0.0001]["answers_not_allowed"] > 0


def test_a_slow_contender_answers_fewer_queries(tmp_path: Path) -> None:
    list(trial_of(Half(), tmp_path).build())
    (searched,) = (row for row in trial_of(Half(), tmp_path, 1e-9).search() if row["phase"] == "search")
    assert searched["asked"] == 20


def test_recall_counts_the_true_ones_that_there_are() -> None:
    truth = np.array([[3, 1, 2], [5, -1, -1], [-1, -1, -1]])
    found = [np.array([1, 9, 3]), np.array([4, 5]), np.array([], np.int64)]
    assert recall(found, truth, 3) == pytest.approx((2 / 3 + 1 + 1) / 3)
    assert recall(found[:1], truth, 1) == 0


def test_the_cheapest_good_effort_is_chosen_else_the_best() -> None:
    rows = [{"recall@10": found, "cpu_ms": time} for found, time in ((0.9, 1), (0.96, 3), (0.97, 2), (1.0, 9))]
    assert good_row(rows)["cpu_ms"] == 2
    assert good_row(rows[:1])["cpu_ms"] == 1


def test_an_index_that_needs_a_structure_has_one(tmp_path: Path) -> None:
    """The numbers of a large collection are those of the structure, not of the rows that it was made of."""
    lexical = next(one for one in contenders().values() if isinstance(one, Own) and one.kind == "sparse")
    trial = replace(trial_of(lexical, tmp_path), workload=open_workload(picture_words(5000), tmp_path))
    (build,) = trial.build()
    lexical.open(trial.workload.items, trial.folder)
    assert lexical.held_bytes(trial.folder) < build["disk_bytes"] / 2
