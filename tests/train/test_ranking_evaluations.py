"""R-Sum, gaps, the choice of two and canonical correlation, against answers known by hand or by construction."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from train.fixed import fixed
from train.known import vectors_of
from train.toy import toy_corpus

from limner.core.errors import InputError
from limner.data.corpus import Corpora, Corpus, Text
from limner.nn.towers.bag_of_words import BagTower
from limner.nn.towers.map_transformer import MapTower
from limner.nn.two_towers import Towers
from limner.train.evaluations.correlation import CanonicalCorrelation
from limner.train.evaluations.gaps import Gaps
from limner.train.evaluations.retrieval import Retrieval
from limner.train.evaluations.rsum import RSum
from limner.train.evaluations.two_way import TwoWay
from limner.train.trained import Trained


def told(images: list[list[float]], said: dict[str, list[float]], texts: list[list[Text]], train: Corpus | None = None):
    corpus = Corpus("known", vectors_of(np.array(images)), texts)
    return fixed(Corpora(train or corpus, corpus, corpus), said)


def test_gaps_by_hand():
    said = {"one": [1.0, 0.0], "two": [0.0, 1.0], "three": [0.6, 0.8]}
    trained = told([[1, 0], [0, 1]], said, [[Text("one"), Text("three")], [Text("two")]])
    outcome = Gaps()(trained)
    assert outcome["text-to-image gap"].values.tolist() == pytest.approx([1.0, 0.6 - 0.8, 1.0])
    # The best wrong text of picture 0 is "two" (0), of picture 1 "three" (0.8); its own texts are not wrong.
    assert outcome["image-to-text gap"].values.tolist() == pytest.approx([1.0, 0.6, 0.2])
    assert outcome["text-to-image gap"].clusters.tolist() == [0, 0, 1]


def test_rsum_is_the_sum_of_the_six_recalls():
    rng = np.random.default_rng(0)
    texts = [[Text(f"{row} {copy}") for copy in range(2)] for row in range(30)]
    images = rng.standard_normal((30, 4))
    said = {text.text: images[row] + rng.standard_normal(4) for row, some in enumerate(texts) for text in some}
    trained = told(images.tolist(), {text: vector.tolist() for text, vector in said.items()}, texts)
    recalls = Retrieval()(trained)
    names = [f"{way}@{k}" for way in ("text-to-image recall", "image-to-text success") for k in (1, 5, 10)]
    outcome = RSum()(trained)["rsum"]
    assert outcome.mean == pytest.approx(100 * sum(recalls[name].mean for name in names))
    assert len(outcome.values) == 30
    assert 100 < outcome.mean < 600


def test_a_choice_of_two():
    said = {"right": [1.0, 0.1], "wrong": [0.1, 1.0], "same": [1.0, 0.1 + 1e-8]}
    images = [[1, 0], [0, 1], [1, 1], [1, 0]]
    texts = [
        [Text("wrong", "swapped"), Text("right")],
        [Text("right"), Text("wrong", "swapped")],
        [Text("right"), Text("same", "swapped")],
        [Text("right")],
    ]
    outcome = TwoWay()(told(images, said, texts))["caption over swapped accuracy"]
    assert outcome.values.tolist() == [1, 0, 0.5]
    with pytest.raises(InputError, match="'swapped'"):
        TwoWay()(told(images[:1], said, [[Text("right")]]))


def test_a_bag_of_words_has_no_choice():
    texts = [[Text("a red circle left of a blue square"), Text("a blue square left of a red circle", "swapped")]] * 3
    maps = np.random.default_rng(0).standard_normal((3, 4, 6)).astype(np.float32)
    corpus = Corpus("order", maps, texts)
    words = {text.text: [0.0] for text in texts[0]}
    model = Towers(MapTower(8), BagTower(8), dimension=6)
    tokenizer = fixed(Corpora(corpus, corpus, corpus), words).tokenizer
    torch.manual_seed(0)
    built = model.build((4, 6), tokenizer.vocabulary_size, 32).eval()
    trained = Trained(built, None, None, tokenizer, Corpora(corpus, corpus, corpus), 0, None)
    assert TwoWay()(trained)["caption over swapped accuracy"].values.tolist() == [0.5] * 3


def test_canonical_correlation_finds_what_pictures_and_words_share():
    corpora = Corpora(toy_corpus(200, 0), toy_corpus(60, 1), toy_corpus(60, 2))
    said = {text.text: [1.0] for corpus in (corpora.train, corpora.test) for texts in corpus.texts for text in texts}
    outcome = CanonicalCorrelation(words=60, dimension=10)(fixed(corpora, said))
    # 32 kinds among 60 pictures, two or so of each: only those of its own kind come before a text's picture.
    assert outcome["CCA text-to-image recall@5"].mean > 0.95
    assert outcome["CCA image-to-text success@10"].mean > 0.95
    assert len(outcome["CCA text-to-image recall@5"].values) == 120
    mixed = toy_corpus(200, 0).replace(texts=corpora.train.texts[100:] + corpora.train.texts[:100])
    blind = CanonicalCorrelation(words=60, dimension=10)(fixed(Corpora(mixed, *list_of(corpora)), said))
    assert blind["CCA text-to-image recall@5"].mean < 0.4


def list_of(corpora: Corpora) -> tuple[Corpus, Corpus]:
    return corpora.validation, corpora.test


def test_canonical_correlation_weighs_by_correlation_and_centres():
    """Two directions: one that both sides share, one of noise; shifted far from zero."""
    rng = np.random.default_rng(1)
    kinds = rng.integers(2, size=(400, 6))
    images = np.concatenate([kinds + 0.1 * rng.standard_normal((400, 6)), 3 * rng.standard_normal((400, 6))], 1) + 50
    words = ["ash", "birch", "cedar", "fir", "oak", "yew"]
    texts = [[Text("tree " + " ".join(word for word, there in zip(words, row, strict=True) if there))] for row in kinds]
    corpus = Corpus("trees", vectors_of(images), texts)
    corpora = Corpora(corpus.take(range(300)), corpus.take(range(300, 350)), corpus.take(range(350, 400)))
    said = {text.text: [1.0] for some in texts for text in some}
    outcome = CanonicalCorrelation(words=60, dimension=12)(fixed(corpora, said))
    assert outcome["CCA text-to-image recall@10"].mean > 0.9
