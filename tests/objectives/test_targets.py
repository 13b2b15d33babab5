"""Each builder against its formula; what holds for all of them stands first."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from objectives.features import make_features
from torch import Tensor

from limner.core.errors import InputError
from limner.core.features import Features
from limner.objectives.targets import Concepts, Groups, Momentum, Softened, positives, share

BUILDERS = [Groups(), Groups(smoothing=0.2), Concepts(), Concepts(smoothing=0), Softened(), Momentum()]


def build(targets: Any, features: Features) -> tuple[Tensor, Tensor]:
    return targets(features, (features.scale * features.scores).detach())


def lonely(features: Features) -> Features:
    """Picture 0 and the texts written for it share their group and their concept with nothing."""
    group = features.image.group.clone()
    group[0] = 77
    concept = features.concept.clone()
    concept[0] = 88
    kept = features.owner != 0
    image = type(features.image)(features.image.vectors, group)
    return features.replace(
        image=image, text=features.text.take(kept), owner=features.owner[kept], concept=concept, teacher=None
    )


@pytest.mark.parametrize("targets", BUILDERS, ids=repr)
class TestEveryBuilder:
    @given(seed=st.integers(0, 2**16), progress=st.floats(0, 1), kinds=st.integers(1, 6))
    def test_every_row_and_column_gets_mass_but_no_gradient(self, targets: Any, seed: int, progress: float, kinds: int):
        features = make_features(seed=seed, progress=progress, groups=torch.arange(6) % kinds)
        rows, columns = build(targets, features)
        assert rows.shape == features.scores.shape == columns.T.shape
        for side in (rows, columns):
            assert not side.requires_grad
            assert (side >= 0).all()
            assert (side.sum(1) > 0.5).all()
            assert (side.sum(1) < 1 + 1e-5).all()

    def test_what_was_written_for_one_another_keeps_a_good_part_of_the_mass(self, targets: Any):
        features = make_features(scale=1.0)
        right = positives(features)
        for side, mask in zip(build(targets, features), (right, right.T), strict=True):
            assert (side * mask).sum(1).min() > 0.4

    def test_a_picture_without_a_text_asks_nothing(self, targets: Any):
        features = lonely(make_features())
        if isinstance(targets, Momentum):
            features = features.replace(teacher=features)
        rows, columns = build(targets, features)
        assert torch.equal(rows[0], torch.zeros(len(features.owner)))
        assert (rows[1:].sum(1) > 0).all()
        assert (columns.sum(1) > 0).all()


def test_share_divides_each_row_evenly():
    mask = torch.tensor([[True, True, False], [False, False, False], [True, False, False]])
    assert share(mask).tolist() == [[0.5, 0.5, 0.0], [0.0, 0.0, 0.0], [1.0, 0.0, 0.0]]


def test_groups_smooth_over_the_whole_row():
    features = make_features(2, roles=["caption", "long"])
    rows, columns = build(Groups(smoothing=0.2), features)
    torch.testing.assert_close(rows, torch.tensor([[0.45, 0.05, 0.45, 0.05], [0.05, 0.45, 0.05, 0.45]]))
    torch.testing.assert_close(columns, torch.tensor([[0.9, 0.1], [0.1, 0.9]] * 2))


def test_concepts_join_the_pictures_of_a_class_and_their_texts():
    features = make_features(4, roles=["caption"]).replace(concept=torch.tensor([5, 6, 5, 7]))
    rows, columns = build(Concepts(smoothing=0), features)
    wanted = torch.tensor([[0.5, 0, 0.5, 0], [0, 1, 0, 0], [0.5, 0, 0.5, 0], [0, 0, 0, 1]])
    torch.testing.assert_close(rows, wanted)
    torch.testing.assert_close(columns, wanted.T)
    with pytest.raises(InputError, match="concept"):
        build(Concepts(), features.replace(concept=None))


class TestSoftened:
    def test_starts_with_plain_groups(self):
        features = make_features(progress=0.0)
        torch.testing.assert_close(build(Softened(), features), build(Groups(), features))

    def test_at_the_end_negatives_have_the_most_they_may_and_the_nearest_most_of_it(self):
        features = make_features(progress=1.0, roles=["caption"])
        rows, _ = build(Softened(most=0.3, temperature=0.2), features)
        wrong = ~positives(features)
        torch.testing.assert_close((rows * wrong).sum(1), torch.full((6,), 0.3))
        for row, scores, mask in zip(rows, features.scores, wrong, strict=True):
            torch.testing.assert_close(row[mask], 0.3 * (scores[mask] / 0.2).softmax(0).detach())

    def test_where_all_is_right_there_is_nobody_to_give_to(self):
        features = make_features(progress=1.0, groups=torch.zeros(6, dtype=torch.int64))
        rows, _ = build(Softened(most=0.3), features)
        torch.testing.assert_close(rows / rows.sum(1, keepdim=True), build(Groups(), features)[0])


class TestMomentum:
    @pytest.mark.parametrize(("progress", "ramp", "alpha"), [(0.0, 0.1, 0.0), (0.05, 0.1, 0.2), (0.7, 0.1, 0.4)])
    def test_mixes_in_the_answer_of_the_teacher_after_a_ramp(self, progress: float, ramp: float, alpha: float):
        features = make_features(progress=progress)
        teacher = features.teacher
        assert teacher is not None
        answer = teacher.scale * teacher.image.vectors @ teacher.text.vectors.T
        rows, columns = build(Momentum(alpha=0.4, ramp=ramp), features)
        right = positives(features)
        torch.testing.assert_close(rows, (1 - alpha) * share(right) + alpha * answer.softmax(1))
        torch.testing.assert_close(columns, (1 - alpha) * share(right.T) + alpha * answer.T.softmax(1))

    def test_without_a_ramp_it_is_whole_at_once(self):
        late, early = make_features(progress=1.0), make_features(progress=0.0)
        torch.testing.assert_close(build(Momentum(ramp=0), early), build(Momentum(), late))

    def test_needs_a_teacher(self):
        with pytest.raises(InputError, match="EmaTeacher"):
            build(Momentum(), make_features().replace(teacher=None))
