"""Few tokens of a grid: weighted sums of places whose weights are told."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from limner.core.errors import InputError
from limner.nn.blocks.token_reducer import GridPool, TokenReducer
from limner.nn.towers.map_transformer import MapTower
from limner.nn.towers.text_transformer import TextTower
from limner.nn.two_towers import Towers

WIDTH = 6
REDUCERS = [TokenReducer(3, inner=4), TokenReducer(1, inner=4), GridPool(2, 2), GridPool(2, 4), GridPool(1, 1)]


def states(places: int = 36, seed: int = 0) -> torch.Tensor:
    return torch.randn(2, places, WIDTH, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("part", REDUCERS, ids=repr)
def test_tokens_are_means_weighted_by_the_maps(part: TokenReducer | GridPool):
    torch.manual_seed(0)
    reducer, grid = part.build(WIDTH), states()
    maps, tokens = reducer.maps(grid), reducer(grid)
    count = part.count if isinstance(part, TokenReducer) else part.rows * part.columns
    assert maps.shape == (2, count, 36)
    torch.testing.assert_close(maps.sum(-1), torch.ones(2, count))
    assert (maps >= 0).all()
    for picture in range(2):
        for token in range(count):
            expected = sum(maps[picture, token, place] * grid[picture, place] for place in range(36))
            torch.testing.assert_close(tokens[picture, token], expected, atol=1e-5, rtol=1e-4)


@given(st.sampled_from([1, 2, 3, 6]), st.sampled_from([1, 2, 3, 6]))
def test_blocks_of_whole_cells_are_average_pooling(rows: int, columns: int):
    grid = states()
    pooled = F.adaptive_avg_pool2d(grid.transpose(1, 2).unflatten(2, (6, 6)), (rows, columns))
    tokens = GridPool(rows, columns).build(WIDTH)(grid)
    torch.testing.assert_close(tokens, pooled.flatten(2).transpose(1, 2), atol=1e-5, rtol=1e-4)


def test_a_place_between_two_blocks_belongs_to_both():
    maps = GridPool(1, 2).build(WIDTH).maps(states(9))[0].view(2, 3, 3)
    torch.testing.assert_close(maps[0].sum(0), torch.tensor([2 / 3, 1 / 3, 0]))
    torch.testing.assert_close(maps[1].sum(0), torch.tensor([0, 1 / 3, 2 / 3]))


def test_maps_look_at_what_is_there_and_learn():
    torch.manual_seed(0)
    reducer = TokenReducer(3, inner=4).build(WIDTH)
    first, second = reducer.maps(states()), reducer.maps(states(seed=1))
    assert not torch.allclose(first, second)
    assert not torch.allclose(first[:, 0], first[:, 1], atol=1e-3)
    reducer(states()).square().sum().backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in reducer.parameters())


def test_a_model_stores_the_reduced_tokens_and_keeps_its_vector():
    def built(**more: object):
        torch.manual_seed(0)
        towers = Towers(MapTower(16), TextTower(8, 1, 2), 4, tokens=True, **more)
        return towers.build((36, 5), 30, 9).eval()

    maps, rows = torch.randn(2, 36, 5), torch.arange(2)
    whole, few = built().encode_image(maps, rows), (model := built(reducer=TokenReducer(3))).encode_image(maps, rows)
    assert whole.tokens.shape == (2, 36, 4)
    assert few.tokens.shape == (2, 3, 4)
    assert few.states.shape == (2, 36, 16)
    torch.testing.assert_close(few.tokens, model.image.project_states(model.image.reducer(few.states)))
    torch.testing.assert_close(few.tokens.norm(dim=-1), torch.ones(2, 3))


def test_what_cannot_be_is_refused():
    with pytest.raises(InputError, match="square grid"):
        TokenReducer(3).build(WIDTH)(states(8))
    with pytest.raises(InputError, match="1 token"):
        TokenReducer(0)
    with pytest.raises(InputError, match="1 part"):
        GridPool(0, 2)
    with pytest.raises(InputError, match="set `tokens`"):
        Towers(reducer=TokenReducer()).build((36, 5), 30, 9)
