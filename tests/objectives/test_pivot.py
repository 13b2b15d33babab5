"""Texts of other languages are contrasted with the pivot's, and with nothing else."""

import pytest
import torch
from objectives.features import make_features

from limner.core.errors import InputError
from limner.objectives.pivot import PivotContrast


def test_is_infonce_between_the_pivot_and_the_others():
    features = make_features(4, roles=("en", "de", "fr"))
    vectors = features.text.vectors.detach()
    logits = features.scale.detach() * vectors[:4] @ vectors[4:].T  # (4 pivots, 8 others)
    own = torch.arange(4)
    of_others = torch.nn.functional.cross_entropy(logits.T, own.repeat(2))
    of_pivots = sum(torch.nn.functional.cross_entropy(logits, own + start) for start in (0, 4)) / 2
    torch.testing.assert_close(PivotContrast("en")(features).detach(), (of_others + of_pivots) / 2)


def test_pictures_have_no_part_in_it():
    features = make_features(4, roles=("en", "de"))
    PivotContrast("en")(features).backward()
    assert features.image.vectors.grad is None
    assert features.text.vectors.grad.abs().sum() > 0


def test_what_it_needs():
    with pytest.raises(InputError, match="no texts of role 'en'"):
        PivotContrast("en")(make_features(4, roles=("de", "fr")))
    with pytest.raises(InputError, match="role 'en' only"):
        PivotContrast("en")(make_features(4, roles=("en",)))
