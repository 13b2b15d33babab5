"""Gradients of a batch in chunks: exactly those of the whole, under the same dropout, in less memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from objectives.features import make_model
from torch import Tensor, nn
from train import workers

from limner.core.features import Features
from limner.nn.two_towers import TwoTowers
from limner.objectives.blockwise import BlockwiseContrast
from limner.objectives.contrast import Contrast
from limner.objectives.hinge import Random, RankingHinge
from limner.train.batches import Batch
from limner.train.gradcache import cached_backward
from limner.train.joining import join_features, tensors_of


def cut(batch: Batch, size: int) -> list[Batch]:
    return [batch.part(start, min(start + size, len(batch))) for start in range(0, len(batch), size)]


def with_dropout(model: TwoTowers, rate: float) -> TwoTowers:
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = rate
    return model.train()


class Recorded:
    """Encodes, and keeps all that it gave."""

    def __init__(self, model: TwoTowers) -> None:
        self.model, self.given = model, []

    def __call__(self, batch: Batch) -> Features:
        self.given.append(workers.encode(self.model, batch))
        return self.given[-1]


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_gradients_are_those_of_the_whole_batch(size: int):
    """Of several objectives at once, for towers, scale, heads and a network that a loss runs itself."""
    batch = workers.make_batch()
    model = make_model()
    heads = workers.make_heads(model)
    wanted_losses = workers.losses(workers.encode(model, batch), heads)
    torch.stack(list(wanted_losses.values())).sum().backward()
    wanted = workers.gradients(model, heads)

    model = make_model()
    heads = workers.make_heads(model)
    losses = cached_backward(
        lambda part: workers.encode(model, part),
        cut(batch, size),
        join_features,
        lambda features: workers.losses(features, heads),
        Tensor.backward,
    )
    assert losses.keys() == wanted_losses.keys()
    for name, loss in losses.items():
        torch.testing.assert_close(loss, wanted_losses[name].detach(), rtol=1e-5, atol=1e-5)
        assert not loss.requires_grad
    ours = workers.gradients(model, heads)
    assert ours.keys() == wanted.keys()
    assert "log_scale" in ours
    for name, gradient in ours.items():
        torch.testing.assert_close(gradient, wanted[name], rtol=1e-5, atol=1e-5)


class TestWithDropout:
    chunks = staticmethod(lambda: cut(workers.make_batch(), 3))

    def test_the_second_pass_gives_what_the_first_gave_bit_for_bit(self):
        encode = Recorded(with_dropout(make_model(), 0.3))
        torch.manual_seed(5)
        cached_backward(encode, self.chunks(), join_features, only(Contrast()), Tensor.backward)
        first, second = encode.given[:3], encode.given[3:]
        assert len(second) == 3
        for one, other in zip(first, second, strict=True):
            for path, tensor in tensors_of(one).items():
                assert torch.equal(tensor, tensors_of(other)[path]), path
        assert not torch.equal(first[0].image.vectors, first[0].view.image.vectors)

    def test_gradients_are_those_of_one_graph_over_all_chunks(self):
        """The losses draw by chance as well; that disturbs nothing, and the random numbers go on from there."""
        outcomes = []
        for cached in (False, True):
            model = with_dropout(make_model(), 0.3)
            losses = only(Contrast(), RankingHinge(negatives=Random(2)))
            torch.manual_seed(5)
            if cached:
                cached_backward(Recorded(model), self.chunks(), join_features, losses, Tensor.backward)
            else:
                features = join_features([workers.encode(model, part) for part in self.chunks()])
                torch.stack(list(losses(features).values())).sum().backward()
            outcomes.append((workers.gradients(model), torch.rand(3)))
        (wanted, next_wanted), (ours, next_ours) = outcomes
        assert torch.equal(next_ours, next_wanted)
        assert ours.keys() == wanted.keys()
        for name, gradient in ours.items():
            torch.testing.assert_close(gradient, wanted[name], rtol=1e-5, atol=1e-5)


def only(*objectives: Any) -> Callable[[Features], dict[str, Tensor]]:
    return lambda features: {objective.name: objective(features, None) for objective in objectives}


def test_a_factor_of_the_backward_pass_reaches_everything_once():
    """As accelerate divides by the number of batches whose gradients it accumulates."""
    outcomes = []
    for factor in (1.0, 0.25):
        model = make_model()
        heads = workers.make_heads(model)
        cached_backward(
            lambda part, model=model: workers.encode(model, part),
            cut(workers.make_batch(), 2),
            join_features,
            lambda features, heads=heads: workers.losses(features, heads),
            lambda loss, factor=factor: (factor * loss).backward(),
        )
        outcomes.append(workers.gradients(model, heads))
    for name, gradient in outcomes[1].items():
        torch.testing.assert_close(gradient, outcomes[0][name] / 4)


def test_frozen_towers_stay_untouched():
    model = make_model()
    model.image.requires_grad_(False)
    cached_backward(Recorded(model), cut(workers.make_batch(), 3), join_features, only(Contrast()), Tensor.backward)
    assert all(parameter.grad is None for parameter in model.image.parameters())
    assert all(parameter.grad is not None for parameter in model.text.project.parameters())


def test_what_has_no_gradient_is_given_none():
    """A teacher, a queue, labels: the losses see them as they are."""
    seen: list[Features] = []

    def losses(features: Features) -> dict[str, Tensor]:
        seen.append(features)
        return only(Contrast(keys="teacher"))(features)

    model, teacher = make_model(), make_model(seed=1)

    def encode(part: Batch) -> Features:
        return workers.encode(model, part).replace(teacher=workers.encode(teacher, part))

    cached_backward(encode, cut(workers.make_batch(), 3), join_features, losses, Tensor.backward)
    paths = {path for path, tensor in tensors_of(seen[0]).items() if tensor.requires_grad}
    assert {"image.vectors", "text.vectors", "scale", "view.image.states"} <= paths
    assert not any("teacher" in path or "targets" in path for path in paths)
    assert all(parameter.grad is None for parameter in teacher.parameters())


class Held:
    """Bytes that autograd holds at one time for backward passes; the largest number there was."""

    def __init__(self) -> None:
        self.now = self.most = 0

    def hooks(self) -> torch.autograd.graph.saved_tensors_hooks:
        return torch.autograd.graph.saved_tensors_hooks(lambda tensor: _Holder(self, tensor), lambda held: held.tensor)


class _Holder:
    def __init__(self, held: Held, tensor: Tensor) -> None:
        # Detached: an output that a node saves would otherwise hold the node.
        self.held, self.tensor, self.size = held, tensor.detach(), tensor.numel() * tensor.element_size()
        held.now += self.size
        held.most = max(held.most, held.now)

    def __del__(self) -> None:
        self.held.now -= self.size


def test_memory_is_that_of_a_chunk():
    batch = workers.make_batch(64)
    held = {}
    for name in ("whole", "chunks"):
        model, objective = make_model(), BlockwiseContrast(block=8)
        held[name] = Held()
        with held[name].hooks():
            if name == "whole":
                objective(workers.encode(model, batch)).backward()
            else:
                cached_backward(
                    lambda part, model=model: workers.encode(model, part),
                    cut(batch, 4),
                    join_features,
                    only(objective),
                    Tensor.backward,
                )
    assert held["chunks"].now == held["whole"].now == 0
    assert held["chunks"].most < held["whole"].most / 8
