"""Words matched with places (card 34): one to one, near the best, without gradient through the assignment."""

from __future__ import annotations

import dataclasses
import itertools

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from objectives.features import make_features
from torch import Tensor

from limner.core.errors import InputError
from limner.core.features import Encoded
from limner.nn.blocks.tokens import word_mask
from limner.objectives.contrast import contrast
from limner.objectives.targets import positives, share
from limner.objectives.token_matching import STRICT, TokenMatching, assign, matched_scores

seeds = st.integers(0, 2**16)


def cosines(seed: int, b: int = 4, t: int = 4, p: int = 6, d: int = 5) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    words, places = (F.normalize(torch.randn(b, k, d, generator=generator), dim=-1) for k in (t, p))
    return words @ places.transpose(1, 2)


def every(*shape: int) -> Tensor:
    return torch.ones(shape, dtype=torch.bool)


def best_total(scores: Tensor) -> float:
    """The most that a one-to-one matching of t words to p places can reach, by trying all."""
    t, p = scores.shape
    return max(sum(scores[i, j].item() for i, j in enumerate(chosen)) for chosen in itertools.permutations(range(p), t))


class TestAssign:
    @given(seeds, st.integers(1, 6))
    def test_strict_words_never_share_a_place(self, seed: int, t: int):
        chosen = assign(cosines(seed, t=t), every(4, t), STRICT)
        assert all(len(set(row)) == t for row in chosen.tolist())

    @given(seeds)
    def test_more_words_than_places_share_evenly(self, seed: int):
        chosen = assign(cosines(seed, t=6, p=3), every(4, 6), STRICT)
        assert all(sorted(row) == [0, 0, 1, 1, 2, 2] for row in chosen.tolist())

    @given(seeds)
    def test_free_places_are_max_sim(self, seed: int):
        scores = cosines(seed)
        assert torch.equal(assign(scores, every(4, 4), 0.0), scores.argmax(-1))

    @given(seeds, st.floats(0.05, 0.5))
    def test_relaxed_words_share_only_what_is_worth_the_price(self, seed: int, price: float):
        scores = cosines(seed)
        for row, chosen in zip(scores, assign(scores, every(4, 4), price).tolist(), strict=True):
            free = [place for place in range(6) if place not in chosen]
            for place in {place for place in chosen if chosen.count(place) > 1}:
                sharing = [word for word in range(4) if chosen[word] == place]
                dearest = min(sharing, key=lambda word: row[word].max().item())  # chose last
                assert row[dearest, place] - price >= row[dearest, free].max() - 1e-6

    def test_greedy_is_near_the_best(self):
        scores = cosines(0, b=50)
        reached = scores.gather(2, assign(scores, every(50, 4), STRICT)[..., None]).sum((1, 2))
        best = torch.tensor([best_total(row) for row in scores])
        assert (reached <= best + 1e-5).all()
        assert (reached / best).mean() > 0.9

    def test_clear_words_choose_first(self):
        """Word 0 likes place 0 a little, word 1 very much: word 0 takes its second best."""
        scores = torch.tensor([[[0.5, 0.4], [0.9, 0.1]]])
        assert assign(scores, every(1, 2), STRICT).tolist() == [[1, 0]]

    def test_padding_takes_no_place(self):
        scores = torch.tensor([[[0.9, 0.1], [0.8, 0.2]]])
        words = torch.tensor([[False, True]])
        assert assign(scores, words, STRICT)[0, 1] == 0


