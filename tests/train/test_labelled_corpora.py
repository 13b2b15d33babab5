"""Corpora that carry labels beside the texts: nearest clusters, things in many views."""

from __future__ import annotations

import numpy as np
import pytest
from train.toy import Toy, toy_experiment

from limner.data.corpus import Corpora
from limner.nn.towers.convolutional_transformer import PictureTower
from limner.nn.two_towers import Towers
from limner.train.batches import Sampling
from limner.train.corpora import backbone
from limner.train.corpora.clustered import Clustered
from limner.train.corpora.instances import Instances
from limner.train.optimiser import Optimiser
from limner.train.runs import Place, train


def test_clusters_are_of_the_training_pictures_by_the_vectors_of_the_trained_model(tmp_path):
    place, features = Place(tmp_path), toy_experiment()
    data = Clustered(Toy(), features, clusters=6, labels=3)
    corpora = data.load(place)
    labels = corpora.train.targets["clusters"]
    assert labels.shape == (64, 3)
    assert not corpora.validation.targets
    assert not corpora.test.targets
    vectors = train(features, 0, place).encode_images(corpora.train).vectors.numpy()
    centres = np.stack([vectors[labels[:, 0] == cluster].mean(0) for cluster in range(6)])
    distances = ((vectors[:, None] - centres) ** 2).sum(2)
    assert (distances.argmin(1) == labels[:, 0]).mean() > 0.95
    assert (np.take_along_axis(distances, labels, 1)[:, 0] <= np.take_along_axis(distances, labels, 1)[:, 2]).all()
    again = data.load(place).train.targets["clusters"]
    np.testing.assert_array_equal(again, labels)
    assert (data.vocabulary, data.context) == (Toy().vocabulary, Toy().context)


@pytest.fixture
def instances(tmp_path, monkeypatch) -> tuple[Corpora, Corpora]:
    """As they are and shuffled, through a backbone that was hardly trained."""
    quick = backbone.BACKBONE.replace(
        data=backbone.PlacedFacts(scenes=8),
        model=Towers(PictureTower((8, 8), 16, 1, 2), backbone.BACKBONE.model.text, dimension=8),
        optimiser=Optimiser(steps=1),
        sampling=Sampling(),
    )
    monkeypatch.setattr(backbone.maps, "__defaults__", (quick,))
    place = Place(tmp_path)
    return Instances(6, 3, 4).load(place), Instances(6, 3, 4, shuffled=True).load(place)


def test_instances(instances):
    plain, shuffled = instances
    assert [len(corpus) for corpus in (plain.train, plain.validation, plain.test)] == [18, 12, 12]
    assert plain.train.images.shape[:2] == (18, 36)
    assert plain.train.targets["instance"].tolist() == [thing for thing in range(6) for _ in range(3)]
    by_text: dict[str, set[int]] = {}
    for texts, concept in zip(plain.train.texts, plain.train.concepts.tolist(), strict=True):
        assert [text.role for text in texts] == ["coarse", "wording", "wording", "wording"]
        for text in texts:
            by_text.setdefault(text.text, set()).add(concept)
    assert all(len(concepts) == 1 for concepts in by_text.values())
    for thing in range(6):
        own = plain.train.targets["instance"] == thing
        assert len({plain.train.texts[row][0].text for row in np.flatnonzero(own)}) == 1
    drawn = {row.tobytes() for corpus in (plain.train, plain.validation, plain.test) for row in corpus.images}
    assert len(drawn) == 42  # no view twice, no thing of one split in another
    assert sorted(some[0].text for some in shuffled.train.texts) == sorted(some[0].text for some in plain.train.texts)
    assert [some[0].text for some in shuffled.train.texts] != [some[0].text for some in plain.train.texts]
    assert [some[0].text for some in shuffled.test.texts] == [some[0].text for some in plain.test.texts]
