"""Pictures that search pictures, and what a straight line reads off their vectors: against answers known by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from train.known import known, vectors_of

from limner.core.errors import InputError
from limner.data.corpus import Corpus
from limner.data.world import WORLD_A, label_vectors, scene_at
from limner.train.evaluations.image_search import ImageSearch
from limner.train.evaluations.linear_probe import LinearProbe, fit_probe
from limner.train.evaluations.seen_again import SeenAgain


def circle(*degrees: float) -> np.ndarray:
    angles = np.radians(degrees)
    return vectors_of(np.stack([np.cos(angles), np.sin(angles)], 1))


def corpus(images: np.ndarray, **more: object) -> Corpus:
    return Corpus("known", images, [()] * len(images), **more)


def test_average_precision_by_hand_and_never_itself(tmp_path):
    # Seen from 0 degrees the order is 10, 20, 40; the pictures at 0 and 20 are alike, 10 and 40 are, 170 is like none.
    some = corpus(circle(0, 10, 20, 40, 170), concepts=np.array([7, 8, 7, 8, 9]))
    outcome = ImageSearch()(known(some, tmp_path))
    # Alike pictures are found second (from 0), third (from 10), second (from 20) and second (from 40).
    by_hand = [1 / 2, 1 / 3, 1 / 2, 1 / 2]
    values = outcome["image-to-image mAP by concept"].values
    assert values[[0, 1, 3]].tolist() == pytest.approx([by_hand[0], by_hand[1], by_hand[3]])
    assert len(values) == 4
    assert outcome["image-to-image success@1 by concept"].mean == 0


def test_by_a_target(tmp_path):
    some = corpus(circle(0, 5, 90, 95), concepts=np.zeros(4, np.int64), targets={"instance": np.array([0, 0, 1, 1])})
    assert ImageSearch("instance")(known(some, tmp_path))["image-to-image mAP by instance"].values.tolist() == [1] * 4


def test_by_objects_only_the_rich_scenes_take_part(tmp_path):
    scenes = [scene_at(3, index) for index in range(80)]
    shown = label_vectors(scenes).astype(np.float32)
    some = corpus(vectors_of(shown), truth=scenes)
    rich = np.array([len(scene.objects) >= 2 for scene in scenes])
    alike = (shown @ shown.T > 0) & rich[:, None] & rich[None, :]
    np.fill_diagonal(alike, False)
    values = ImageSearch("objects", objects=2)(known(some, tmp_path))["image-to-image mAP by objects"].values
    assert len(values) == np.count_nonzero(alike.any(1))
    assert values.min() == 1  # the vectors are the objects: whatever shares one is ahead of whatever does not


def test_what_is_not_known_is_named(tmp_path):
    some = known(corpus(circle(0, 5), concepts=np.array([0, 1])), tmp_path)
    with pytest.raises(InputError, match="instance"):
        ImageSearch("instance")(some)
    with pytest.raises(InputError, match="no two pictures are alike"):
        ImageSearch()(some)


def test_the_probe_reads_what_is_there_and_nothing_else(tmp_path):
    world = replace(WORLD_A, shapes=("circle", "star"), colours=("red", "blue"))
    scenes = [scene_at(1, index, world) for index in range(240)]
    labels = label_vectors(scenes).astype(np.float32)
    chance = np.random.default_rng(0)
    mixed = labels @ chance.standard_normal((4, 12)).astype(np.float32) + 0.05 * chance.standard_normal((240, 12))
    told = corpus(vectors_of(mixed + 3), truth=scenes)
    outcome = LinearProbe()(known(told.take(range(120, 240)), tmp_path, train=told.take(range(120))))
    assert len(outcome["linear probe mAP"].values) == 4
    assert outcome["linear probe mAP"].mean > 0.97
    noise = corpus(vectors_of(chance.standard_normal((240, 12))), truth=scenes)
    blind = LinearProbe()(known(noise.take(range(120, 240)), tmp_path, train=noise.take(range(120))))
    assert blind["linear probe mAP"].mean < labels.mean() + 0.25
    assert outcome["linear probe mAP"].mean > blind["linear probe mAP"].mean + 0.3


def test_the_probe_is_at_its_minimum():
    torch.manual_seed(0)
    vectors, labels = torch.randn(60, 5), (torch.rand(60, 3) > 0.5).float()
    probe = fit_probe(vectors, labels, 0.01)
    wrong = torch.sigmoid(probe(vectors)) - labels
    gradient = wrong.T @ vectors / 60 + 2 * 0.01 * probe.weight
    assert gradient.abs().max() < 1e-3
    assert wrong.mean(0).abs().max() < 1e-3


def test_seen_again_falls_with_the_noise(tmp_path):
    some = known(corpus(vectors_of(np.random.default_rng(0).standard_normal((60, 8)))), tmp_path)
    found = [SeenAgain(noise)(some)["image seen again recall@1"].mean for noise in (0.0, 0.5, 100.0)]
    assert found[0] == 1
    assert found[0] > found[1] > found[2]
    assert found[2] < 0.2
