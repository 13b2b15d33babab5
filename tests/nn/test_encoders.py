"""Towers: shapes, unit length, independence of padding and of the company in a batch."""

import torch

from limner.nn.encoders import ImageEncoder, MapReader, TextEncoder, encode_in_buckets
from limner.nn.towers.convolutional_transformer import ConvolutionalTransformer
from limner.nn.towers.text_transformer import TextTransformer

GENERATOR = torch.Generator().manual_seed(0)


def text_encoder() -> TextEncoder:
    torch.manual_seed(0)
    return TextEncoder(TextTransformer(50, 20, 16, 2, 2, dropout=0.1), 16, 8).eval()


def test_padding_does_not_matter():
    encoder = text_encoder()
    short = torch.tensor([[3, 4, 5]])
    padded = torch.tensor([[3, 4, 5, 0, 0, 0]])
    torch.testing.assert_close(encoder(short), encoder(padded))


def test_order_of_words_matters():
    encoder = text_encoder()
    assert not torch.allclose(encoder(torch.tensor([[3, 4, 5]])), encoder(torch.tensor([[5, 4, 3]])))


def test_buckets_change_nothing():
    encoder = text_encoder()
    ids = torch.randint(1, 50, (13, 12), generator=GENERATOR)
    for row, length in enumerate(torch.randint(1, 13, (13,), generator=GENERATOR)):
        ids[row, length:] = 0
    torch.testing.assert_close(encode_in_buckets(encoder, ids, 4), encoder(ids))


def test_image_encoder_gives_unit_vectors_and_a_grid():
    torch.manual_seed(0)
    encoder = ImageEncoder(ConvolutionalTransformer(64, (8, 8), 16, 1, 2), 16, 8).eval()
    vectors, tokens = encoder(torch.rand(3, 3, 64, 64, generator=GENERATOR))
    assert vectors.shape == (3, 8)
    assert tokens.shape == (3, 16, 16)
    torch.testing.assert_close(vectors.norm(dim=1), torch.ones(3))


def test_map_reader_does_not_care_for_the_order_of_places():
    torch.manual_seed(0)
    reader = MapReader(6, 12, 8, dropout=0.5).eval()
    maps = torch.randn(2, 49, 6, generator=GENERATOR)
    torch.testing.assert_close(reader(maps), reader(maps.flip(1)), rtol=1e-4, atol=1e-5)
