"""Agreement gates (card 16): every branch by hand, means that start at 1 and move in training only."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from objectives.features import make_features
from torch import Tensor

from limner.core.errors import InputError
from limner.core.features import Encoded, Features
from limner.nn.blocks.similarity import CosineSimilarity
from limner.objectives.contrast import Contrast, contrast
from limner.objectives.gates import AgreementGates, RunningMeans, gates

ANGLES = {"agree": (0.0, 0.1, 0.1), "raw is wrong": (0.0, 1.5, 0.2), "synthetic is wrong": (0.0, 0.2, 1.5)}
"""Of picture, raw text and synthetic text on the unit circle."""


def on_the_circle() -> Features:
    def vectors(place: int) -> Tensor:
        angles = torch.tensor([angle[place] for angle in ANGLES.values()])
        return torch.stack([angles.cos(), angles.sin()], 1)

    n = len(ANGLES)
    number = torch.arange(n)
    return Features(
        Encoded(vectors(0).requires_grad_(), number),
        Encoded(torch.cat([vectors(1), vectors(2)]).requires_grad_(), number.repeat(2)),
        scale=torch.tensor(5.0),
        similarity=CosineSimilarity(),
        owner=number.repeat(2),
        rows=number,
        roles={"caption": number, "synthetic": number + n},
    )


def head(*values: float) -> RunningMeans:
    means = RunningMeans()
    means.values.copy_(torch.tensor(values))
    return means


class TestGates:
    def test_branches_by_hand(self):
        cosines = torch.tensor([[0.9, 0.2], [0.1, 0.1], [0.5, 0.5]])
        agreement, raw, synthetic = gates(cosines, torch.tensor([0.5, 0.3, 0.3]))
        # The first pair agrees more than usual: all is 1, however badly its texts fit the picture.
        torch.testing.assert_close(agreement, torch.tensor([1.0, math.exp(0.2 - 0.5) ** 2]))
        torch.testing.assert_close(raw, torch.tensor([1.0, math.exp(0.1 - 0.3) ** 2]))
        torch.testing.assert_close(synthetic, torch.tensor([1.0, math.exp(0.5 - 0.3) ** 2]))

    def test_agreement_at_its_mean_is_full(self):
        agreement, raw, synthetic = gates(torch.tensor([[0.5], [0.0], [0.0]]), torch.tensor([0.5, 0.9, 0.9]))
        assert (agreement.item(), raw.item(), synthetic.item()) == (1, 1, 1)

    @given(st.integers(0, 2**16))
    def test_bounds(self, seed: int):
        drawn = torch.rand(4, 3, 5, generator=torch.Generator().manual_seed(seed)) * 2 - 1
        means = drawn[0, :, 0]
        agreement, raw, synthetic = gates(drawn[1], means)
        assert (agreement <= 1).all()
        assert ((raw == 1) & (synthetic == 1) | (agreement < 1)).all()
        assert (raw <= torch.exp(2 - 2 * means[1]).clamp(min=1) + 1e-5).all()


class TestWeights:
    def test_what_is_wrong_counts_less(self):
        features, means = on_the_circle(), (0.8, 0.6, 0.6)
        raw, of_texts = AgreementGates("raw")(features, head(*means))
        synthetic, _ = AgreementGates("synthetic")(features, head(*means))
        assert raw[0] == synthetic[0] == 1
        assert raw[1] < synthetic[1] < 1
        assert synthetic[2] < raw[2] < 1
        expected = math.exp(2 * (math.cos(1.3) - 0.8)) * math.exp(2 * (math.cos(1.5) - 0.6))
        assert raw[1].item() == pytest.approx(expected, rel=1e-5)
        assert torch.equal(of_texts, raw.repeat(2))

    def test_language_consistency_alone_is_the_same_on_both_paths(self):
        features, means = on_the_circle(), (0.8, 0.6, 0.6)
        raw, synthetic = (
            AgreementGates(path, describes=False)(features, head(*means))[0] for path in ("raw", "synthetic")
        )
        expected = torch.tensor([1.0, math.exp(2 * (math.cos(1.3) - 0.8)), math.exp(2 * (math.cos(1.3) - 0.8))])
        torch.testing.assert_close(raw, expected)
        assert torch.equal(raw, synthetic)

    def test_no_gradient_through_weights(self):
        weights, of_texts = AgreementGates("raw")(on_the_circle(), RunningMeans())
        assert not weights.requires_grad
        assert not of_texts.requires_grad

    def test_means_start_at_one_and_follow_in_training_only(self):
        features, means = on_the_circle(), RunningMeans()
        assert torch.equal(means.values, torch.ones(3))
        gate = AgreementGates("raw", momentum=0.9)
        first, _ = gate(features, means)
        assert (first < 0.25).sum() == 2  # a warm-up: all that is below perfect agreement counts less
        batch = [math.cos(0.0) + 2 * math.cos(1.3), math.cos(0.1) + math.cos(1.5) + math.cos(0.2)]
        batch.append(math.cos(0.1) + math.cos(0.2) + math.cos(1.5))
        torch.testing.assert_close(means.values, torch.tensor([0.9 + 0.1 * value / 3 for value in batch]))
        kept = means.eval().values.clone()
        gate(features, means)
        assert torch.equal(means.values, kept)

    def test_several_texts_of_a_role_count_by_their_mean_cosine(self):
        features = make_features(4, roles=("one", "two", "synthetic"))
        features = features.replace(
            roles={"caption": torch.cat([features.roles["one"], features.roles["two"]]), **features.roles}
        )
        both, one, two = (RunningMeans() for _ in range(3))
        AgreementGates("raw", momentum=0.0)(features, both)
        AgreementGates("raw", raw="one", momentum=0.0)(features, one)
        AgreementGates("raw", raw="two", momentum=0.0)(features, two)
        torch.testing.assert_close(both.values, (one.values + two.values) / 2)

    def test_means_are_stored(self):
        assert set(RunningMeans().state_dict()) == {"values"}

    def test_a_picture_without_synthetic_text(self):
        features = on_the_circle()
        missing = features.replace(roles={**features.roles, "synthetic": features.roles["synthetic"][:2]})
        with pytest.raises(InputError, match="'synthetic' for each picture"):
            AgreementGates("raw")(missing, RunningMeans())
        with pytest.raises(InputError, match="no texts of role 'ocr'"):
            AgreementGates("raw", synthetic="ocr")(features, RunningMeans())

    def test_settings(self):
        with pytest.raises(InputError, match="'raw' or 'synthetic'"):
            AgreementGates("caption")  # type: ignore[arg-type]
        with pytest.raises(InputError, match="momentum"):
            AgreementGates("raw", momentum=1.0)


def test_both_directions_of_the_contrast_are_weighted():
    features = on_the_circle()
    objective = Contrast(role="synthetic", weights=AgreementGates("synthetic"), name="synthetic")
    means = objective.head(None)
    means.values.copy_(torch.tensor([0.8, 0.6, 0.6]))
    weights, _ = AgreementGates("synthetic")(features, head(0.8, 0.6, 0.6))
    logits = 5 * features.image.vectors @ features.text.vectors[3:].T
    expected = (contrast(logits, torch.eye(3), weights) + contrast(logits.T, torch.eye(3), weights)) / 2
    torch.testing.assert_close(objective(features, means), expected)
    gateless = dataclasses.replace(objective, weights=None)(features)
    assert not torch.allclose(gateless, expected)
