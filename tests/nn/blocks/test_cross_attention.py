"""Gated cross-attention: closed at first, blind to what is masked, equal to torch's own attention when open."""

import torch
from torch import Tensor, nn

from limner.nn.blocks.cross_attention import GatedCrossAttention


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def block(gate: float) -> GatedCrossAttention:
    torch.manual_seed(0)
    built = GatedCrossAttention(8, 6, heads=2)
    nn.init.constant_(built.gate, gate)
    return built


def test_starts_closed_and_can_open() -> None:
    built, x, context = block(0), random(2, 5, 8), random(2, 3, 6, seed=1)
    given = built(x, context)
    assert torch.equal(given, x)
    given.square().sum().backward()
    assert built.gate.grad.abs() > 0


def test_open_it_is_attention_to_the_context() -> None:
    built, x, context = block(0.7), random(2, 5, 8), random(2, 3, 6, seed=1)
    mask = torch.tensor([[True, True, True], [True, False, False]])
    q = built.query(built.norm(x))
    k, v = built.key_and_value(built.context_norm(context)).chunk(2, dim=-1)
    q, k, v = (part.unflatten(-1, (2, 4)).transpose(1, 2) for part in (q, k, v))
    attended = nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=mask[:, None, None])
    wanted = x + built.gate.tanh() * built.out(attended.transpose(1, 2).flatten(2))
    torch.testing.assert_close(built(x, context, mask), wanted)


def test_what_is_masked_is_not_seen() -> None:
    built, x, context = block(0.7), random(1, 5, 8), random(1, 3, 6, seed=1)
    mask = torch.tensor([[True, True, False]])
    torch.testing.assert_close(built(x, context, mask), built(x, context[:, :2]))
    assert not torch.allclose(built(x, context), built(x, context[:, :2]))
