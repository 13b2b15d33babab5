"""Stretched positions (card 69): the formula, its length, and rows that never move."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from limner.core.errors import InputError
from limner.nn.blocks.positions import stretch_positions, stretch_tower
from limner.nn.towers.text_transformer import TextTransformer


def table(rows: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(rows, 3, generator=torch.Generator().manual_seed(seed))


class TestStretch:
    def test_77_rows_become_248(self):
        assert stretch_positions(table(77)).shape == (248, 3)

    def test_row_by_row(self):
        old, keep, factor = table(7), 3, 4
        new = stretch_positions(old, keep, factor)
        assert torch.equal(new[:keep], old[:keep])
        for i in range(4):
            for r in range(factor):
                if keep + i + 1 < 7:
                    expected = (1 - r / factor) * old[keep + i] + (r / factor) * old[keep + i + 1]
                else:
                    expected = old[6] + (r / factor) * (old[6] - old[5])
                torch.testing.assert_close(new[keep + factor * i + r], expected)

    @given(st.integers(2, 30), st.data())
    def test_length_and_old_rows(self, rows: int, data: st.DataObject):
        keep, factor = data.draw(st.integers(0, rows - 1)), data.draw(st.integers(1, 5))
        old = table(rows)
        new = stretch_positions(old, keep, factor)
        assert len(new) == factor * rows - (factor - 1) * keep
        assert torch.equal(new[:keep], old[:keep])
        assert torch.equal(new[keep::factor], old[keep:])

    def test_a_straight_line_stays_straight(self):
        line = torch.arange(8.0)[:, None]
        new = stretch_positions(line, keep=2, factor=4)
        torch.testing.assert_close(new[2:].diff(dim=0), torch.full((23, 1), 0.25))

    @pytest.mark.parametrize(("rows", "keep", "factor"), [(20, 20, 4), (1, 0, 4), (8, -1, 4), (8, 2, 0)])
    def test_what_cannot_be_stretched(self, rows: int, keep: int, factor: int):
        with pytest.raises(InputError, match="cannot stretch"):
            stretch_positions(table(rows), keep, factor)


class TestInATower:
    def tower(self) -> TextTransformer:
        torch.manual_seed(0)
        return TextTransformer(vocabulary=30, context=12, width=8, depth=1, heads=2, dropout=0.0)

    def test_short_texts_read_the_same_and_long_ones_can_be_read(self):
        tower = self.tower()
        ids = torch.randint(1, 30, (3, 5), generator=torch.Generator().manual_seed(0))
        before, _ = tower(ids)
        stretch_tower(tower, keep=5)
        after, _ = tower(ids)
        assert torch.equal(before, after)
        assert len(tower.positions) == 33
        states, _ = tower(torch.ones(2, 33, dtype=torch.int64))
        assert states.shape == (2, 33, 8)

    def test_kept_rows_are_the_same_bits_after_training(self):
        tower = self.tower()
        kept = tower.positions[:5].detach().clone()
        stretch_tower(tower, keep=5)
        behind = tower.positions[5:33].detach().clone()
        optimiser = torch.optim.AdamW(tower.parameters(), lr=1e-2, weight_decay=0.1)
        ids = torch.randint(1, 30, (4, 33), generator=torch.Generator().manual_seed(1))
        for _ in range(3):
            optimiser.zero_grad()
            states, _ = tower(ids)
            (states**2 * torch.arange(8)).sum().backward()
            optimiser.step()
        assert torch.equal(tower.positions[:5], kept)
        assert (tower.positions[5:33] != behind).any(1).all()

    def test_stored_and_read_again(self):
        tower, other = self.tower(), self.tower()
        torch.nn.init.normal_(tower.positions)
        stretch_tower(tower, keep=5)
        stretch_tower(other, keep=5)
        other.load_state_dict(tower.state_dict())
        assert torch.equal(other.positions[:33], tower.positions[:33])
        assert "positions.kept" in tower.state_dict()
        assert {name for name, _ in tower.named_parameters() if "positions" in name} == {"positions.stretched"}
