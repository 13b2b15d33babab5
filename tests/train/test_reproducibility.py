"""The protocol of the table itself: seeds alone are rarely called a difference, handicaps are; pools and folds."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from train.known import known, vectors_of
from train.toy import toy_experiment

from limner.core.errors import InputError
from limner.data.corpus import Corpus, Text
from limner.nn.blocks.similarity import Dynamic, StaticBilinear
from limner.train.evaluations.folds import FoldedRetrieval
from limner.train.evaluations.retrieval import Retrieval
from limner.train.outcome import Measured, Outcome
from limner.train.recipe import Claim
from limner.train.reproduce import judge
from limner.train.runs import Place, measured, train

METRIC = "recall"


def arm(rng: np.random.Generator, hard: np.ndarray, recall: float) -> list[Outcome]:
    """Three seeds that differ by a point (standard deviation) on the same questions, five a picture."""
    return [
        {METRIC: Measured.of(rng.random(len(hard)) < recall + rng.normal(0, 0.01) - hard, np.arange(len(hard)) // 5)}
        for _ in range(3)
    ]


def verdicts(gap: float, trials: int = 40) -> list[str]:
    rng = np.random.default_rng(0)
    found = []
    for _ in range(trials):
        hard = np.repeat(rng.normal(0, 0.1, 200), 5)
        claim = Claim("more is found", METRIC)
        found.append(judge(claim, arm(rng, hard, 0.4 + gap), arm(rng, hard, 0.4)).verdict)
    return found


def test_seeds_alone_are_rarely_called_a_difference() -> None:
    found = verdicts(0.0)
    assert found.count("not seen") >= 0.8 * len(found)


def test_a_handicap_of_eight_points_is_called_one() -> None:
    found = verdicts(0.08)
    assert found.count("holds") >= 0.9 * len(found)
    assert "contradicted" not in found


def test_to_be_alike_is_the_opposite_of_a_difference_either_way() -> None:
    rng = np.random.default_rng(1)
    hard = np.zeros(1000)
    alike = Claim("no difference", METRIC, alike=True)
    same = arm(rng, hard, 0.5)
    assert judge(alike, same, same).verdict == "holds"
    assert judge(alike, arm(rng, hard, 0.7), same).verdict == "contradicted"
    assert judge(alike, arm(rng, hard, 0.3), same).verdict == "contradicted"


def test_an_offset_is_another_seed_in_a_folder_of_its_own(tmp_path) -> None:
    place = Place(tmp_path)
    shifted = toy_experiment(seed_offset=5)
    assert shifted.fingerprint != toy_experiment().fingerprint
    one, other = train(shifted, 0, place), train(toy_experiment(), 5, place)
    assert one.folder != other.folder
    for name, weight in one.model.state_dict().items():
        assert weight.equal(other.model.state_dict()[name])
    unlike = measured(toy_experiment(), 0, place).outcome
    assert any(
        (unlike[name].values != found.values).any() for name, found in measured(shifted, 0, place).outcome.items()
    )


def ten_pictures(tmp_path, **more):
    """Ten pictures with two texts each, in random directions."""
    maps = vectors_of(np.random.default_rng(0).normal(size=(10, 6)))
    corpus = Corpus("ten", maps, [[Text(f"text {row} {place}") for place in "ab"] for row in range(10)])
    return known(corpus, tmp_path, **more)


@pytest.mark.parametrize("folds", [1, 2, 5])
def test_folds_are_searched_by_themselves(tmp_path, folds: int) -> None:
    trained = ten_pictures(tmp_path)
    found = FoldedRetrieval(folds)(trained)
    texts = [text.text for some in trained.corpora.test.texts for text in some]
    scores = trained.encode_texts(texts).vectors.numpy() @ trained.encode_images(trained.corpora.test).vectors.numpy().T
    size = 10 // folds
    for cut in (1, 5):
        wanted = []
        for number, row in enumerate(np.repeat(np.arange(10), 2)):
            pool = np.arange(row // size * size, row // size * size + size)
            wanted.append((scores[number, pool] > scores[number, row]).sum() < cut)
        measured_values = found[f"text-to-image recall@{cut} in {folds} folds"]
        np.testing.assert_array_equal(measured_values.values, wanted)
        np.testing.assert_array_equal(measured_values.clusters, np.repeat(np.arange(10), 2))
    if folds == 1:
        whole = Retrieval()(trained)["text-to-image recall@1"]
        np.testing.assert_array_equal(found["text-to-image recall@1 in 1 folds"].values, whole.values)


def test_a_similarity_that_folds_is_the_models_own(tmp_path) -> None:
    trained = ten_pictures(tmp_path, similarity=StaticBilinear((2,)))
    for parameter in trained.model.similarity.parameters():
        parameter.data += torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1))
    found, whole = FoldedRetrieval(1)(trained), Retrieval()(trained)
    np.testing.assert_array_equal(
        found["text-to-image recall@5 in 1 folds"].values, whole["text-to-image recall@5"].values
    )


def test_folds_that_cannot_be(tmp_path) -> None:
    with pytest.raises(InputError, match="3 equal folds"):
        FoldedRetrieval(3)(ten_pictures(tmp_path))
    with pytest.raises(InputError, match="another similarity"):
        FoldedRetrieval()(ten_pictures(tmp_path, similarity=Dynamic(2)))
