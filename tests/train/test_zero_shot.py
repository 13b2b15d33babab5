"""Zero-shot classification by vectors chosen by hand."""

import numpy as np
import pytest
from train.fixed import fixed

from limner.core.errors import InputError
from limner.data.corpus import Corpora, Corpus, Text
from limner.train.evaluations.zero_shot import ZeroShot

PICTURES = np.array([[[1, 0]], [[0.8, 0.6]], [[0, 1]], [[0.6, 0.8]]], np.float32)
CONCEPTS = np.array([7, 7, 4, 4])
SAID = {"a cat": (1, 0), "one cat": (1, 0.2), "a dog": (0, 1), "fur": (1, 0)}


def corpora(concepts: np.ndarray | None = CONCEPTS, dog: str = "a dog") -> Corpora:
    texts = [
        [Text("a cat", "label"), Text("fur", "long")],
        [Text("one cat", "label"), Text("fur", "long")],
        [Text(dog, "label"), Text("fur", "long")],
        [Text(dog, "label"), Text("fur", "long")],
    ]
    corpus = Corpus("animals", PICTURES, texts, concepts)
    return Corpora(corpus, corpus, corpus, {"more": corpus})


def test_the_nearest_class_wins():
    outcome = ZeroShot(roles=("label",))(fixed(corpora(), SAID))
    assert list(outcome["zero-shot accuracy"].values) == [1, 1, 1, 1]
    swapped = {**SAID, "a cat": (0, 1), "one cat": (0, 1), "a dog": (0.9, 0.1)}
    outcome = ZeroShot("more", roles=("label",), name="odd")(fixed(corpora(), swapped))
    assert list(outcome["odd zero-shot accuracy"].values) == [0, 0, 0, 0]


def test_a_class_is_the_mean_of_its_texts():
    # "a cat" alone is farther from the last picture than the dog is; the mean of both cats is nearer.
    far = {"a cat": (1, 0), "one cat": (0, 1), "a dog": (-0.2, 1), "fur": (1, 0)}
    outcome = ZeroShot(roles=("label",))(fixed(corpora(), far))
    assert list(outcome["zero-shot accuracy"].values) == [1, 1, 1, 0]


def test_confidence_is_read_at_the_models_temperature():
    sharp = ZeroShot(roles=("label",))(fixed(corpora(), SAID, scale=100.0))
    assert sharp["zero-shot calibration error"].mean == pytest.approx(0, abs=1e-3)
    flat = ZeroShot(roles=("label",))(fixed(corpora(), SAID, scale=0.0))
    assert flat["zero-shot calibration error"].mean == pytest.approx(0.5)


def test_what_it_needs():
    with pytest.raises(InputError, match="a concept for each picture"):
        ZeroShot()(fixed(corpora(None), SAID))
    with pytest.raises(InputError, match="class 4 has no text of role"):
        ZeroShot(roles=("caption",))(fixed(corpora(), SAID))
