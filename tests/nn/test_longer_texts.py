"""A text tower with room for longer texts: short ones read as before, kept positions never move."""

from __future__ import annotations

import pytest
import torch

from limner.core.errors import InputError
from limner.nn.adapters.longer_texts import LongerTexts
from limner.nn.towers.bag_of_words import BagTower
from limner.nn.towers.map_transformer import MapTower
from limner.nn.towers.text_transformer import TextTower
from limner.nn.two_towers import Towers, TwoTowers


def model() -> TwoTowers:
    torch.manual_seed(0)
    return Towers(MapTower(8), TextTower(8, 1, 2), dimension=8).build((4, 6), 30, 10)


def test_short_texts_read_as_before_and_long_ones_are_read():
    changed, plain = model().eval(), model().eval()
    LongerTexts(keep=6, factor=3).attach(changed)
    ids = torch.randint(1, 30, (3, 7))
    group = torch.arange(3)
    short, long = ids[:, :6], torch.randint(1, 30, (3, 6 + 3 * 4))
    torch.testing.assert_close(changed.encode_text(short, group).vectors, plain.encode_text(short, group).vectors)
    # Row `keep` is where the stretched part begins, so one token more reads the same, too.
    torch.testing.assert_close(changed.encode_text(ids, group).vectors, plain.encode_text(ids, group).vectors)
    assert changed.encode_text(long, group).states.shape == (3, 18, 8)


def test_kept_positions_do_not_move_and_the_others_do():
    changed = model()
    LongerTexts(keep=6, factor=3).attach(changed)
    before = changed.text.tower.positions[:18].detach().clone()
    optimiser = torch.optim.AdamW(changed.parameters(), 0.1)
    changed.encode_text(torch.randint(1, 30, (3, 18)), torch.arange(3)).vectors[:, 0].sum().backward()
    optimiser.step()
    after = changed.text.tower.positions[:18].detach()
    assert torch.equal(before[:6], after[:6])
    assert (before[6:] != after[6:]).any(1).all()


def test_towers_without_positions_are_refused():
    bag = Towers(MapTower(8), BagTower(8), dimension=8).build((4, 6), 30, 10)
    with pytest.raises(InputError, match="learned positions"):
        LongerTexts().attach(bag)
