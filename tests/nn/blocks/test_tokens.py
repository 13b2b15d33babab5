"""Which tokens are words."""

from __future__ import annotations

import pytest
import torch
from objectives.features import make_features

from limner.core.errors import InputError
from limner.core.features import Encoded
from limner.nn.blocks.tokens import token_vectors, word_mask


def test_neither_padding_nor_begin_and_end():
    real = torch.tensor([[1, 1, 1, 1, 0, 0], [1, 1, 1, 1, 1, 1], [1, 1, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0]]).bool()
    text = Encoded(torch.zeros(4, 2), torch.arange(4), tokens=torch.zeros(4, 6, 2), mask=real)
    words = torch.tensor([[0, 1, 1, 0, 0, 0], [0, 1, 1, 1, 1, 0], [0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0]]).bool()
    assert torch.equal(word_mask(text), words)


def test_without_mask_all_are_real():
    text = Encoded(torch.zeros(1, 2), torch.arange(1), tokens=torch.zeros(1, 4, 2))
    assert word_mask(text).tolist() == [[False, True, True, False]]


def test_a_model_without_tokens():
    assert token_vectors(make_features().image).shape == (6, 9, 8)
    with pytest.raises(InputError, match="set `tokens`"):
        token_vectors(Encoded(torch.zeros(1, 2), torch.arange(1)))
