"""Exact gradients of a large batch in the memory of a small one, for any objectives.

The batch comes in chunks. Each is encoded without a graph, the features of all are joined, and the losses are
differentiated with respect to them; then each chunk is encoded once more, with a graph, and given its part of that
gradient. By the chain rule this is the gradient of the whole batch:

    dL/dw = sum_c (dL/df_c) (df_c/dw)

It costs one more forward pass of the towers. What remains in memory at a time is the graph of one chunk, or that of
the losses. Gao et al. 2021 (GradCache, arXiv 2101.06983); base of the large batches of card 89. With the
objective `BlockwiseContrast` the losses' part does not grow with the square of the batch either.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from limner.core.features import Features
from limner.train.joining import map_tensors, tensors_of

WITHOUT_GRADIENT = ("teacher", "queue", "targets")
"""Parts of the features that no tower in training made (of `view.teacher` nothing either)."""


def cached_backward(
    encode: Callable[[Any], Features],
    chunks: Sequence[Any],
    join: Callable[[Sequence[Features]], Features],
    losses: Callable[[Features], Mapping[str, Tensor]],
    backward: Callable[[Tensor], None],
) -> Mapping[str, Tensor]:
    """Add the gradient of the batch to all parameters; gives the losses, without graph.

    `encode` runs the towers on a chunk, twice; it must depend on nothing but the chunk, the weights and torch's
    random numbers, which are drawn the same both times. Layers that count what passes them (the running means
    of batch norm) count double. `join` makes one batch of the chunks' features (`join_features`, then whatever adds a
    queue or gathers from other processes). `losses` are scalars, weighted already. `backward` differentiates
    their sum, once: `Tensor.backward`, or that of accelerate; a factor that it puts on reaches the towers as well.
    """
    states, leaves = [], []
    for chunk in chunks:
        states.append(_random_state())
        with torch.no_grad():
            leaves.append(map_tensors(encode(chunk), _leaf))
    named = losses(join(leaves))
    backward(sum(named.values()))  # type: ignore[arg-type]
    named = {name: loss.detach() for name, loss in named.items()}
    after = _random_state()
    for chunk, state, part in zip(chunks, states, leaves, strict=True):
        _set_random_state(state)
        _inject(encode(chunk), part)
    _set_random_state(after)
    return named


def _inject(encoded: Features, leaves: Features) -> None:
    """Send the gradients that the leaves have gathered on into the towers."""
    tensors = tensors_of(encoded)
    gradients = {path: leaf.grad for path, leaf in tensors_of(leaves).items() if leaf.grad is not None}
    # What needs no gradient came from a frozen tower.
    paths = [path for path in gradients if tensors[path].requires_grad]
    torch.autograd.backward([tensors[path] for path in paths], [gradients[path] for path in paths])


def _leaf(path: str, tensor: Tensor) -> Tensor:
    """The tensor as one that gathers a gradient, if it may have one."""
    fixed = not tensor.is_floating_point() or any(name in WITHOUT_GRADIENT for name in path.split("."))
    return tensor.detach() if fixed else tensor.detach().requires_grad_()


def _random_state() -> tuple[Tensor, list[Tensor]]:
    on_gpu = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []
    return torch.get_rng_state(), on_gpu


def _set_random_state(state: tuple[Tensor, list[Tensor]]) -> None:
    on_processor, on_gpu = state
    torch.set_rng_state(on_processor)
    if on_gpu:
        torch.cuda.set_rng_state_all(on_gpu)
