"""Rank spread by a hand-made table of places."""

import numpy as np
import pytest

from limner.eval.metrics import rank_spread


def test_by_hand():
    places = np.array([[1.0, 3.0], [2.0, 2.0], [1.0, 1.0 + 3 * 2**0.5]])
    assert rank_spread(places) == pytest.approx([1.0, 0.0, 1.5 * 2**0.5])
    # Four languages: the mean place is 4, the squared distances are 9, 1, 1 and 9.
    assert rank_spread(np.array([[1.0, 3.0, 5.0, 7.0]])) == pytest.approx([5**0.5])


def test_equal_places_have_no_spread_however_poor_they_are():
    assert (rank_spread(np.full((5, 4), 900.0)) == 0).all()
