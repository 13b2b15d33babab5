"""A batch with everything in it that an objective may ask for, drawn by a seed: no towers, no pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from limner.core.features import Encoded, Features, Queue
from limner.nn.blocks.similarity import CosineSimilarity
from limner.nn.blocks.word_weights import FIRST_WORD, IMPOSSIBLE
from limner.nn.heads.join import JoinedItem
from limner.nn.heads.lexicon import Lexicon
from limner.nn.towers.map_transformer import MapTower
from limner.nn.towers.text_transformer import TextTower
from limner.nn.two_towers import Towers, TwoTowers

DIMENSION, WIDTH, PLACES, WORDS, VOCABULARY = 8, 12, 9, 7, 40
CHANNELS = 5
"""Of the maps that the image tower of `make_model` reads, and of those in `make_targets`: (n, PLACES, CHANNELS)."""
ROLES = ("caption", "long", "synthetic")
PAIRS_IN_DATA = 1000
CLASSES, GRID_CLASSES = 8, (4, 3)
"""Of concepts and of the clusters in `make_targets`; of the two kinds of labels in its grid."""


def make_model(seed: int = 0) -> TwoTowers:
    """Real towers whose features have the shapes of `make_features`, with a network for joined items; no dropout."""
    torch.manual_seed(seed)
    towers = Towers(
        MapTower(WIDTH, dropout=0.0),
        TextTower(WIDTH, depth=1, heads=2, dropout=0.0),
        DIMENSION,
        tokens=True,
        lexicon=Lexicon(),
    )
    model = towers.build((PLACES, CHANNELS), VOCABULARY, WORDS)
    model.join = JoinedItem(WIDTH, WIDTH, DIMENSION, width=16, heads=2)
    return model


def make_features(
    pictures: int = 6,
    *,
    seed: int = 0,
    roles: Sequence[str] = ROLES,
    groups: Tensor | None = None,
    scale: float = 10.0,
    targets: Mapping[str, Tensor] | None = None,
    progress: float = 0.5,
    queued: int = 5,
    model: Any = None,
) -> Features:
    """n `pictures` with one text of each role: the texts of role r are the rows r * n to (r + 1) * n - 1.

    `groups` (n,) of the pictures, which their texts share; without it each picture is its own group. What the
    towers would give (vectors, latent, states, tokens of the batch and its view, and the scale) are leaves that
    ask for a gradient; teacher and queue are without. Half of the queue comes from pictures of the batch.
    `targets`: without it, those of `make_targets`; `queued` 0 leaves the queue out.
    """
    generator = torch.Generator().manual_seed(seed)
    texts = pictures * len(roles)
    groups = torch.arange(pictures) if groups is None else groups
    owner = torch.arange(pictures).repeat(len(roles))
    rows = torch.randperm(PAIRS_IN_DATA, generator=generator)[:pictures]
    lengths = torch.randint(3, WORDS + 1, (texts,), generator=generator)
    mask = torch.arange(WORDS)[None, :] < lengths[:, None]
    ids = torch.randint(1, VOCABULARY, (texts, WORDS), generator=generator) * mask
    inverse_temperature = torch.tensor(scale, requires_grad=True)

    def one(leaves: bool) -> Features:
        return Features(
            image=encoded(generator, groups, PLACES, 2 * WIDTH, None, leaves),
            text=encoded(generator, groups[owner], WORDS, WIDTH, mask, leaves),
            scale=inverse_temperature if leaves else inverse_temperature.detach().clone(),
            similarity=CosineSimilarity(),
            owner=owner,
            rows=rows,
            roles={role: torch.arange(pictures) + pictures * place for place, role in enumerate(roles)},
            ids=ids,
            concept=torch.arange(pictures) % min(CLASSES, max(2, pictures // 2)),
            language=torch.arange(texts) % 2,
            targets=make_targets(pictures) if targets is None else targets,
            progress=progress,
            model=model,
        )

    view, teacher = one(True), one(False)
    return one(True).replace(view=view, teacher=teacher, queue=make_queue(generator, rows, queued) if queued else None)


def make_targets(pictures: int) -> dict[str, Tensor]:
    """Labels and stored answers for each picture, one of every kind that an objective of ours reads."""
    numbers = torch.arange(pictures)
    cells = numbers[:, None, None] + torch.arange(PLACES)[None, :, None]
    return {
        "grid": cells % torch.tensor(GRID_CLASSES),
        "maps": torch.sin(cells + torch.arange(CHANNELS)),
        "clusters": torch.stack([numbers, numbers + 3], dim=1) % CLASSES,
        "confidence": numbers / max(1, pictures - 1),
        "quadrant": numbers % 5 - 1,
    }


def encoded(
    generator: torch.Generator, group: Tensor, length: int, latent: int, mask: Tensor | None, leaf: bool
) -> Encoded:
    """One side of a batch, every field filled."""
    n = len(group)

    def draw(*shape: int, unit: bool) -> Tensor:
        drawn = torch.randn(shape, generator=generator)
        return (F.normalize(drawn, dim=-1) if unit else drawn).requires_grad_(leaf)

    return Encoded(
        vectors=draw(n, DIMENSION, unit=True),
        group=group,
        latent=draw(n, latent, unit=False),
        states=draw(n, length, WIDTH, unit=False),
        tokens=draw(n, length, DIMENSION, unit=True),
        mask=mask,
        lexicon=make_lexicon(n, generator).requires_grad_(leaf),
    )


def make_lexicon(count: int, generator: torch.Generator) -> Tensor:
    """(n, VOCABULARY): some words weigh something, most nothing; what is no word cannot."""
    drawn = torch.randn((count, VOCABULARY), generator=generator) - 0.5
    drawn[:, :FIRST_WORD] = IMPOSSIBLE
    return drawn


def make_queue(generator: torch.Generator, rows: Tensor, queued: int) -> Queue:
    """Of the `queued` pairs every second one is of a picture in the batch, the others of no picture in it."""
    drawn = rows[torch.randint(len(rows), (queued,), generator=generator)]
    origin = torch.where(torch.arange(queued) % 2 == 0, drawn, PAIRS_IN_DATA + torch.arange(queued))
    image = encoded(generator, origin, PLACES, 2 * WIDTH, None, leaf=False)
    text = encoded(generator, origin, WORDS, WIDTH, torch.ones(queued, WORDS, dtype=torch.bool), leaf=False)
    return Queue(image, text, origin, origin.clone())
