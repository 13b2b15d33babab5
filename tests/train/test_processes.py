"""Two processes with half of the batch each train as one with the whole of it."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from objectives.features import make_model
from processes import run_in_processes
from torch import Tensor
from train import workers

from limner.core.errors import InputError
from limner.objectives.contrast import Contrast
from limner.objectives.peers import Peers
from limner.train.joining import tensors_of
from limner.train.processes import average_gradients, gather_features, own_share

Outcome = tuple[dict[str, Tensor], dict[str, Tensor]]


@pytest.fixture(scope="module")
def together() -> list[dict[str, Any]]:
    return run_in_processes(workers.train_together, 2)


def alone() -> Outcome:
    model = make_model()
    heads = workers.make_heads(model)
    named = workers.losses(workers.encode(model, workers.make_batch()), heads)
    torch.stack(list(named.values())).sum().backward()
    return {name: loss.detach() for name, loss in named.items()}, workers.gradients(model, heads)


def assert_equal(ours: Outcome, wanted: Outcome) -> None:
    for mine, theirs in zip(ours, wanted, strict=True):
        assert mine.keys() == theirs.keys()
        for name, value in mine.items():
            torch.testing.assert_close(
                value, theirs[name], rtol=1e-5, atol=1e-5, msg=lambda text, n=name: f"{n}: {text}"
            )


@pytest.mark.parametrize("way", ["gathered", "cached"])
def test_losses_and_gradients_are_those_of_one_process(way: str, together: list[dict[str, Any]]):
    wanted = alone()
    for result in together:
        assert_equal(result[way], wanted)


def test_the_objective_that_exchanges_by_itself_gives_them_too(together: list[dict[str, Any]]):
    model = make_model()
    loss = Contrast()(workers.encode(model, workers.make_batch()))
    loss.backward()
    for result in together:
        assert_equal(result["blockwise"], ({"contrast": loss.detach()}, workers.gradients(model)))


def test_features_come_together_whole_and_in_order(together: list[dict[str, Any]]):
    """Each text stands beside its picture; padding is that of the longest text of all."""
    assert [result["pictures"] for result in together] == [3, 4]
    batch = workers.make_batch()
    order = torch.cat([(batch.owner < 3).nonzero().flatten(), (batch.owner >= 3).nonzero().flatten()])
    place = order.argsort()
    wanted = tensors_of(workers.encode(make_model(), batch))
    real = wanted["text.mask"][order][..., None]
    for result in together:
        features = result["features"]
        assert features.keys() == wanted.keys()
        for path, tensor in features.items():
            side, name = ("", *path.split("."))[-2:]
            if side == "roles":
                assert set(tensor.tolist()) == set(place[wanted[path]].tolist())
            elif side == "text" and name in ("states", "tokens"):  # what stands at padding means nothing
                torch.testing.assert_close(tensor * real, wanted[path][order] * real)
            elif side == "text" or name in ("owner", "ids", "language"):
                torch.testing.assert_close(tensor, wanted[path][order])
            else:
                torch.testing.assert_close(tensor, wanted[path])


def test_gradients_of_parameters_that_not_all_processes_touch(together: list[dict[str, Any]]):
    for result in together:
        assert result["touched"] == [[1.5, 1.5], [1.5, 1.5], None]


def test_different_fields_are_refused_not_waited_for(together: list[dict[str, Any]]):
    for result in together:
        assert "different fields" in result["refused"]


def test_one_process_has_everything_already():
    batch, parameter = workers.make_batch(), torch.ones(2, requires_grad=True)
    features = workers.encode(make_model(), batch)
    assert own_share(batch) is batch
    assert gather_features(features) is features
    parameter.sum().backward()
    average_gradients([parameter])
    assert parameter.grad is not None
    assert torch.equal(parameter.grad, torch.ones(2))


def test_an_empty_batch_cannot_be_shared():
    with pytest.raises(InputError, match="0 pictures"):
        own_share(workers.make_batch().part(0, 0), Peers())
