"""ArcMargin: the added angle, the cross-entropy that it is a margin on, several captions as centres."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from objectives.features import DIMENSION, make_features, make_model

from limner.core.errors import InputError
from limner.objectives.arc_margin import ArcMargin, Centres, MultiCaptionArcMargin, add_angle, arc_margin


@given(angle=st.floats(0.01, math.pi - 0.01), margin=st.floats(0.0, 1.0))
def test_the_angle_is_added_up_to_pi_and_the_cosine_never_rises(angle, margin):
    cosine = torch.tensor([math.cos(angle), math.cos(angle) - 1e-3], dtype=torch.float64).clamp(min=-1)
    turned = add_angle(cosine, margin)
    if angle + margin < math.pi - 1e-6:
        assert turned[0].item() == pytest.approx(math.cos(angle + margin), abs=1e-9)
    assert turned[1] <= turned[0]
    assert turned[0] <= cosine[0] + 1e-9


def test_the_slope_is_finite_at_both_ends():
    cosine = torch.tensor([-1.0, 1.0], requires_grad=True)
    add_angle(cosine, 0.3).sum().backward()
    assert cosine.grad.isfinite().all()


def test_without_margin_it_is_the_softmax_cross_entropy():
    cosine = torch.rand(5, 7, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 1.8 - 0.9
    labels = torch.tensor([0, 6, 2, 2, 3])
    own = F.one_hot(labels, 7).bool()
    expected = F.cross_entropy(16 * cosine, labels)
    torch.testing.assert_close(arc_margin(cosine, own, ~own, 16, 0.0), expected, atol=1e-9, rtol=1e-9)
    assert arc_margin(cosine, own, ~own, 16, 0.3) > expected


def test_the_formula_in_float64():
    cosine = torch.rand(4, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64) * 1.6 - 0.8
    positive = torch.tensor([[1, 1, 0, 0, 0, 0], [0, 0, 1, 0, 0, 0], [0, 0, 0, 1, 1, 1], [0, 0, 0, 0, 0, 0]]).bool()
    negative = ~positive
    negative[1, 5] = False  # neither right nor wrong
    total = 0.0
    for i in range(3):
        against = sum(math.exp(8 * cosine[i, j]) for j in range(6) if negative[i, j])
        own = [math.exp(8 * math.cos(math.acos(cosine[i, k]) + 0.4)) for k in range(6) if positive[i, k]]
        total -= sum(math.log(one / (one + against)) for one in own) / len(own)
    assert arc_margin(cosine, positive, negative, 8, 0.4).item() == pytest.approx(total / 3, abs=1e-9)


def test_gradient():
    cosine = (torch.rand(3, 5, generator=torch.Generator().manual_seed(2), dtype=torch.float64) - 0.5).requires_grad_()
    own = F.one_hot(torch.tensor([0, 3, 3]), 5).bool()
    assert torch.autograd.gradcheck(lambda x: arc_margin(x, own, ~own, 10.0, 0.3), cosine)


def test_duplicate_captions_of_a_picture_are_never_negatives():
    """All captions of a picture say the same. Perfect pictures then pay next to nothing, whatever their number."""
    centres = torch.eye(4)
    captions = centres.repeat(3, 1)
    own = torch.arange(4)[:, None] == torch.arange(4).repeat(3)[None, :]
    assert arc_margin(centres @ captions.T, own, ~own, 32, 0.3).item() < 1e-6


def test_classes_need_a_concept_and_a_centre_each():
    features = make_features()
    objective = ArcMargin(classes=3)
    head = objective.head(make_model())
    assert isinstance(head, Centres)
    assert head().shape == (3, DIMENSION)
    loss = objective(features, head)
    loss.backward()
    assert head.weight.grad.abs().max() > 0
    assert features.image.vectors.grad.abs().max() > 0
    with pytest.raises(InputError, match="concept for each picture"):
        objective(features.replace(concept=None), head)
    with pytest.raises(InputError, match="0 to 2, found 3"):
        objective(features.replace(concept=torch.tensor([0, 1, 2, 0, 1, 3])), head)
    with pytest.raises(InputError, match="found -1"):
        objective(features.replace(concept=torch.tensor([0, 1, 2, 0, 1, -1])), head)


def test_captions_move_the_pictures_and_stay_themselves():
    features = make_features()
    MultiCaptionArcMargin()(features).backward()
    assert features.text.vectors.grad is None
    assert features.image.vectors.grad.abs().max() > 0


def test_captions_of_the_same_class_are_neither_right_nor_wrong():
    features = make_features()  # concepts 0 1 2 0 1 2: picture 3 is of the class of picture 0
    moved = features.text.vectors.detach().clone()
    moved[features.owner == 3] = features.image.vectors.detach()[0]
    changed = features.replace(text=type(features.text)(moved, features.text.group))
    only_first = torch.arange(6) == 0

    def of_first(some):
        own = (some.image.group[:, None] == some.text.group) & only_first[:, None]
        negative = some.concept[:, None] != some.concept[some.owner][None, :]
        return arc_margin(some.image.vectors @ some.text.vectors.T, own, negative & ~own, 32, 0.3)

    torch.testing.assert_close(of_first(features), of_first(changed))
    assert MultiCaptionArcMargin()(features) < MultiCaptionArcMargin()(features.replace(concept=None))


def test_fewer_captions_by_role():
    features = make_features()
    one = MultiCaptionArcMargin(role="caption")(features)
    torch.testing.assert_close(one, MultiCaptionArcMargin()(features.with_role("caption")))


def test_classes_by_the_name_of_a_target():
    features = make_features().replace(concept=None, targets={"instance": torch.tensor([0, 1, 2, 0, 1, 2])})
    objective, by_concept = ArcMargin(3, "instance"), ArcMargin(3)
    head = objective.head(make_model())
    same = by_concept(features.replace(concept=features.targets["instance"]), head)
    torch.testing.assert_close(objective(features, head), same)
    with pytest.raises(InputError, match="target 'thing'"):
        ArcMargin(3, "thing")(features, head)
