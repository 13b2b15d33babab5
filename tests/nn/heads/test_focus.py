"""Focused pooling: where each prompt looks, and what it makes of a uniform picture."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from limner.core.errors import InputError
from limner.core.features import Encoded
from limner.nn.blocks.similarity import BestVector, Cosine
from limner.nn.heads.focus import Focus, quadrant_distances
from limner.nn.towers.map_transformer import MapTower
from limner.nn.towers.text_transformer import TextTower
from limner.nn.two_towers import Towers

WIDTH, PLACES = 16, 36


def drawn(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def unit(*shape: int) -> torch.Tensor:
    return F.normalize(drawn(*shape), dim=-1)


def test_the_four_distances_are_mirror_images_and_zero_in_their_quadrant():
    grids = quadrant_distances(16).unflatten(1, (4, 4))
    assert torch.equal(grids[0, :2, :2], torch.zeros(2, 2))
    assert torch.isclose(grids[0, 0, 3], torch.tensor(0.375))
    assert torch.isclose(grids[0, 3, 3], torch.tensor(0.375 * 2**0.5))
    assert torch.equal(grids[1], grids[0].flip(1))
    assert torch.equal(grids[2], grids[0].flip(0))
    assert torch.equal(grids[3], grids[0].flip(0, 1))


@pytest.mark.parametrize("prompts", ["position", "content"])
def test_a_uniform_picture_is_the_same_to_all_prompts(prompts: str):
    pool = Focus(prompts).build(WIDTH)
    state = drawn(3, 1, WIDTH)
    latents = pool(state.expand(3, PLACES, WIDTH))
    assert latents.shape == (3, 4, 2 * WIDTH)
    assert torch.allclose(latents, torch.cat([state, state], -1).expand(3, 4, 2 * WIDTH), atol=1e-5)


def test_a_position_prompt_sees_its_quadrant_most():
    pool = Focus().build(1)
    for prompt, (top, left) in enumerate(((0, 0), (0, 3), (3, 0), (3, 3))):
        inside = torch.zeros(1, 6, 6, 1)
        inside[0, top : top + 3, left : left + 3] = 1
        shares = pool(inside.flatten(1, 2))[0, :, 0]
        assert shares.argmax() == prompt
        assert shares[prompt] > 0.6


def test_all_of_it_learns():
    pool = Focus().build(WIDTH)
    pool(drawn(2, PLACES, WIDTH)).square().sum().backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in pool.parameters())


def test_wrong_settings_are_refused():
    with pytest.raises(InputError, match="square grid"):
        Focus().build(WIDTH)(drawn(1, 35, WIDTH))
    with pytest.raises(InputError, match="4 quadrants"):
        Focus(count=5).build(WIDTH)


def test_copies_of_the_one_vector_give_exactly_its_score():
    vectors, text = unit(5, 8), Encoded(unit(7, 8), torch.arange(7))
    image = Encoded(vectors, torch.arange(5))
    single = Cosine().build(8)(image, text)
    for copies in (1, 4):
        several = image.replace(tokens=vectors[:, None].expand(5, copies, 8))
        assert torch.equal(BestVector().build(8)(several, text), single)


def test_one_vector_more_never_lowers_a_score():
    tokens, text = unit(5, 6, 8), Encoded(unit(7, 8), torch.arange(7))
    best, before = BestVector().build(8), torch.full((5, 7), -2.0)
    for k in range(1, 7):
        now = best(Encoded(tokens[:, 0], torch.arange(5), tokens=tokens[:, :k]), text)
        assert (now >= before).all()
        before = now


def test_the_best_of_one_is_refused():
    text = Encoded(unit(7, 8), torch.arange(7))
    with pytest.raises(InputError, match="focus"):
        BestVector().build(8)(Encoded(unit(5, 8), torch.arange(5)), text)


def test_a_model_keeps_its_whole_vector_first():
    torch.manual_seed(0)
    towers = Towers(MapTower(WIDTH, dropout=0.0), TextTower(WIDTH, 1, 2, 0.0), 8, BestVector(), focus=Focus())
    model = towers.build((PLACES, 5), 40, 7)
    encoded = model.encode_image(drawn(3, PLACES, 5), torch.arange(3))
    assert encoded.tokens.shape == (3, 5, 8)
    assert torch.equal(encoded.tokens[:, 0], encoded.vectors)
    assert torch.allclose(encoded.tokens.norm(dim=-1), torch.ones(3, 5), atol=1e-5)
