from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from limner.core.errors import InputError
from limner.search.fuse import (
    Borda,
    Calibrated,
    ReciprocalRank,
    best_first,
    learn_weights,
    log_odds,
    markov_chain,
    ranks,
)

SCORES = np.array([[3.0, 1.0, 2.0], [0.5, 0.5, 0.1]])
SPACES = ("dense", "words")


def test_ranks_with_equals() -> None:
    np.testing.assert_allclose(ranks(SCORES), [[1, 3, 2], [1.5, 1.5, 3]])
    assert ranks(np.empty((2, 0))).shape == (2, 0)


def test_evidence_is_added_up() -> None:
    evidence = log_odds(np.array([[0.9, 0.5, 0.2], [0.5, 0.8, 0.5]]))
    np.testing.assert_allclose(Calibrated()(SPACES, SCORES, evidence), evidence / 2)
    gains = Calibrated({"words": 1.0})(SPACES, SCORES, evidence)
    np.testing.assert_allclose(gains, evidence)
    np.testing.assert_allclose(Calibrated({"dense": 3, "words": 0.5}).of(SPACES), [3, 0.5])


def test_log_odds_of_the_certain_are_finite() -> None:
    assert np.isfinite(log_odds(np.array([0.0, 1.0]))).all()
    assert log_odds(0.5) == pytest.approx(0)


def test_reciprocal_rank_worked_by_hand() -> None:
    gains = ReciprocalRank()(SPACES, SCORES, SCORES)
    np.testing.assert_allclose(gains, [[1 / 61, 1 / 63, 1 / 62], [1 / 61.5, 1 / 61.5, 1 / 63]])
    np.testing.assert_allclose(ReciprocalRank(1, {"words": 2.0})(SPACES, SCORES, SCORES)[1], [2 / 2.5, 2 / 2.5, 0.5])


def test_borda_worked_by_hand() -> None:
    np.testing.assert_allclose(Borda()(SPACES, SCORES, SCORES), [[2, 0, 1], [1.5, 1.5, 0]])


def test_equal_scores_are_ordered_by_the_smaller_id() -> None:
    assert best_first(np.array([5, 2, 8]), np.array([1.0, 1.0, 2.0], np.float32)).tolist() == [2, 1, 0]


def stationary(chain: np.ndarray) -> np.ndarray:
    values, vectors = np.linalg.eig(chain.T)
    best = np.real(vectors[:, np.argmax(np.real(values))])
    return best / best.sum()


def test_markov_chain_worked_by_hand() -> None:
    """Lists 1 2 3 / 1 3 2 / 2 1: most put 1 before 2 and 3, one each way between 2 and 3."""
    ids, scores = markov_chain([[1, 2, 3], [1, 3, 2], [2, 1]], restart=0.1)
    # 2 -> 1 and 3 -> 1 with 1/3 each; between 2 and 3 nobody moves.
    chain = 0.9 * np.array([[1, 0, 0], [1 / 3, 2 / 3, 0], [1 / 3, 0, 2 / 3]]) + 0.1 / 3
    assert ids.tolist() == [1, 2, 3]
    np.testing.assert_allclose(scores, stationary(chain), atol=1e-5)


def test_markov_chain_of_little_or_nothing() -> None:
    assert [len(part) for part in markov_chain([])] == [0, 0]
    assert markov_chain([[5]])[0].tolist() == [5]
    assert markov_chain([[9, 1], [1, 9]])[0].tolist() == [1, 9], "equal: the smaller id first"
    assert markov_chain([[7, 8], [3]])[0].tolist()[-1] == 8, "nothing is known of 3; 8 is beaten by 7"


@given(st.lists(st.permutations(range(6)), min_size=1, max_size=5))
def test_an_order_that_all_share_is_kept(rankings: list[list[int]]) -> None:
    scores = np.array([[-ranking.index(one) for one in range(6)] for ranking in rankings], np.float64)
    spaces = [str(number) for number in range(len(rankings))]
    markov = dict(zip(*markov_chain(rankings), strict=True))
    for fused in (
        ReciprocalRank()(spaces, scores, scores).sum(axis=0),
        Borda()(spaces, scores, scores).sum(axis=0),
        np.array([markov[one] for one in range(6)]),
    ):
        for one in range(6):
            for other in range(6):
                if all(ranking.index(one) < ranking.index(other) for ranking in rankings):
                    assert fused[one] >= fused[other] - 1e-6


def test_weights_follow_the_space_that_knows() -> None:
    rng = np.random.default_rng(0)
    evidence, relevant = [], []
    for _ in range(60):
        good = np.arange(20) == rng.integers(20)
        evidence.append(np.stack([3.0 * good + rng.normal(size=20), rng.normal(size=20)]))
        relevant.append(good)
    weights = learn_weights(evidence, relevant)
    assert weights[0] > 5 * weights[1]

    def right(weights: np.ndarray) -> float:
        return float(np.mean([good[np.argmax(weights @ own)] for own, good in zip(evidence, relevant, strict=True)]))

    assert right(weights) > right(np.array([0.5, 0.5]))


def test_weights_need_something_to_learn_from() -> None:
    with pytest.raises(InputError, match="relevant"):
        learn_weights([np.ones((2, 3))], [np.zeros(3, np.bool_)])
