"""Component matching (card 69): what PCA keeps, and that short texts answer for no more."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from objectives.features import make_features
from torch import Tensor

from limner.core.errors import InputError
from limner.objectives.component_matching import ComponentMatching, principal_components
from limner.objectives.targets import Groups

seeds = st.integers(0, 2**16)


def unit(seed: int, n: int, d: int) -> Tensor:
    return F.normalize(torch.randn(n, d, generator=torch.Generator().manual_seed(seed)), dim=1)


class TestPrincipalComponents:
    @given(seeds, st.sampled_from([(12, 5), (4, 9), (6, 6)]))
    def test_from_the_rank_on_nothing_is_lost(self, seed: int, shape: tuple[int, int]):
        vectors = unit(seed, *shape)
        torch.testing.assert_close(principal_components(vectors, min(shape)), vectors, atol=1e-5, rtol=1e-4)

    @given(seeds, st.integers(1, 4))
    def test_what_is_lost_is_what_varies_least(self, seed: int, k: int):
        """The squared error is the sum of the squares of the singular values behind k (Eckart and Young 1936)."""
        vectors = unit(seed, 20, 5)
        singular = torch.linalg.svdvals(vectors - vectors.mean(0))
        lost = ((principal_components(vectors, k) - vectors) ** 2).sum()
        torch.testing.assert_close(lost, (singular[k:] ** 2).sum(), atol=1e-4, rtol=1e-3)

    def test_the_mean_stays_and_length_is_not_restored(self):
        vectors = unit(0, 20, 8)
        coarse = principal_components(vectors, 2)
        torch.testing.assert_close(coarse.mean(0), vectors.mean(0))
        assert (coarse.norm(dim=1) < 0.99).any()

    def test_projecting_twice_changes_nothing(self):
        once = principal_components(unit(1, 20, 8), 3)
        torch.testing.assert_close(principal_components(once, 3), once, atol=1e-5, rtol=1e-4)

    def test_gradient_of_equal_singular_values(self):
        """Where the gradient of an SVD has no bound; here it is that of a fixed projection."""
        vectors = torch.eye(4, requires_grad=True)
        coarse = principal_components(vectors, 2)
        pull = unit(2, 4, 4)
        (coarse * pull).sum().backward()
        assert torch.isfinite(vectors.grad).all()
        assert vectors.grad.norm() <= pull.norm() + 1e-5

    def test_in_float32_under_autocast(self):
        vectors = unit(3, 16, 8)
        with torch.autocast("cpu", torch.bfloat16):
            half = principal_components(vectors, 4)
        assert half.dtype == torch.float32
        assert torch.equal(half, principal_components(vectors, 4))


class TestObjective:
    def test_by_hand(self):
        features = make_features(8)
        texts = features.text.vectors[features.roles["caption"]]
        logits = features.scale * principal_components(features.image.vectors, 2) @ texts.T
        answer = torch.arange(8)
        expected = sum(F.cross_entropy(side, answer, label_smoothing=0.1) for side in (logits, logits.T)) / 2
        torch.testing.assert_close(ComponentMatching("caption")(features), expected)

    def test_components_are_a_quarter_of_the_batch_at_most(self):
        features = make_features(16)
        many, four, one = (ComponentMatching("long", components)(features) for components in (32, 4, 1))
        assert torch.equal(many, four)
        assert not torch.allclose(four, one)

    def test_short_texts_move_pictures_only_along_the_components(self):
        """Beside the shift of the mean, the gradient lies in the span of the leading directions."""
        features = make_features(12, scale=3.0)
        vectors = features.image.vectors
        (gradient,) = torch.autograd.grad(ComponentMatching("caption", 2, Groups())(features), vectors)
        relative = gradient - gradient.mean(0)
        leading = torch.linalg.svd(vectors.detach() - vectors.detach().mean(0)).Vh[:2]
        torch.testing.assert_close(relative @ leading.T @ leading, relative, atol=1e-6, rtol=1e-3)
        assert relative.norm() > 1e-3

    def test_settings_and_needs(self):
        with pytest.raises(InputError, match="4 pictures a batch at least; this one has 3"):
            ComponentMatching("caption")(make_features(3))
        with pytest.raises(InputError, match="no texts of role 'short'"):
            ComponentMatching("short")(make_features())
        with pytest.raises(InputError, match="1 component"):
            ComponentMatching("caption", 0)
