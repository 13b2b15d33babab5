"""One batch over several processes, so that all of them together train as one process would with the whole of it.

Each encodes its part (`own_share`), the features are gathered with their gradients (`gather_features`), each computes
the losses of the whole batch, and the parameters' gradients are averaged (`average_gradients`). Objectives that
exchange on their own (`BlockwiseContrast(across=True)`) take the features of the part as they are, and send less.
"""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from limner.core.errors import InputError
from limner.core.features import Features
from limner.objectives.peers import Peers
from limner.train.batches import Batch
from limner.train.joining import RAGGED, join_features, lengthen, map_tensors, tensors_of


def own_share(batch: Batch, peers: Peers | None = None) -> Batch:
    """This process's pictures of a batch that all processes have, with their texts.

    Consecutive rows; the shares differ by one picture at most. Raises InputError where a process would have none.
    `peers`, here and below: all processes of the run, if not given.
    """
    peers = peers or Peers.all()
    if len(batch) < peers.count:
        raise InputError(f"a batch of {len(batch)} pictures cannot be shared by {peers.count} processes")
    edges = [len(batch) * rank // peers.count for rank in (peers.rank, peers.rank + 1)]
    return batch if peers.count == 1 else batch.part(*edges)


def gather_features(features: Features, peers: Peers | None = None) -> Features:
    """The features of the whole batch, of those that each process made of its part, in the order of the processes.

    The backward pass sums what all processes ask of a part, so the mean over the processes of the parameters'
    gradients is the gradient of the whole batch (each must compute all losses). Scale, queue and model stay this
    process's own. Groups must mean the same in all processes. Raises InputError where they have different fields.
    """
    peers = peers or Peers.all()
    if peers.count == 1:
        return features
    tensors = {path: tensor for path, tensor in tensors_of(features).items() if _is_gathered(path)}
    if len(set(*peers.sizes(zlib.crc32(" ".join(tensors).encode())))) > 1:
        raise InputError(f"the processes have different fields to gather; this one has {', '.join(tensors)}")
    shapes = peers.sizes(*(size for path in tensors for size in _sizes(path, tensors[path])))
    gathered: dict[str, list[Tensor]] = {}
    for path, tensor in tensors.items():
        rows, lengths = shapes.pop(0), shapes.pop(0)
        if _is_ragged(path):
            parts = _gather(lengthen(tensor, max(lengths)), rows, peers)
            gathered[path] = [part[:, :length] for part, length in zip(parts, lengths, strict=True)]
        else:
            gathered[path] = _gather(tensor, rows, peers)
    return join_features(
        [
            map_tensors(features, lambda path, own, number=number: gathered[path][number] if path in gathered else own)
            for number in range(peers.count)
        ]
    )


def average_gradients(parameters: Iterable[Tensor], peers: Peers | None = None) -> None:
    """Put into each parameter's `grad` the mean over the processes; one that is nowhere touched keeps None."""
    peers = peers or Peers.all()
    if peers.count == 1:
        return
    trained = [parameter for parameter in parameters if parameter.requires_grad]
    touched = peers.sizes(*(int(parameter.grad is not None) for parameter in trained))
    by_kind: dict[tuple[torch.dtype, torch.device], list[Tensor]] = defaultdict(list)
    for parameter, by_process in zip(trained, touched, strict=True):
        if any(by_process):
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
            by_kind[parameter.dtype, parameter.device].append(parameter.grad)
    for gradients in by_kind.values():
        mean = peers.sum(torch.cat([gradient.flatten() for gradient in gradients])) / peers.count
        for gradient, part in zip(gradients, mean.split([gradient.numel() for gradient in gradients]), strict=True):
            gradient.copy_(part.view_as(gradient))


def _is_gathered(path: str) -> bool:
    names = path.split(".")
    return names[-1] != "scale" and "queue" not in names


def _is_ragged(path: str) -> bool:
    return path.split(".")[-1] in RAGGED


def _sizes(path: str, tensor: Tensor) -> tuple[int, int]:
    return len(tensor), tensor.shape[1] if _is_ragged(path) else 0


def _gather(tensor: Tensor, rows: list[int], peers: Peers) -> list[Tensor]:
    if tensor.requires_grad:
        return list(_Gather.apply(tensor, rows, peers))
    return peers.gather(tensor, rows)


class _Gather(torch.autograd.Function):
    """Rows of this process -> those of each; backward: the sum of what all processes ask of this one's rows."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor, rows: list[int], peers: Peers) -> tuple[Tensor, ...]:
        ctx.rows, ctx.peers = rows, peers
        return tuple(part.clone() if part is tensor else part for part in peers.gather(tensor, rows))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        return ctx.peers.scatter_sum(torch.cat(gradients), ctx.rows), None, None