class TestScores:
    @settings(max_examples=15)
    @given(seeds, st.sampled_from([0.0, 0.2, STRICT]))
    def test_pair_by_pair(self, seed: int, price: float):
        features = make_features(3, seed=seed)
        scores = matched_scores(features.image, features.text, price)
        words = word_mask(features.text)
        for i, j in itertools.product(range(3), range(9)):
            own = features.text.tokens[j][words[j]] @ features.image.tokens[i].T
            chosen = assign(own[None], every(1, len(own)), price)[0]
            assert scores[i, j].item() == pytest.approx(own[torch.arange(len(own)), chosen].mean().item(), abs=1e-5)

    @given(seeds)
    def test_order_of_places_and_more_padding_do_not_matter(self, seed: int):
        features = make_features(3, seed=seed)
        image, text = features.image, features.text
        order = torch.randperm(9, generator=torch.Generator().manual_seed(seed))
        moved = dataclasses.replace(image, tokens=image.tokens[:, order])
        longer = dataclasses.replace(
            text, tokens=F.pad(text.tokens, (0, 0, 0, 3), value=9.0), mask=F.pad(text.mask, (0, 3))
        )
        expected = matched_scores(image, text, STRICT)
        torch.testing.assert_close(matched_scores(moved, text, STRICT), expected)
        torch.testing.assert_close(matched_scores(image, longer, STRICT), expected)

    def test_gradient_is_that_of_the_chosen_pairs_alone(self):
        features = make_features(1, roles=("caption",))
        image, text = features.image, features.text
        matched_scores(image, text, STRICT).sum().backward()
        words = word_mask(text)[0]
        own = text.tokens[0][words] @ image.tokens[0].T
        chosen = assign(own[None].detach(), every(1, len(own)), STRICT)[0]
        expected = torch.zeros_like(image.tokens[0])
        expected[chosen] = text.tokens[0][words].detach() / words.sum()
        torch.testing.assert_close(image.tokens.grad[0], expected)
        assert (text.tokens.grad[0][~words] == 0).all()

    def test_gradcheck(self):
        generator = torch.Generator().manual_seed(0)
        places, words = (
            F.normalize(torch.randn(2, k, 4, generator=generator, dtype=torch.float64), dim=-1).requires_grad_()
            for k in (5, 6)
        )

        def scored(places: Tensor, words: Tensor) -> Tensor:
            image = Encoded(places[:, 0], torch.arange(2), tokens=places)
            return matched_scores(image, Encoded(words[:, 0], torch.arange(2), tokens=words), 0.2)

        assert torch.autograd.gradcheck(scored, (places, words))

    def test_a_text_without_words_scores_zero(self):
        features = make_features(2, roles=("caption",))
        mask = torch.zeros_like(features.text.mask)
        mask[:, :2] = True
        nothing = dataclasses.replace(features.text, mask=mask)
        assert (matched_scores(features.image, nothing, STRICT) == 0).all()


class TestObjective:
    def test_both_directions_over_groups(self):
        features = make_features(groups=torch.tensor([0, 1, 1, 3, 4, 5]))
        logits = features.scale * matched_scores(features.image, features.text, 0.2)
        right = positives(features)
        expected = (contrast(logits, share(right)) + contrast(logits.T, share(right.T))) / 2
        torch.testing.assert_close(TokenMatching()(features), expected)

    def test_blocks_are_contrasted_in_themselves(self):
        features = make_features(5, roles=("caption",))

        def part(rows: slice) -> Tensor:
            logits = features.scale * matched_scores(features.image.take(rows), features.text.take(rows), 0.2)
            return (contrast(logits, torch.eye(len(logits))) + contrast(logits.T, torch.eye(len(logits)))) / 2

        expected = (2 * part(slice(0, 2)) + 3 * part(slice(2, 5))) / 5
        torch.testing.assert_close(TokenMatching(block=3)(features), expected)

    def test_a_block_without_texts(self):
        features = make_features(4, roles=("caption",)).replace(roles={"caption": torch.tensor([0, 1])})
        loss = TokenMatching(role="caption", block=2)(features)
        whole = TokenMatching(role="caption", block=2)(
            features.replace(image=features.image.take(slice(0, 2)), rows=features.rows[:2])
        )
        torch.testing.assert_close(loss, whole / 2)

    def test_tokens_and_scale_learn(self):
        features = make_features()
        TokenMatching(role="long")(features).backward()
        assert features.image.tokens.grad.abs().sum() > 0
        assert features.text.tokens.grad[6:12].abs().sum() > 0
        assert (features.text.tokens.grad[:6] == 0).all()
        assert features.scale.grad is not None

    def test_settings_and_needs(self):
        with pytest.raises(InputError, match="price"):
            TokenMatching(price=-1.0)
        with pytest.raises(InputError, match="block"):
            TokenMatching(block=1)
        features = make_features()
        with pytest.raises(InputError, match="token vectors"):
            TokenMatching()(features.replace(text=dataclasses.replace(features.text, tokens=None)))
