"""The cluster store: planted clusters come back, nearest means nearest, and what is stored knows where it came from."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from limner.core.errors import InputError
from limner.train.clusters import Clusters, fingerprint, k_means, stored_clusters


def planted(
    count: int, each: int, dimension: int = 16, noise: float = 0.05, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors around `count` random directions, shuffled, and the number of their direction."""
    random = np.random.default_rng(seed)
    labels = random.permutation(np.repeat(np.arange(count), each))
    vectors = random.normal(size=(count, dimension))[labels]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors += noise * random.normal(size=vectors.shape)
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32), labels


def spread(vectors: np.ndarray, centres: np.ndarray) -> float:
    """Sum of squared distances to the nearest centre, the slow way."""
    return float(((vectors[:, None].astype(np.float64) - centres[None]) ** 2).sum(2).min(1).sum())


def test_planted_clusters_come_back():
    vectors, labels = planted(20, 30)
    found = Clusters(k_means(vectors, 20), "").nearest(vectors, 1)[:, 0]
    pairs = {(a, b) for a, b in zip(labels.tolist(), found.tolist(), strict=True)}
    assert len({a for a, _ in pairs}) == 20
    purity = np.mean([np.bincount(labels[found == k]).max() / (found == k).sum() for k in np.unique(found)])
    assert purity > 0.9  # one run of k-means may join two and split a third


def test_better_than_a_random_choice_of_centres():
    vectors, _ = planted(30, 20, noise=0.3)
    random = vectors[np.random.default_rng(0).choice(len(vectors), 30, replace=False)]
    assert spread(vectors, k_means(vectors, 30)) < 0.8 * spread(vectors, random)


def test_centres_are_the_means_of_their_vectors():
    vectors, _ = planted(5, 40)
    clusters = Clusters(k_means(vectors, 5, iterations=100), "")
    found = clusters.nearest(vectors, 1)[:, 0]
    for k in range(5):
        np.testing.assert_allclose(clusters.centres[k], vectors[found == k].mean(0), atol=1e-5)


def test_the_seed_decides():
    vectors, _ = planted(10, 20, noise=0.3)
    np.testing.assert_array_equal(k_means(vectors, 8, seed=3), k_means(vectors, 8, seed=3))
    assert not np.array_equal(k_means(vectors, 8, seed=3), k_means(vectors, 8, seed=4))


@settings(max_examples=30)
@given(seed=st.integers(0, 1000), n=st.integers(1, 60), k=st.integers(1, 12), count=st.integers(1, 12))
def test_nearest_is_nearest_first(seed, n, k, count):
    random = np.random.default_rng(seed)
    vectors, centres = (random.normal(size=(rows, 4)).astype(np.float32) for rows in (n, k))
    clusters = Clusters(centres, "")
    if count > k:
        with pytest.raises(InputError, match="asked for"):
            clusters.nearest(vectors, count)
        return
    distances = ((vectors[:, None].astype(np.float64) - centres[None]) ** 2).sum(2)
    np.testing.assert_array_equal(clusters.nearest(vectors, count), distances.argsort(1)[:, :count])


def test_more_clusters_than_unlike_vectors():
    vectors = np.repeat(np.eye(3, dtype=np.float32), 4, axis=0)
    centres = k_means(vectors, 6)
    assert np.isfinite(centres).all()
    assert spread(vectors, centres) == pytest.approx(0, abs=1e-6)
    assert len(k_means(vectors, 12)) == 12


@pytest.mark.parametrize("count", [0, 13])
def test_too_many_or_no_clusters(count):
    with pytest.raises(InputError, match="12 vectors"):
        k_means(np.zeros((12, 3), np.float32), count)


def test_stored_once_and_read_again(tmp_path):
    vectors, _ = planted(6, 10)
    path = tmp_path / "folder" / "clusters.npz"
    made = stored_clusters(path, vectors, 6)
    assert [one.name for one in path.parent.iterdir()] == ["clusters.npz"]
    written = path.stat().st_mtime_ns
    again = stored_clusters(path, vectors, 6)
    np.testing.assert_array_equal(made.centres, again.centres)
    assert again.fingerprint == fingerprint(vectors)
    assert path.stat().st_mtime_ns == written


def test_clusters_of_other_vectors_are_refused(tmp_path):
    vectors, _ = planted(6, 10)
    path = tmp_path / "clusters.npz"
    stored_clusters(path, vectors, 6)
    for others, count in ((vectors[:-1], 6), (vectors + 1e-3, 6), (vectors, 5)):
        with pytest.raises(InputError, match="delete it"):
            stored_clusters(path, others, count)


@pytest.mark.parametrize("content", [None, b"", b"no archive", b"PK\x03\x04broken"])
def test_a_broken_file_is_named(tmp_path, content):
    path = tmp_path / "clusters.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=r"clusters\.npz"):
        Clusters.load(path)
