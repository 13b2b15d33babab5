"""The caption retrieval protocol on matrices: known answers, ties, folds, blocks, and the same as metrics on a Run."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from limner.core.errors import InputError
from limner.core.types import Qrels, Run
from limner.eval import retrieval
from limner.eval.metrics import NDCG, AveragePrecision, MedianRank, Recall, ReciprocalRank, Success
from limner.eval.report import RSUM
from limner.eval.retrieval import evaluate_vectors, rank_relevant, similarity_blocks

FIVE = " (any of 5 captions)"


def with_similarity(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Vectors of n images and m captions whose dot products are the (n, m) matrix exactly."""
    return np.eye(len(matrix), dtype=np.float32), matrix.T.astype(np.float32)


def ten_by_fifty() -> tuple[np.ndarray, np.ndarray]:
    """Caption c belongs to image c // 5. Worked out by hand:

    image 0: its captions score 9, the rest 0, so every answer is right in both directions;
    images 1 to 9: their captions score 1 with them, but 2 with image 0, so each caption finds image 0 first
    and its own second; image 0 still prefers its own captions (9), the others see their own five first.
    """
    matrix = np.zeros((10, 50))
    owner = np.repeat(np.arange(10), 5)
    matrix[0] = 2
    matrix[owner, np.arange(50)] = 1
    matrix[0, :5] = 9
    return matrix, owner


def test_hand_made_matrix_whole_pool_and_folds() -> None:
    matrix, owner = ten_by_fifty()
    report = evaluate_vectors(*with_similarity(matrix), owner, name="hand")
    assert report["text-to-image recall@1"].value == pytest.approx(0.1)
    assert report["text-to-image recall@5"].value == 1.0
    assert report["text-to-image median rank"].value == 2.0
    assert report["text-to-image MRR"].value == pytest.approx((5 * 1 + 45 / 2) / 50)
    assert report["image-to-text success@1" + FIVE].value == 1.0
    assert report["image-to-text mAP (all 5 captions)"].value == 1.0
    assert report[RSUM].value == pytest.approx(510.0)
    assert "10 images, 50 captions" in report.title

    folds = evaluate_vectors(*with_similarity(matrix), owner, name="hand", fold_size=5)
    # Image 0 stands in the way of the first fold alone: 5 + 25 of 50 captions find their picture first.
    assert folds["text-to-image recall@1"].value == pytest.approx(0.6)
    assert folds["image-to-text success@1" + FIVE].value == 1.0
    assert "2 folds" in folds.title
    assert "pool of 5 images and 25 captions" in folds.title


@pytest.mark.parametrize("value", [0.0, 1.0, 0.1])
def test_constant_similarity_looks_like_chance_not_like_perfection(value: float) -> None:
    images, captions = np.full((40, 7), value), np.full((200, 7), value)
    report = evaluate_vectors(images, captions, np.repeat(np.arange(40), 5), name="collapsed")
    for k in (1, 5, 10):
        assert report[f"text-to-image recall@{k}"].value == pytest.approx(k / 40)
        assert report[f"image-to-text success@{k}{FIVE}"].value <= 2 * k / 40
    assert report["text-to-image median rank"].value == 20.5


