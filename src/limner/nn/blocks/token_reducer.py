"""Few tokens instead of a grid of places: what is stored of a picture, and compared, shrinks by places / tokens.

    TokenReducer    each token attends to places that it learns to choose      Wukong (card 25), TokenLearner
    GridPool        each token is the mean of a block of places                what the learnt one must beat

Each is a module states (n, t, width) of a square grid -> (n, count, width) whose `maps(states)`, (n, count, t) with
sum 1 each, say how much of each place is in a token: where there is no grid any more, they are the explanation. The
vector of the whole picture is no token: it has a space of its own, and no counterpart among the words.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from limner.core.errors import InputError


class ReducerPart(Protocol):
    """Settings of a reducer."""

    def build(self, width: int) -> nn.Module: ...


class _Reducer(nn.Module):
    def maps(self, states: Tensor) -> Tensor:
        raise NotImplementedError

    def forward(self, states: Tensor) -> Tensor:
        return self.maps(states) @ states


class ConvolutionalReducer(_Reducer):
    """Two convolutions over the grid give a map for each token, a softmax over the places its weights."""

    def __init__(self, count: int, width: int, inner: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.look = nn.Conv2d(width, inner, 3, padding=1)
        self.choose = nn.Conv2d(inner, count, 1)
        # From far apart: maps that begin alike give tokens that learn alike.
        nn.init.normal_(self.choose.weight, std=1.0)

    def maps(self, states: Tensor) -> Tensor:
        grid = self.norm(states).transpose(1, 2).unflatten(2, (side_of(states), -1))
        return self.choose(nn.functional.gelu(self.look(grid))).flatten(2).float().softmax(-1).to(states.dtype)


class BlockMean(_Reducer):
    def __init__(self, rows: int, columns: int) -> None:
        super().__init__()
        self.rows, self.columns = rows, columns

    def maps(self, states: Tensor) -> Tensor:
        side = side_of(states)
        down, across = (_shares(side, parts).to(states) for parts in (self.rows, self.columns))
        return torch.einsum("rh,cw->rchw", down, across).flatten(2).flatten(0, 1).expand(len(states), -1, -1)


def side_of(states: Tensor) -> int:
    """Raises InputError for places that are no square grid."""
    side = math.isqrt(states.shape[1])
    if side**2 != states.shape[1]:
        raise InputError(f"reducing tokens needs a square grid of places; a picture has {states.shape[1]}")
    return side


def _shares(side: int, parts: int) -> Tensor:
    """(parts, side): the share of each cell in each of so many equal stretches, sum 1 a stretch."""
    edges, length = torch.arange(side), side / parts
    begin = torch.arange(parts)[:, None] * length
    return ((edges + 1).clamp(max=begin + length) - edges.clamp(min=begin)).clamp(min=0) / length


@dataclass(frozen=True, slots=True)
class TokenReducer:
    """Settings of a ConvolutionalReducer: `count` tokens a picture; `inner`: channels between its convolutions."""

    count: int = 8
    inner: int = 32

    def __post_init__(self) -> None:
        if min(self.count, self.inner) < 1:
            raise InputError(f"a picture keeps 1 token at least, through 1 channel at least: {self}")

    def build(self, width: int) -> ConvolutionalReducer:
        return ConvolutionalReducer(self.count, width, self.inner)


@dataclass(frozen=True, slots=True)
class GridPool:
    """Settings of a BlockMean: the grid cut into so many `rows` and `columns`; a place between two belongs to both."""

    rows: int = 2
    columns: int = 2

    def __post_init__(self) -> None:
        if min(self.rows, self.columns) < 1:
            raise InputError(f"a grid is cut into 1 part at least each way: {self}")

    def build(self, width: int) -> BlockMean:
        return BlockMean(self.rows, self.columns)
