"""Encoders: shapes, unit length, independence of the order of places; states in the common space."""

import pytest
import torch

from limner.nn.encoders import ImageEncoder, TextEncoder
from limner.nn.towers.convolutional_transformer import PictureTower
from limner.nn.towers.map_transformer import MapTower
from limner.nn.towers.text_transformer import TextTower
from limner.nn.two_towers import Towers

WIDTH, D = 16, 8


def random(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def image_encoder(depth: int = 1) -> ImageEncoder:
    torch.manual_seed(0)
    return ImageEncoder(PictureTower((8, 8), WIDTH, depth, heads=2).build((3, 64, 64)), WIDTH, D).eval()


def map_encoder() -> ImageEncoder:
    torch.manual_seed(0)
    return ImageEncoder(MapTower(WIDTH, dropout=0.5).build((49, 6)), WIDTH, D).eval()


@pytest.mark.parametrize(
    ("encoder", "images", "places"),
    [(image_encoder(), random(3, 3, 64, 64), 16), (map_encoder(), random(3, 49, 6), 49)],
    ids=["pictures", "maps"],
)
def test_image_encoder_reads_a_grid_of_states(encoder: ImageEncoder, images: torch.Tensor, places: int) -> None:
    reading = encoder.read(images)
    assert reading.states.shape == (3, places, WIDTH)
    assert reading.latent.shape == (3, encoder.latent_width) == (3, 2 * WIDTH)
    assert reading.mask is None
    assert reading.vectors.shape == (3, D)
    torch.testing.assert_close(reading.vectors.norm(dim=1), torch.ones(3))
    torch.testing.assert_close(encoder(images), reading.vectors)


def test_without_positions_the_order_of_places_does_not_matter() -> None:
    encoder, maps = map_encoder(), random(2, 49, 6)
    torch.testing.assert_close(encoder(maps), encoder(maps.flip(1)), rtol=1e-4, atol=1e-5)


def test_a_picture_of_one_place_is_its_own_token() -> None:
    encoder = map_encoder()
    reading = encoder.read(random(2, 49, 6)[:, :1].expand(-1, 49, -1))
    torch.testing.assert_close(encoder.project_states(reading.states)[:, 0], reading.vectors, rtol=1e-4, atol=1e-5)


def test_a_text_of_one_word_is_its_own_token() -> None:
    torch.manual_seed(0)
    encoder = TextEncoder(TextTower(WIDTH, 2, 2).build(50, 20), WIDTH, D).eval()
    reading = encoder.read(torch.tensor([[3, 0], [9, 0]]))
    torch.testing.assert_close(encoder.project_states(reading.states)[:, 0], reading.vectors)


def test_words_take_the_place_of_embeddings() -> None:
    torch.manual_seed(0)
    tower = TextTower(WIDTH, 2, 2).build(50, 20).eval()
    ids, others = torch.tensor([[3, 4, 5]]), torch.tensor([[6, 7, 8]])
    torch.testing.assert_close(tower(ids, words=tower.tokens(others))[0], tower(others)[0])


@pytest.mark.parametrize("tokens", [False, True])
def test_two_towers_meet_in_one_space(tokens: bool) -> None:
    torch.manual_seed(0)
    towers = Towers(MapTower(WIDTH), TextTower(WIDTH, 1, 2), D, tokens=tokens).build((9, 6), 50, 20).eval()
    group = torch.arange(4)
    image = towers.encode_image(random(4, 9, 6), group)
    text = towers.encode_text(torch.randint(1, 50, (4, 7), generator=torch.Generator().manual_seed(0)), group)
    assert towers.similarity(image, text).shape == (4, 4)
    assert (image.tokens is not None) == (text.tokens is not None) == tokens
    if tokens:
        assert image.tokens.shape == (4, 9, D)
        assert text.tokens.shape == (4, 7, D)
    assert 1 <= towers.scale().item() <= 100
