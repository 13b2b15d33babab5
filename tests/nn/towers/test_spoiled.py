"""The damage is what it is said to be, is the same whatever the seed, and leaves the parameters alone."""

from __future__ import annotations

import pytest
import torch

from limner.nn.blocks.similarity import StaticBilinear
from limner.nn.towers.map_transformer import MapTower
from limner.nn.towers.spoiled import SpoiledTowers
from limner.nn.towers.text_transformer import TextTower
from limner.nn.two_towers import Towers

SOUND = Towers(MapTower(12, dropout=0.0), TextTower(12, 1, 2), 16, StaticBilinear((2,), shuffled=False))


def vectors(damage: str | None, maps: torch.Tensor, seed: int = 0) -> torch.Tensor:
    torch.manual_seed(seed)
    sound = SOUND.build((9, 5), 40, 8).eval()
    if damage is None:
        return sound.image.read(maps).vectors
    torch.manual_seed(seed + 1)
    spoiled = SpoiledTowers(SOUND, damage).build((9, 5), 40, 8).eval()
    spoiled.image.load_state_dict(sound.image.state_dict())
    return spoiled.image.read(maps).vectors


def test_noise_leaves_half_of_the_channels_and_says_nothing_in_the_others():
    maps = torch.randn(400, 9, 5)
    sound, spoiled = vectors(None, maps), vectors("noise", maps)
    torch.testing.assert_close(spoiled.norm(dim=1), torch.ones(400))
    ratio = spoiled[:, ::2] / sound[:, ::2]
    assert ratio.std(dim=1).max() < 1e-3
    together = torch.corrcoef(torch.cat([sound[:, 1::2], spoiled[:, 1::2]], 1).T)[:8, 8:]
    assert together.abs().max() < 0.2
    torch.testing.assert_close(vectors("noise", maps), spoiled)


def test_rotation_is_undone_by_blocks_of_two_alone():
    maps, texts = torch.randn(50, 9, 5), torch.nn.functional.normalize(torch.randn(50, 16), dim=1)
    sound, spoiled = vectors(None, maps), vectors("rotation", maps)
    torch.testing.assert_close(spoiled.unflatten(1, (8, 2)).norm(dim=2), sound.unflatten(1, (8, 2)).norm(dim=2))
    model = SpoiledTowers(SOUND, "rotation").build((9, 5), 40, 8)
    cosine, sine = model.image.cosine, model.image.sine
    similarity = model.similarity
    with torch.no_grad():
        similarity.channels.zero_()
        similarity.blocks[0].weight.copy_(
            torch.stack([torch.stack([cosine, -sine], 1), torch.stack([sine, cosine], 1)], 1)
        )
    torch.testing.assert_close(spoiled @ similarity.fold_text(texts).T, sound @ texts.T)
    assert not torch.allclose(spoiled @ texts.T, sound @ texts.T, atol=0.1)


@pytest.mark.parametrize("damage", ["noise", "rotation"])
def test_it_takes_over_the_weights_of_a_sound_encoder(damage):
    sound = SOUND.build((9, 5), 40, 8)
    assert (
        SpoiledTowers(SOUND, damage).build((9, 5), 40, 8).image.state_dict().keys() == sound.image.state_dict().keys()
    )
