"""Contrast inside a modality (cards 49, 55): two views, groups, the queue, and the trap of the same view twice."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch
import torch.nn.functional as F
from objectives.features import make_features

from limner.core.errors import InputError
from limner.objectives.intra_modal import IntraModal

PICTURES, TEXTS = (IntraModal(sides=(side,)) for side in ("image", "text"))


def without_queue(**changes):
    return make_features(queued=0, roles=("caption",), **changes)


def test_keys_of_the_teacher_by_hand():
    features = without_queue()
    logits = features.scale * features.image.vectors @ features.teacher.image.vectors.T
    expected = F.cross_entropy(logits, torch.arange(6))
    torch.testing.assert_close(PICTURES(features), expected)


def test_keys_of_the_view_go_both_ways():
    features = without_queue()
    logits = features.scale * features.text.vectors @ features.view.text.vectors.T
    answer = torch.arange(6)
    expected = (F.cross_entropy(logits, answer) + F.cross_entropy(logits.T, answer)) / 2
    torch.testing.assert_close(dataclasses.replace(TEXTS, keys="view")(features), expected)


def test_what_learns():
    features = without_queue()
    IntraModal()(features).backward()
    assert features.image.vectors.grad.abs().sum() > 0
    assert features.text.vectors.grad.abs().sum() > 0
    assert features.view.image.vectors.grad is None
    IntraModal(keys="view")(features).backward()
    assert features.view.image.vectors.grad.abs().sum() > 0
    assert features.view.text.vectors.grad.abs().sum() > 0


def test_sides_count_alike():
    features = make_features()
    torch.testing.assert_close(IntraModal()(features), (PICTURES(features) + TEXTS(features)) / 2)


def test_captions_of_one_picture_are_positives():
    """Three texts a picture, all equal within it: log 3 is the least that three equal shares cost."""
    features = make_features(2, queued=0, scale=100.0)
    vectors = F.normalize(torch.tensor([[1.0, 0.0], [0.0, 1.0]]).repeat(3, 1), dim=1)
    text = dataclasses.replace(features.text, vectors=vectors)
    both = features.replace(text=text, teacher=features.teacher.replace(text=text))
    assert TEXTS(both).item() == pytest.approx(math.log(3), abs=1e-5)


@pytest.mark.parametrize("keys", ["view", "teacher"])
def test_the_queue_gives_negatives_but_not_those_of_the_own_picture(keys: str):
    features = make_features(roles=("caption",), queued=4)
    objective = dataclasses.replace(PICTURES, keys=keys)
    alone = objective(features.replace(queue=None))
    assert objective(features) > alone
    own = dataclasses.replace(features.queue, image_rows=features.rows[:1].expand(4))
    others = features.replace(queue=own, image=features.image.take(slice(0, 1)), rows=features.rows[:1])
    others = others.replace(
        view=others.view.replace(image=others.view.image.take(slice(0, 1))),
        teacher=others.teacher.replace(image=others.teacher.image.take(slice(0, 1))),
    )
    assert objective(others).item() == pytest.approx(0.0, abs=1e-6)  # all of the queue is the picture itself


def test_texts_of_the_queue_are_known_by_their_picture():
    features = make_features(2, roles=("caption", "long"), queued=3)
    queue = dataclasses.replace(features.queue, text_rows=features.rows[:1].expand(3))
    alone = TEXTS(features.replace(queue=None))
    assert TEXTS(features.replace(queue=queue)) > alone  # picture 1 meets them
    same = features.replace(queue=queue, rows=features.rows[:1].expand(2))
    torch.testing.assert_close(TEXTS(same), alone)


@pytest.mark.parametrize("side", ["image", "text"])
def test_the_same_view_twice_is_an_error_in_training(side: str):
    features = without_queue()
    same = dataclasses.replace(features.view, **{side: getattr(features, side)})
    objective = IntraModal(sides=(side,), keys="view")
    with pytest.raises(InputError, match=f"views of the {side}s are the same"):
        objective(features.replace(view=same))
    with torch.no_grad():  # what is only measured has no dropout
        still = features.replace(**{side: getattr(features, side).detach()}, view=same)
        assert torch.isfinite(objective(still))


@pytest.mark.parametrize("keys", ["view", "teacher"])
def test_a_second_view_is_needed(keys: str):
    features = make_features().replace(view=None, teacher=None)
    with pytest.raises(InputError, match=f"keys of a {keys} need a {keys}"):
        IntraModal(keys=keys)(features)


def test_unknown_keys():
    with pytest.raises(InputError, match="not of 'batch'"):
        IntraModal(keys="batch")(make_features())  # type: ignore[arg-type]