@given(st.integers(0, 10_000), st.integers(1, 7), st.integers(1, 4), st.booleans())
@settings(max_examples=40, deadline=None)
def test_same_as_the_metrics_on_a_run(seed: int, pictures: int, most: int, ties: bool) -> None:
    rng = np.random.default_rng(seed)
    owner = rng.permutation(np.repeat(np.arange(pictures), rng.integers(1, most + 1, pictures)))
    matrix = rng.integers(0, 3, (pictures, len(owner))) if ties else rng.normal(size=(pictures, len(owner)))
    report = evaluate_vectors(*with_similarity(matrix), owner, name="random")

    # The fixed shuffle that orders ties, written as ids, so that Run breaks ties the same way.
    images = [f"i{place:03}" for place in np.random.default_rng(retrieval.SHUFFLE_SEED).permutation(pictures)]
    shuffled = np.random.default_rng(retrieval.SHUFFLE_SEED).permutation(len(owner))
    texts_sorted = np.argsort(owner, kind="stable")
    captions = dict(zip(texts_sorted.tolist(), (f"c{place:03}" for place in shuffled), strict=True))
    single = matrix.astype(np.float32)
    to_image = Run({captions[c]: {images[i]: float(single[i, c]) for i in range(pictures)} for c in captions})
    to_text = Run({images[i]: {captions[c]: float(single[i, c]) for c in captions} for i in range(pictures)})
    image_of = Qrels({captions[c]: {images[owner[c]]: 1} for c in captions})
    texts_of = Qrels({images[i]: {captions[c]: 1 for c in captions if owner[c] == i} for i in range(pictures)})

    samples = iter(report.samples)
    for run, qrels, first in ((to_image, image_of, Recall), (to_text, texts_of, Success)):
        for metric in (first(1), first(5), first(10), MedianRank(), ReciprocalRank(), AveragePrecision(), NDCG(10)):
            values = list(metric(run, qrels).values())
            expected = np.median(values) if metric.statistic == "median" else np.mean(values)
            assert next(samples).value == pytest.approx(expected), metric.name


def test_blocks_do_not_change_the_ranks(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    queries, pool = rng.normal(size=(53, 4)).astype(np.float32), rng.normal(size=(31, 4)).astype(np.float32)
    relevant = rng.integers(0, 31, (53, 1))
    whole = rank_relevant([queries @ pool.T], relevant).ranks
    monkeypatch.setattr(retrieval, "BLOCK_SCORES", 100)
    blocks = list(similarity_blocks(queries, pool))
    assert [len(block) for block in blocks] == [3] * 17 + [2]
    assert np.array_equal(rank_relevant(blocks, relevant).ranks, whole)


def test_a_picture_without_captions_stays_in_the_pool_and_asks_nothing() -> None:
    matrix = np.array([[5.0, 0.0], [9.0, 1.0], [0.0, 2.0]])
    report = evaluate_vectors(*with_similarity(matrix), np.array([0, 2]), name="gap")
    assert report["text-to-image recall@1"].value == 0.5  # picture 1 comes before picture 0
    assert report["image-to-text success@1"].value == 1.0  # no word of captions: there is one a picture
    assert report["image-to-text success@1"].queries == 2


def test_names_say_how_many_captions() -> None:
    matrix = np.eye(3)[:, [0, 0, 1, 2, 2, 2]]
    report = evaluate_vectors(*with_similarity(matrix), np.array([0, 0, 1, 2, 2, 2]), name="uneven")
    assert "image-to-text success@1 (any of 1 to 3 captions)" in [row.name for row in report.rows]


@pytest.mark.parametrize(
    ("images", "captions", "owner", "folds", "message"),
    [
        (np.ones((2, 3)), np.ones((2, 4)), [0, 1], None, r"need \(n, d\) and \(m, d\)"),
        (np.ones((2, 3)), np.ones((2, 3)), [0], None, "one row number of an image for each caption"),
        (np.ones((2, 3)), np.ones((2, 3)), [0, 2], None, "each with a row of the 2 images"),
        (np.ones((2, 3)), np.ones((2, 3)), [0, -1], None, "each with a row of the 2 images"),
        (np.ones((2, 3)), np.ones((0, 3)), [], None, "needs captions"),
        (np.ones((2, 3)), np.array([[1, 1, 1], [1, np.nan, 1]]), [0, 1], None, "caption vector 1 holds nan"),
        (np.ones((2, 3)), np.ones((2, 3)), [0, 1], 3, "folds of 3 images"),
        (np.ones((2, 3)), np.ones((2, 3)), [0, 1], 0, "folds of 0 images"),
    ],
)
def test_bad_input(images: np.ndarray, captions: np.ndarray, owner: list[int], folds: int | None, message: str) -> None:
    with pytest.raises(InputError, match=message):
        evaluate_vectors(images, captions, np.array(owner, np.int64), name="bad", fold_size=folds)
