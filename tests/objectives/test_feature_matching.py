"""The loss is the mean cosine distance, whatever the lengths."""

import pytest
import torch
from objectives.features import CHANNELS, PLACES, make_features, make_model

from limner.core.errors import InputError
from limner.objectives.feature_matching import Land, See, feature_matching


def test_equal_opposite_and_square():
    teacher = torch.tensor([[3.0, 0.0], [0.0, 2.0], [1.0, 0.0]])
    student = torch.tensor([[0.5, 0.0], [0.0, -9.0], [0.0, 4.0]])  # distances 0, 2, 1
    assert feature_matching(student, teacher).item() == pytest.approx(1.0)


def test_grids_average_over_places():
    teacher = torch.randn(2, 49, 8, generator=torch.Generator().manual_seed(0))
    assert feature_matching(2 * teacher, teacher).item() == pytest.approx(0.0, abs=1e-6)


def test_a_picture_lands_where_the_teacher_put_it():
    features = make_features()
    assert Land()(features.replace(teacher=features), None).item() == pytest.approx(0.0, abs=1e-6)
    away = features.replace(teacher=features.replace(image=features.image.replace(vectors=-features.image.vectors)))
    assert Land()(away, None).item() == pytest.approx(2.0)
    with pytest.raises(InputError, match="TargetTeacher"):
        Land()(features.replace(teacher=None), None)


def test_states_tell_what_the_backbone_sees():
    head = See(CHANNELS).head(make_model())
    features = make_features()
    seen = head(features.image.states).detach()
    assert See(CHANNELS)(features.replace(targets={"maps": 3 * seen}), head).item() == pytest.approx(0.0, abs=1e-6)
    assert See(CHANNELS)(features.replace(targets={"maps": seen.flip(1)}), head).item() > 0.1
    with pytest.raises(InputError, match="the target 'maps'"):
        See(CHANNELS)(features.replace(targets={}), head)
    with pytest.raises(InputError, match=f"the tower has {PLACES} places, 'maps' 4"):
        See(CHANNELS)(features.replace(targets={"maps": seen[:, :4]}), head)
