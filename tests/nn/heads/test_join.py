"""One network for all forms of an item."""

from __future__ import annotations

import pytest
import torch

from limner.core.errors import InputError
from limner.nn.heads.join import Join, JoinedItem


@pytest.fixture
def join() -> JoinedItem:
    torch.manual_seed(0)
    return Join(width=16, heads=2, layers=2).build(12, 10, 8)


@pytest.fixture
def parts() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    mask = torch.tensor([[True] * 7, [True] * 4 + [False] * 3, [True] * 5 + [False] * 2])
    return torch.randn(3, 9, 12, generator=generator), torch.randn(3, 7, 10, generator=generator), mask


def test_all_forms_are_unit_vectors_and_differ(join, parts):
    image, text, mask = parts
    forms = [join(image, text, mask), join(image, None), join(None, text, mask)]
    for vectors in forms:
        assert vectors.shape == (3, 8)
        torch.testing.assert_close(vectors.norm(dim=1), torch.ones(3))
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert not torch.allclose(forms[one], forms[other], atol=1e-2)


def test_padding_and_the_missing_part_say_nothing(join, parts):
    image, text, mask = parts
    other = torch.where(mask[:, :, None], text, text + 5)
    torch.testing.assert_close(join(image, text, mask), join(image, other, mask))
    torch.testing.assert_close(join(None, text, mask)[1:2], join(None, text[1:2, :4]))
    assert not torch.allclose(join(image, text, mask), join(image, text.flip(0), mask.flip(0)), atol=1e-2)


def test_a_missing_part_is_a_learned_vector_not_a_blank(join, parts):
    image, text, mask = parts
    join(image, None).sum().backward()
    assert join.no_text.grad.abs().max() > 0
    assert join.no_image.grad is None
    assert join.from_text.weight.grad is None
    blank = join(torch.zeros_like(image), text, mask)
    assert not torch.allclose(blank, join(None, text, mask), atol=1e-3)


def test_nothing_at_all_is_no_item(join):
    with pytest.raises(InputError, match="a picture, a title, or both"):
        join(None, None)
