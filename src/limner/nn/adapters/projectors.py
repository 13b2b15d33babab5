"""Freeze-Align: two frozen towers meet through trained projectors alone (card 29, CVPR 2025, arXiv 2409.19425)."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from limner.nn.adapters.freezing import FrozenTower, encoders, freeze
from limner.nn.encoders import TextEncoder
from limner.nn.towers.map_transformer import MapTransformer
from limner.nn.two_towers import TwoTowers


class TokenProjector(nn.Module):
    """Linear(x) + Linear(GELU(Linear(x))), at first x itself."""

    def __init__(self, width: int, expansion: int = 2) -> None:
        super().__init__()
        self.straight = nn.Linear(width, width)
        self.bent = nn.Sequential(nn.Linear(width, expansion * width), nn.GELU(), nn.Linear(expansion * width, width))
        nn.init.eye_(self.straight.weight)
        for zero in (self.straight.bias, self.bent[2].weight, self.bent[2].bias):
            nn.init.zeros_(zero)

    def forward(self, x: Tensor) -> Tensor:
        return self.straight(x) + self.bent(x)


class ProjectedTower(FrozenTower):
    """A frozen tower with a projector on each of its states.

    States (n, t, width) that a trunk which reads pictures gave before are taken as they are.
    """

    def __init__(self, trunk: nn.Module, width: int) -> None:
        super().__init__(trunk)
        self.projector = TokenProjector(width)

    def read(self, x: Tensor) -> tuple[list[Tensor], Tensor, Tensor | None]:
        if x.ndim == 3 and not isinstance(self.trunk, MapTransformer):
            return [], x, None
        return super().read(x)

    def change(self, hidden: list[Tensor], states: Tensor, mask: Tensor | None) -> Tensor:
        return self.projector(states)


class ProjectionHead(nn.Module):
    """(..., latent width) -> (..., d): y = Linear(x), then LN(y + dropout(Linear(GELU(y))))."""

    def __init__(self, project: nn.Linear, dropout: float) -> None:
        super().__init__()
        dimension = project.out_features
        self.project = project
        self.bent = nn.Sequential(nn.GELU(), nn.Linear(dimension, dimension), nn.Dropout(dropout))
        self.norm = nn.LayerNorm(dimension)
        nn.init.zeros_(self.bent[1].weight)
        nn.init.zeros_(self.bent[1].bias)

    def forward(self, x: Tensor) -> Tensor:
        y = self.project(x)
        return self.norm(y + self.bent(y))


@dataclass(frozen=True, slots=True)
class Projectors:
    """Trains how states are projected, pooled and brought into the common space; the towers stay.

    `tokens` False: the projector works on the pooled vector, not on each state (the paper's ablation).
    """

    tokens: bool = True
    dropout: float = 0.1

    def attach(self, model: TwoTowers) -> None:
        freeze(model)
        for encoder in encoders(model, ("image", "text")):
            encoder.project.requires_grad_(True)
            if isinstance(encoder, TextEncoder):
                encoder.project = ProjectionHead(encoder.project, self.dropout)
            if not self.tokens:
                encoder.project = nn.Sequential(TokenProjector(encoder.latent_width), encoder.project)
                continue
            encoder.tower = ProjectedTower(encoder.tower, encoder.width)
            if not isinstance(encoder, TextEncoder):
                encoder.attention.requires_grad_(True)
