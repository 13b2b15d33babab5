"""The contrastive op against numbers worked out by hand and against the plain losses it generalises."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from objectives.features import make_features
from torch import Tensor, nn

from limner.core.errors import InputError
from limner.core.features import Encoded, Features
from limner.nn.blocks.similarity import CosineSimilarity
from limner.objectives.contrast import Contrast, contrast
from limner.objectives.targets import Concepts, Groups, Momentum, Softened, positives

seeds = st.integers(0, 2**16)


def pairs(image: Tensor, text: Tensor, scale: float, groups: tuple[Tensor, Tensor] | None = None) -> Features:
    """Vectors only."""
    of_images, of_texts = groups or (torch.arange(len(image)), torch.arange(len(text)))
    return Features(
        Encoded(image, of_images),
        Encoded(text, of_texts),
        scale=torch.tensor(scale),
        similarity=CosineSimilarity(),
        owner=torch.arange(len(text)) % len(image),
        rows=torch.arange(len(image)),
    )


def several_positives(logits: Tensor, right: Tensor) -> Tensor:
    """Entry by entry: the mean over the positives of -log p, over the rows that have any."""
    losses = []
    for row, mask in zip(logits, right, strict=True):
        if mask.any():
            total = math.log(sum(math.exp(value) for value in row.tolist()))
            losses.append(sum(total - value for value in row[mask].tolist()) / int(mask.sum()))
    return torch.tensor(sum(losses) / max(1, len(losses)))


class TestClosedForms:
    def test_two_pairs_by_hand(self):
        left = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
        right = torch.tensor([[1.0, 0.0], [0.6, 0.8]])
        # logits, scale 2: [[2, 1.2], [0, 1.6]]
        rows = math.log(1 + math.exp(1.2 - 2)) + math.log(1 + math.exp(0 - 1.6))
        columns = math.log(1 + math.exp(0 - 2)) + math.log(1 + math.exp(1.2 - 1.6))
        assert Contrast()(pairs(left, right, 2.0)).item() == pytest.approx((rows + columns) / 4, abs=1e-6)

    def test_unrelated_vectors_cost_log_n(self):
        same = F.normalize(torch.ones(16, 4), dim=1)
        assert Contrast()(pairs(same, same, 5.0)).item() == pytest.approx(math.log(16), abs=1e-5)

    def test_equal_words_are_no_negatives(self):
        """Two pictures with one caption: the best that can be reached is log 2, and nothing pushes them apart."""
        left = torch.tensor([[1.0, 0.0], [1.0, 0.0]], requires_grad=True)
        group = torch.tensor([3, 3])
        loss = Contrast()(pairs(left, left.detach(), 10.0, (group, group)))
        loss.backward()
        assert loss.item() == pytest.approx(math.log(2), abs=1e-6)
        assert left.grad is not None
        assert left.grad.abs().max() < 1e-6

    @given(seeds, st.integers(2, 10), st.integers(1, 4))
    def test_equal_vectors_of_equal_texts_cost_the_same_as_negatives(self, seed: int, n: int, kinds: int):
        """UniCL (card 101) is InfoNCE, gradient and all, where the texts of a label have one vector."""
        generator = torch.Generator().manual_seed(seed)
        label = torch.randint(kinds, (n,), generator=generator)
        found = []
        for groups in ((label, label), None):
            vectors = [torch.randn(count, 5, generator=generator.manual_seed(seed)) for count in (n, kinds)]
            image, classes = (F.normalize(one, dim=1).requires_grad_() for one in vectors)
            loss = Contrast()(pairs(image, classes[label], 10.0, groups))
            found.append((loss, *torch.autograd.grad(loss, (image, classes))))
        for one, other in zip(*found, strict=True):
            torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)

    @given(seeds, st.integers(1, 12), st.floats(1, 100))
    def test_each_in_its_own_group_is_the_plain_loss_of_clip(self, seed: int, n: int, scale: float):
        features = make_features(n, seed=seed, roles=["caption"], scale=scale, queued=0)
        logits = scale * features.image.vectors @ features.text.vectors.T
        plain = (F.cross_entropy(logits, torch.arange(n)) + F.cross_entropy(logits.T, torch.arange(n))) / 2
        torch.testing.assert_close(Contrast()(features), plain, rtol=1e-6, atol=1e-6)
        ours, theirs = (torch.autograd.grad(loss, features.image.vectors)[0] for loss in (Contrast()(features), plain))
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)


class TestSeveralPositives:
    @given(seeds, st.integers(1, 7), st.integers(1, 9), st.integers(1, 4))
    def test_the_mean_stands_outside_the_logarithm(self, seed: int, n: int, m: int, kinds: int):
        """Groups drawn at random: rows and columns with no, one or several positives."""
        generator = torch.Generator().manual_seed(seed)
        image, text = (F.normalize(torch.randn(k, 4, generator=generator), dim=1) for k in (n, m))
        groups = tuple(torch.randint(kinds, (k,), generator=generator) for k in (n, m))
        features = pairs(image, text, 6.0, groups)
        logits, right = 6.0 * image @ text.T, groups[0][:, None] == groups[1][None, :]
        wanted = (several_positives(logits, right) + several_positives(logits.T, right.T)) / 2
        torch.testing.assert_close(Contrast()(features), wanted, rtol=1e-5, atol=1e-5)

    @given(seeds, st.integers(1, 6), st.integers(1, 6))
    def test_a_bag_wants_some_of_its_members(self, seed: int, n: int, m: int):
        generator = torch.Generator().manual_seed(seed)
        logits = 3 * torch.randn(n, m, generator=generator)
        right = torch.rand(n, m, generator=generator) < 0.5
        rows = [-math.log(row.softmax(0)[mask].sum()) for row, mask in zip(logits, right, strict=True) if mask.any()]
        wanted = sum(rows) / max(1, len(rows))
        assert contrast(logits, right.float(), bags=True).item() == pytest.approx(wanted, abs=1e-5)

    def test_a_bag_costs_no_more_than_its_members_do_on_average(self):
        features = make_features()
        assert Contrast(bags=True)(features) < Contrast()(features)

    @pytest.mark.parametrize("targets", [Groups(smoothing=0.1), Concepts(), Softened(), Momentum()])
    def test_bags_of_targets_with_mass_on_negatives_are_refused(self, targets: Any):
        with pytest.raises(InputError, match="bags"):
            Contrast(targets, bags=True)


class TestRowsWithoutPositives:
    @pytest.mark.parametrize("bags", [False, True])
    def test_they_count_for_nothing(self, bags: bool):
        logits = torch.randn(4, 5, generator=torch.Generator().manual_seed(1)).requires_grad_()
        targets = torch.eye(4, 5)
        targets[2] = 0
        kept = torch.tensor([0, 1, 3])
        loss = contrast(logits, targets, torch.tensor([1.0, 2.0, 50.0, 3.0]), bags=bags)
        wanted = contrast(logits[kept], targets[kept], torch.tensor([1.0, 2.0, 3.0]), bags=bags)
        torch.testing.assert_close(loss, wanted)
        assert torch.equal(torch.autograd.grad(loss, logits)[0][2], torch.zeros(5))

    @pytest.mark.parametrize("bags", [False, True])
    @pytest.mark.parametrize("shape", [(3, 4), (0, 4), (3, 0)])
    def test_nothing_to_ask_costs_zero_and_has_a_zero_gradient(self, shape: tuple[int, int], bags: bool):
        logits = torch.ones(shape, requires_grad=True)
        loss = contrast(logits, torch.zeros(shape), bags=bags)
        assert loss.item() == 0
        assert torch.equal(torch.autograd.grad(loss, logits)[0], torch.zeros(shape))


@dataclass(frozen=True, slots=True)
class ByLearning:
    """Weights of a module that would love to be trained: the op must not let it."""

    def head(self) -> nn.Module:
        return nn.Linear(1, 1)

    def __call__(self, features: Features, head: Any) -> tuple[Tensor, Tensor]:
        slope = head.weight.squeeze()
        return slope * (1 + torch.arange(len(features.rows))), slope * (1 + torch.arange(len(features.owner)))


class TestWeights:
    def test_weigh_rows_and_keep_the_mean_over_rows(self):
        logits = torch.randn(3, 3, generator=torch.Generator().manual_seed(0))
        rows = F.cross_entropy(logits, torch.arange(3), reduction="none")
        weights = torch.tensor([0.0, 1.0, 0.5])
        torch.testing.assert_close(contrast(logits, torch.eye(3), weights), (rows * weights).sum() / 3)

    def test_no_gradient_goes_through_them(self):
        features, objective = make_features(queued=0), Contrast(weights=ByLearning())
        head = objective.head(None)
        assert head is not None
        objective(features, head).backward()
        assert head.weight.grad is None
        assert features.image.vectors.grad is not None

    def test_with_a_role_each_text_keeps_its_own_weight(self):
        features, objective = make_features(queued=0), Contrast(weights=ByLearning(), role="long")
        head = objective.head(None)
        assert head is not None
        of_pictures, of_texts = objective.weights(features, head)
        logits, n = features.scale * features.with_role("long").scores, len(features.rows)
        wanted = contrast(logits, torch.eye(n), of_pictures) + contrast(logits.T, torch.eye(n), of_texts[n : 2 * n])
        torch.testing.assert_close(objective(features, head), wanted / 2)


def test_only_the_texts_of_the_role_are_read():
    features = make_features(queued=0)
    Contrast(role="long")(features).backward()
    touched = features.text.vectors.grad.abs().sum(1) > 0
    assert torch.equal(touched.nonzero().flatten(), features.roles["long"])
    with pytest.raises(InputError, match="no texts of role 'poem'"):
        Contrast(role="poem", weights=ByLearning())(features, nn.Linear(1, 1))


@dataclass(frozen=True, slots=True)
class Uneven:
    """A factor that depends on the vectors, so that it has a gradient of its own."""

    def __call__(self, features: Features) -> Tensor:
        return 1.2 + features.scores


class TestTemperatureOfAPair:
    @given(seeds, st.integers(1, 6))
    def test_value_and_gradient_are_those_of_the_direct_formula(self, seed: int, n: int):
        features = make_features(n, seed=seed, roles=["caption"], queued=0)
        leaves = (features.image.vectors, features.text.vectors, features.scale)
        cosine = features.image.vectors @ features.text.vectors.T
        logits = features.scale * cosine / (1.2 + cosine)
        direct = (F.cross_entropy(logits, torch.arange(n)) + F.cross_entropy(logits.T, torch.arange(n))) / 2
        ours = Contrast(temperature=Uneven())(features)
        torch.testing.assert_close(ours, direct)
        for mine, theirs in zip(torch.autograd.grad(ours, leaves), torch.autograd.grad(direct, leaves), strict=True):
            torch.testing.assert_close(mine, theirs)

    def test_holds_for_the_keys_of_a_teacher_too(self):
        features = make_features(queued=0)
        loose, plain = Contrast(temperature=Uneven(), keys="teacher"), Contrast(keys="teacher")
        assert abs(loose(features) - plain(features)) > 1e-3


def bfloat16(side: Encoded) -> Encoded:
    return dataclasses.replace(side, vectors=side.vectors.detach().bfloat16())


class TestQueue:
    def test_adds_negatives_but_none_from_the_own_picture(self):
        features = make_features(4, roles=["caption"])
        queue = features.queue
        assert queue is not None
        loss = 0.0
        for own, others, more, rows in (
            (features.image.vectors, features.text.vectors, queue.text.vectors, queue.text_rows),
            (features.text.vectors, features.image.vectors, queue.image.vectors, queue.image_rows),
        ):
            for number in range(4):
                against = torch.cat([others, more[rows != features.rows[number]]])
                loss += F.cross_entropy(features.scale * against @ own[number], torch.tensor(number)) / 8
        torch.testing.assert_close(Contrast()(features), loss)

    def test_an_entry_of_the_own_picture_gets_no_gradient(self):
        features = make_features(1, roles=["caption"], queued=1)  # the only entry comes from the only picture
        Contrast()(features).backward()
        assert torch.count_nonzero(features.image.vectors.grad) == 0

    def test_half_precision_stays_finite(self):
        features = make_features(scale=50.0)
        queue = features.queue
        assert queue is not None
        narrow = features.replace(
            image=bfloat16(features.image),
            text=bfloat16(features.text),
            scale=features.scale.bfloat16(),
            queue=dataclasses.replace(queue, image=bfloat16(queue.image), text=bfloat16(queue.text)),
        )
        torch.testing.assert_close(Contrast()(narrow), Contrast()(features), rtol=0.1, atol=0.1)


class TestKeysOfATeacher:
    def test_compares_with_what_the_teacher_makes_of_the_other_side(self):
        features = make_features(5, roles=["caption"], queued=0)
        teacher = features.teacher
        assert teacher is not None
        right = torch.arange(5)
        rows = features.scale * features.image.vectors @ teacher.text.vectors.T
        columns = features.scale * features.text.vectors @ teacher.image.vectors.T
        wanted = (F.cross_entropy(rows, right) + F.cross_entropy(columns, right)) / 2
        torch.testing.assert_close(Contrast(keys="teacher")(features), wanted)

    def test_needs_one(self):
        with pytest.raises(InputError, match="EmaTeacher"):
            Contrast(keys="teacher")(make_features().replace(teacher=None))

    def test_unknown_keys_are_refused(self):
        with pytest.raises(InputError, match="keys"):
            Contrast(keys="pupil")  # type: ignore[arg-type]


def test_smoothing_is_that_of_torch():
    """With one positive a row, as in ALIGN."""
    features = make_features(6, roles=["caption"], queued=0)
    logits, right = features.scale * features.scores, torch.arange(6)
    wanted = sum(F.cross_entropy(side, right, label_smoothing=0.1) for side in (logits, logits.T)) / 2
    torch.testing.assert_close(Contrast(Groups(smoothing=0.1))(features), wanted)
    assert positives(features).sum() == 6
