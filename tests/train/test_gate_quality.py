"""What is told of gates, by texts and pictures whose agreement is chosen by hand."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from train.fixed import fixed

from limner.data.corpus import Corpora, Corpus, Text
from limner.objectives.gates import RunningMeans
from limner.train.corpora.noisy import TROUBLES
from limner.train.evaluations.gate_quality import GateQuality, above

CLEAN, MISMATCHED, VAGUE = (TROUBLES.index(name) for name in ("", "mismatched", "vague"))


def outcome_of(*rows: tuple[int, tuple[float, float]]):
    """Every picture and its synthetic text point right; each row has a trouble and the vector of its raw text."""
    images = np.tile(np.array([[[1.0, 0.0]]], np.float32), (len(rows), 1, 1))
    said = {"seen": (1.0, 0.0), **{f"raw {number}": vector for number, (_, vector) in enumerate(rows)}}
    texts = [[Text(f"raw {number}"), Text("seen", "synthetic")] for number in range(len(rows))]
    corpus = Corpus("noisy", images, texts, targets={"trouble": np.array([trouble for trouble, _ in rows])})
    means = RunningMeans()
    means.values.copy_(torch.tensor([0.9, 0.9, 0.9]))
    return GateQuality()(fixed(Corpora(corpus, corpus, corpus), said, heads={"raw": means}))


def test_gates_that_know_everything():
    outcome = outcome_of((CLEAN, (1, 0)), (MISMATCHED, (0, 1)), (VAGUE, (1, 0)), (MISMATCHED, (1, 1)))
    assert list(outcome["W_s: AUC of clean against mismatched"].values) == [1, 1]
    assert outcome["W_s: chance"].mean == 0.5
    assert outcome["W_t of clean texts"].mean == 1
    expected = (np.exp(2 * (0 - 0.9)) + np.exp(2 * (0.5**0.5 - 0.9))) / 2
    assert outcome["W_t of mismatched texts"].mean == pytest.approx(expected, rel=1e-5)


def test_gates_that_are_mistaken():
    outcome = outcome_of((CLEAN, (0, 1)), (CLEAN, (1, 1)), (MISMATCHED, (1, 0.99)))
    assert outcome["W_s: AUC of clean against mismatched"].mean == 0


@given(st.lists(st.integers(0, 5), min_size=1, max_size=12), st.lists(st.integers(0, 5), min_size=1, max_size=12))
def test_above_counts_pairs(high: list[int], low: list[int]):
    shares = above(np.array(high, float), np.array(low, float))
    assert shares == pytest.approx([np.mean([(a > b) + 0.5 * (a == b) for a in high]) for b in low])
