"""Rates, decay and freezing by name."""

import pytest
import torch
from torch import nn

from limner.core.errors import InputError
from limner.train.optimiser import Optimiser, move_average


class Blocks(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.image = nn.Module()
        self.image.blocks = nn.ModuleList(nn.Linear(2, 2) for _ in range(3))
        self.image.project = nn.Linear(2, 2)


def rates(optimiser: Optimiser, model: nn.Module) -> dict[str, tuple[float, float]]:
    """Name -> (factor of the rate, decay)."""
    built = optimiser.build([model])
    found = {id(p): (group["factor"], group["weight_decay"]) for group in built.param_groups for p in group["params"]}
    return {name: found[id(p)] for name, p in model.named_parameters() if id(p) in found}


def test_rates_warm_up_and_fall_to_zero():
    optimiser = Optimiser(rate=1.0, steps=100, warmup=10)
    rates = [optimiser.rate_at(step) for step in range(101)]
    assert rates[0] == pytest.approx(0.1)
    assert rates[10] == pytest.approx(1.0)
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[100] == pytest.approx(0.0)


def test_vectors_are_not_decayed():
    found = rates(Optimiser(decay=0.1), Blocks())
    assert found["image.project.weight"] == (1.0, 0.1)
    assert found["image.project.bias"] == (1.0, 0.0)


def test_the_first_pattern_counts_and_zero_freezes():
    model = Blocks()
    found = rates(Optimiser(rates=((r"blocks\.0", 0.0), (r"^image", 0.5))), model)
    assert "image.blocks.0.weight" not in found
    assert not model.image.blocks[0].weight.requires_grad
    assert found["image.blocks.1.weight"][0] == 0.5


def test_early_blocks_learn_slower():
    model = nn.Module()
    model.towers = Blocks()
    found = rates(Optimiser(layer_decay=0.5), model)
    factors = [found[f"towers.image.blocks.{number}.weight"][0] for number in range(3)]
    assert factors == pytest.approx([0.25, 0.5, 1.0])
    assert found["towers.image.project.weight"][0] == 1.0


def test_the_rate_of_a_step_reaches_every_group():
    optimiser = Optimiser(rate=1.0, steps=10, warmup=0, rates=((r"blocks", 0.1),))
    built = optimiser.build([Blocks()])
    optimiser.set_rate(built, 0)
    assert sorted({round(group["lr"], 6) for group in built.param_groups}) == [0.1, 1.0]


def test_nothing_to_train_is_an_error():
    with pytest.raises(InputError, match="frozen"):
        Optimiser(rates=((".", 0.0),)).build([Blocks()])


def test_average():
    one, other = nn.BatchNorm1d(2), nn.BatchNorm1d(2)
    nn.init.constant_(other.weight, 3.0)
    other.num_batches_tracked += 7
    move_average(one, other, 0.5)
    torch.testing.assert_close(one.weight.detach(), torch.full((2,), 2.0))
    assert one.num_batches_tracked == 7
