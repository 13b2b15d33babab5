"""Exactness: value and gradients are those of the plain loss, in one process and in several."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from objectives import workers
from objectives.features import make_features
from processes import run_in_processes
from torch import Tensor

from limner.core.errors import InputError
from limner.core.features import Encoded, Features
from limner.nn.blocks.similarity import StaticBilinear
from limner.objectives.blockwise import BlockwiseContrast
from limner.objectives.contrast import Contrast
from limner.objectives.peers import Peers


def value_and_gradients(loss: Tensor, features: Features) -> tuple[Tensor, ...]:
    leaves = (features.image.vectors, features.text.vectors, features.scale)
    return loss.detach(), *torch.autograd.grad(3 * loss, leaves)


def assert_equal(ours: tuple[Tensor, ...], wanted: tuple[Tensor, ...]) -> None:
    """To 1e-5, of the largest component where that is above 1: small ones are differences of large ones."""
    for mine, theirs in zip(ours, wanted, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=0, atol=1e-5 * max(1.0, float(theirs.abs().max())))


class TestInOneProcess:
    @given(
        seed=st.integers(0, 2**16),
        pictures=st.integers(1, 9),
        texts=st.integers(1, 2),
        kinds=st.integers(1, 9),
        block=st.integers(1, 20),
        scale=st.floats(1, 100),
    )
    def test_value_and_gradients_of_the_plain_loss(
        self, seed: int, pictures: int, texts: int, kinds: int, block: int, scale: float
    ):
        """Any block, the last one uneven or the only one; one or several positives; hard scales."""
        features = make_features(
            pictures,
            seed=seed,
            roles=["caption", "long"][:texts],
            groups=torch.arange(pictures) % kinds,
            scale=scale,
            queued=0,
        )
        wanted = value_and_gradients(Contrast()(features), features)
        assert_equal(value_and_gradients(BlockwiseContrast(block)(features), features), wanted)

    def test_rows_and_columns_without_a_positive_are_only_negatives(self):
        features = make_features(queued=0)
        image = features.image.replace(group=torch.tensor([0, 1, 2, 50, 51, 5]))
        features = features.replace(image=image)
        wanted = value_and_gradients(Contrast()(features), features)
        assert_equal(value_and_gradients(BlockwiseContrast(4)(features), features), wanted)

    def test_nothing_to_ask_costs_nothing(self):
        features = make_features(queued=0)
        features = features.replace(image=features.image.replace(group=torch.arange(6) + 100))
        loss, *gradients = value_and_gradients(BlockwiseContrast(4)(features), features)
        assert loss == 0
        assert all(torch.count_nonzero(gradient) == 0 for gradient in gradients)

    def test_only_the_texts_of_the_role(self):
        features = make_features(queued=0)
        wanted = value_and_gradients(Contrast(role="long")(features), features)
        assert_equal(value_and_gradients(BlockwiseContrast(4, role="long")(features), features), wanted)

    def test_a_frozen_side_gets_no_gradient(self):
        features = make_features(queued=0)
        for frozen, trained in (("image", "text"), ("text", "image")):
            half = features.replace(**{frozen: getattr(features, frozen).detach()})
            vectors = getattr(half, trained).vectors
            ours, wanted = (
                torch.autograd.grad(objective(half), vectors)[0] for objective in (BlockwiseContrast(4), Contrast())
            )
            torch.testing.assert_close(ours, wanted, rtol=1e-5, atol=1e-5)

    def test_autocast_does_not_coarsen_the_logits(self):
        features = make_features(scale=100.0, queued=0)
        with torch.autocast("cpu", torch.bfloat16):
            coarse, exact = Contrast()(features), BlockwiseContrast(4)(features)
        torch.testing.assert_close(exact, Contrast()(features), rtol=1e-5, atol=1e-5)
        assert abs(coarse - exact) > 1e-3

    def test_less_is_kept_for_the_backward_pass(self):
        """Numbers that autograd holds: of the order of the batch, not of its square."""
        features = make_features(60, roles=["caption"], queued=0)

        def kept(objective: Contrast | BlockwiseContrast) -> int:
            numbers = 0

            def count(tensor: Tensor) -> Tensor:
                nonlocal numbers
                numbers += tensor.numel()
                return tensor

            with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
                objective(features)
            return numbers

        assert kept(Contrast()) > 2 * 60 * 60
        assert kept(BlockwiseContrast(8)) < 60 * 60 / 2

    @pytest.mark.parametrize("settings", [{"block": 0}, {"block": -5}, {"groups": 0}])
    def test_impossible_settings_are_refused(self, settings: dict[str, int]):
        with pytest.raises(InputError, match="at least 1"):
            BlockwiseContrast(**settings)

    def test_a_learned_similarity_that_folds_is_the_models_own(self):
        features = make_features(queued=0)
        learned = StaticBilinear((2,)).build(features.image.vectors.shape[1])
        generator = torch.Generator().manual_seed(0)
        for parameter in learned.parameters():
            parameter.data += torch.randn(parameter.shape, generator=generator)
        features = features.replace(similarity=learned)
        loss, plain = BlockwiseContrast(4)(features), Contrast()(features)
        torch.testing.assert_close(loss, plain)
        wanted = torch.autograd.grad(plain, list(learned.parameters()))
        for found, gradient in zip(torch.autograd.grad(loss, list(learned.parameters())), wanted, strict=True):
            torch.testing.assert_close(found, gradient, atol=1e-5, rtol=1e-4)

    def test_another_similarity_is_refused(self):
        def negative_distance(image: Encoded, text: Encoded) -> Tensor:
            return -torch.cdist(image.vectors, text.vectors)

        with pytest.raises(InputError, match="dot products"):
            BlockwiseContrast()(make_features().replace(similarity=negative_distance))


class TestGroupsOfTheBatch:
    def test_negatives_come_from_the_own_part_only(self):
        """Two parts of a batch cost what they cost as two batches, on average."""
        features = make_features(6, queued=0)
        halves = []
        for first in (0, 3):
            texts = ((features.owner >= first) & (features.owner < first + 3)).nonzero().flatten()
            image, text = features.image.take(slice(first, first + 3)), features.text.take(texts)
            halves.append(Contrast()(features.replace(image=image, text=text)))
        wanted = value_and_gradients((halves[0] + halves[1]) / 2, features)
        assert_equal(value_and_gradients(BlockwiseContrast(2, groups=2)(features), features), wanted)

    def test_fewer_negatives_cost_less(self):
        features = make_features(8, roles=["caption"], queued=0)
        assert BlockwiseContrast(groups=4)(features) < BlockwiseContrast(groups=2)(features) < Contrast()(features)

    def test_more_groups_than_pictures_leave_no_negatives(self):
        features = make_features(3, roles=["caption"], queued=0)
        assert BlockwiseContrast(groups=5)(features).item() == pytest.approx(0, abs=1e-6)


def whole(texts: int) -> tuple[Features, tuple[Tensor, ...]]:
    features = workers.whole_batch(texts)
    loss = Contrast()(features)
    leaves = (features.image.vectors, features.text.vectors, features.scale)
    return features, (loss.detach(), *torch.autograd.grad(loss, leaves))


@pytest.fixture(scope="module")
def shared() -> dict[int, list[Any]]:
    """What the processes of a run gave, by their number."""
    return {2: run_in_processes(workers.share_a_batch, 2, 2), 4: run_in_processes(workers.share_a_batch, 4, 1, 2)}


class TestInSeveralProcesses:
    @pytest.mark.parametrize(("count", "texts"), [(2, 2), (4, 1)])
    def test_exact_with_fewer_bytes(self, count: int, texts: int, shared: dict[int, list[Any]]):
        """Loss and gradients of the whole batch, with uneven parts; gathering both sides only costs more."""
        features, (loss, of_images, of_texts, of_scale) = whole(texts)
        results, bounds = shared[count], workers.BOUNDS[count]
        for way in ("blockwise", "gathered"):
            scales = []
            for rank, result in enumerate(results):
                torch.testing.assert_close(result[way]["loss"], loss, rtol=1e-5, atol=1e-5)
                first, end = bounds[rank : rank + 2]
                owned = (features.owner >= first) & (features.owner < end)
                mine = result[way]["gradients"]
                # The mean over the processes is what training takes, so each gives its own part `count` times.
                torch.testing.assert_close(mine[0] / count, of_images[first:end], rtol=1e-5, atol=1e-5)
                torch.testing.assert_close(mine[1] / count, of_texts[owned], rtol=1e-5, atol=1e-5)
                scales.append(mine[2])
            torch.testing.assert_close(torch.stack(scales).mean(), of_scale, rtol=1e-5, atol=1e-5)
        for result in results:
            assert 0 < result["blockwise"]["sent"] < result["gathered"]["sent"]

    def test_groups_of_processes(self, shared: dict[int, list[Any]]):
        """Four processes in two groups: the mean of two losses, each of half of the batch."""
        features = workers.whole_batch(1)
        results = [result["in_groups"] for result in shared[4]]
        halves, middle = [], workers.BOUNDS[4][2]
        for first, end in ((0, middle), (middle, workers.PICTURES)):
            texts = ((features.owner >= first) & (features.owner < end)).nonzero().flatten()
            halves.append(
                Contrast()(
                    features.replace(image=features.image.take(slice(first, end)), text=features.text.take(texts))
                )
            )
        wanted = torch.autograd.grad((halves[0] + halves[1]) / 2, features.image.vectors)[0]
        for rank, result in enumerate(results):
            torch.testing.assert_close(result["loss"], halves[rank // 2].detach(), rtol=1e-5, atol=1e-5)
            assert torch.equal(result["loss"], result["again"])
            assert "gathered already" in result["refused"]
        gradient = torch.cat([result["gradient"] for result in results]) / 4
        torch.testing.assert_close(gradient, wanted, rtol=1e-5, atol=1e-5)

    def test_one_process_is_alone(self):
        features = make_features(queued=0)
        alone = BlockwiseContrast(across=True)(features)
        torch.testing.assert_close(alone, Contrast()(features), rtol=1e-5, atol=1e-5)
        with pytest.raises(InputError, match="1 processes cannot be divided"):
            Peers.all().split(2)
