"""Grouping of places by sentences (card 14): by hand, invariances, equal sentences."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from objectives.features import make_features
from torch import Tensor

from limner.core.errors import InputError
from limner.objectives.contrast import contrast
from limner.objectives.sentence_grouping import SentenceGrouping, equal_sentences, group_patches

seeds = st.integers(0, 2**16)


def drawn(seed: int, m: int = 3, p: int = 6, d: int = 4) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    tokens = F.normalize(torch.randn(m, p, d, generator=generator, dtype=torch.float64), dim=-1)
    return tokens, F.normalize(torch.randn(m, d, generator=generator, dtype=torch.float64), dim=-1)


class TestGroupPatches:
    def test_by_hand(self):
        cosines = torch.tensor([[0.9, 0.5, 0.1, 0.26]])  # min-max: 1, 0.5, 0, 0.2; the last is below 1 / 4
        tokens = torch.stack([cosines, (1 - cosines**2).sqrt()], -1)
        grouped, weights = group_patches(tokens, torch.tensor([[1.0, 0.0]]))
        torch.testing.assert_close(weights, torch.tensor([[2 / 3, 1 / 3, 0.0, 0.0]]))
        torch.testing.assert_close(grouped, F.normalize(tokens[:, 0] * 2 + tokens[:, 1], dim=-1))

    def test_threshold(self):
        cosines = torch.tensor([[0.9, 0.5, 0.1, 0.26]])
        tokens = torch.stack([cosines, (1 - cosines**2).sqrt()], -1)
        _, weights = group_patches(tokens, torch.tensor([[1.0, 0.0]]), threshold=0.6)
        torch.testing.assert_close(weights, torch.tensor([[1.0, 0.0, 0.0, 0.0]]))
        _, weights = group_patches(tokens, torch.tensor([[1.0, 0.0]]), threshold=0.0)
        torch.testing.assert_close(weights, torch.tensor([[1.0, 0.5, 0.0, 0.2]]) / 1.7)

    @given(seeds)
    def test_over_places_not_over_texts(self, seed: int):
        """Rows of sum 1, the best place has most, and each sentence is on its own."""
        tokens, text = drawn(seed)
        grouped, weights = group_patches(tokens, text)
        torch.testing.assert_close(weights.sum(1), torch.ones(3, dtype=torch.float64))
        torch.testing.assert_close(grouped.norm(dim=-1), torch.ones(3, dtype=torch.float64))
        assert torch.equal(weights.argmax(1), (tokens @ text[:, :, None]).squeeze(-1).argmax(1))
        assert (weights >= 0).all()
        alone, _ = group_patches(tokens[1:2], text[1:2])
        torch.testing.assert_close(alone, grouped[1:2])

    @given(seeds)
    def test_order_of_places_does_not_matter(self, seed: int):
        tokens, text = drawn(seed)
        order = torch.randperm(6, generator=torch.Generator().manual_seed(seed))
        grouped, weights = group_patches(tokens, text)
        again, moved = group_patches(tokens[:, order], text)
        torch.testing.assert_close(again, grouped)
        torch.testing.assert_close(moved, weights[:, order])

    def test_places_that_are_all_alike_count_alike(self):
        tokens = F.normalize(torch.ones(2, 5, 3), dim=-1).requires_grad_()
        grouped, weights = group_patches(tokens, F.normalize(torch.eye(3)[:2], dim=-1))
        torch.testing.assert_close(weights, torch.full((2, 5), 0.2))
        grouped.sum().backward()
        assert torch.isfinite(tokens.grad).all()

    def test_gradient(self):
        tokens, text = drawn(4)
        assert torch.autograd.gradcheck(group_patches, (tokens.requires_grad_(), text.requires_grad_()))


class TestObjective:
    def test_by_hand(self):
        features = make_features(3, roles=("a", "b"))
        objective = SentenceGrouping()
        head = objective.head(None)
        grouped = torch.stack(
            [
                group_patches(features.image.tokens[i : i + 1], features.text.vectors[k : k + 1])[0][0]
                for k, i in enumerate(features.owner.tolist())
            ]
        )
        logits = grouped @ features.text.vectors.T / 0.07
        answer = torch.arange(6)
        expected = (F.cross_entropy(logits, answer) + F.cross_entropy(logits.T, answer)) / 2
        torch.testing.assert_close(objective(features, head), expected)

    def test_equal_sentences_are_no_negatives(self):
        """Sentence 0 of picture 0 is said of picture 1, too."""
        features = make_features(3, roles=("caption",))
        ids, vectors = features.ids.clone(), features.text.vectors.detach().clone()
        ids[1], vectors[1] = ids[0], vectors[0]
        features = features.replace(ids=ids, text=dataclasses.replace(features.text, vectors=vectors))
        assert equal_sentences(features).tolist() == [[True, True, False], [True, True, False], [False, False, True]]
        objective = SentenceGrouping()
        head = objective.head(None)
        grouped, _ = group_patches(features.image.tokens, vectors)
        logits = head() * grouped @ vectors.T
        targets = torch.tensor([[0.5, 0.5, 0.0], [0.5, 0.5, 0.0], [0.0, 0.0, 1.0]])
        expected = (contrast(logits, targets) + contrast(logits.T, targets)) / 2
        torch.testing.assert_close(objective(features, head), expected)

    def test_without_ids_each_sentence_is_its_own(self):
        assert torch.equal(equal_sentences(make_features(2).replace(ids=None)), torch.eye(6, dtype=torch.bool))

    def test_only_the_texts_of_a_role(self):
        features = make_features()
        objective = SentenceGrouping(role="long")
        head = objective.head(None)
        torch.testing.assert_close(objective(features, head), SentenceGrouping()(features.with_role("long"), head))

    def test_a_temperature_of_its_own(self):
        features = make_features()
        objective = SentenceGrouping()
        head = objective.head(None)
        assert head().item() == pytest.approx(1 / 0.07)
        objective(features, head).backward()
        assert head.log_scale.grad is not None
        assert features.scale.grad is None
        head.log_scale.data.fill_(10.0)
        assert head().item() == pytest.approx(100.0)

    def test_places_and_texts_learn(self):
        features = make_features()
        SentenceGrouping()(features, SentenceGrouping().head(None)).backward()
        assert features.image.tokens.grad.abs().sum() > 0
        assert features.text.vectors.grad.abs().sum() > 0
        assert features.image.vectors.grad is None

    def test_right_places_cost_least(self):
        """Each picture shows two things in two places; each of its sentences names one of them."""
        things = torch.eye(8)
        tokens = things.view(4, 2, 8)
        features = make_features(4, roles=("first", "second"))
        image = dataclasses.replace(features.image, tokens=tokens)
        text = dataclasses.replace(features.text, vectors=torch.cat([things[0::2], things[1::2]]))
        features, head = features.replace(image=image, text=text), SentenceGrouping().head(None)
        loss = SentenceGrouping()(features, head)
        assert loss.item() < 8 * math.exp(-1 / 0.07) + 1e-5
        wrong = features.replace(owner=features.owner.roll(1))
        assert SentenceGrouping()(wrong, head) > 1

    def test_tokens_are_needed(self):
        features = make_features()
        with pytest.raises(InputError, match="token vectors"):
            SentenceGrouping()(features.replace(image=dataclasses.replace(features.image, tokens=None)), None)
