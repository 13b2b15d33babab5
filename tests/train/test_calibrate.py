"""A curve never falls: where scores say nothing, it gives the prior."""

import numpy as np
import pytest

from limner.train.calibrate import PRIOR, _fit


def test_better_scores_are_more_probable():
    rng = np.random.default_rng(0)
    right = rng.random(4000) < 0.3
    curve = _fit(rng.normal(right, 1.0), right)
    assert curve.slope == pytest.approx(1, abs=0.15)


@pytest.mark.parametrize("sign", [-1, -0.1])
def test_scores_that_mislead_give_the_prior(sign):
    rng = np.random.default_rng(0)
    right = rng.random(4000) < 0.3
    curve = _fit(rng.normal(sign * right, 1.0), right)
    assert curve.slope > 0
    assert 1 / (1 + np.exp(-(curve.slope * np.array([-1, 0, 1]) + curve.offset))) == pytest.approx(PRIOR, abs=1e-4)
