"""What test_blockwise.py runs in each of several processes."""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from objectives.features import make_features
from torch import Tensor

from limner.core.errors import InputError
from limner.core.features import Features
from limner.objectives.blockwise import BlockwiseContrast, blockwise_contrast
from limner.objectives.contrast import Contrast
from limner.objectives.peers import Peers

PICTURES, BLOCK = 10, 3
BOUNDS = {2: [0, 4, 10], 4: [0, 2, 5, 7, 10]}
"""Of the pictures of each process, by the number of processes: parts of unequal size."""


def whole_batch(texts: int) -> Features:
    """Several positives across the bounds of every division, `texts` a picture."""
    groups = torch.tensor([0, 1, 2, 3, 0, 5, 1, 7, 8, 0])
    return make_features(PICTURES, roles=["caption", "long"][:texts], groups=groups, queued=0)


def own_part(features: Features, rank: int, count: int) -> Features:
    first, end = BOUNDS[count][rank : rank + 2]
    texts = ((features.owner >= first) & (features.owner < end)).nonzero().flatten()
    pictures = torch.arange(first, end)
    return features.replace(
        image=leaf(features, "image", pictures),
        text=leaf(features, "text", texts),
        rows=features.rows[pictures],
        owner=features.owner[texts] - first,
        roles={},
    )


def leaf(features: Features, side: str, rows: Tensor) -> Any:
    part = getattr(features, side).take(rows).detach()
    part.vectors.requires_grad_()
    return part


def share_a_batch(texts: int, groups: int = 1) -> dict[str, Any]:
    """Loss, gradients of the own vectors and of the scale, bytes sent: blockwise, and with everything gathered.

    With `groups`, also the loss in groups of processes.
    """
    whole = whole_batch(texts)
    results: dict[str, Any] = {}
    for name, loss_of in (("blockwise", exchanged), ("gathered", gather_everything)):
        peers = Peers.all()
        part = own_part(whole, peers.rank, peers.count)
        scale = whole.scale.detach().clone().requires_grad_()
        loss = loss_of(part.replace(scale=scale), peers)
        leaves = (part.image.vectors, part.text.vectors, scale)
        results[name] = {"loss": loss.detach(), "gradients": list(torch.autograd.grad(loss, leaves))}
        results[name]["sent"] = peers.traffic.sent
    if groups > 1:
        results["in_groups"] = in_groups(texts, groups)
    return results


def exchanged(features: Features, peers: Peers) -> Tensor:
    return blockwise_contrast(features.image, features.text, features.scale, block=BLOCK, peers=peers)


def gather_everything(features: Features, peers: Peers) -> Tensor:
    """The usual way, to compare with: both sides with their gradients, every logit in every process."""
    pictures, texts = peers.sizes(len(features.image.group), len(features.text.group))
    image = features.image.replace(
        vectors=Gather.apply(features.image.vectors, pictures, peers),
        group=torch.cat(peers.gather(features.image.group, pictures)),
    )
    text = features.text.replace(
        vectors=Gather.apply(features.text.vectors, texts, peers),
        group=torch.cat(peers.gather(features.text.group, texts)),
    )
    return Contrast()(features.replace(image=image, text=text))


class Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor, sizes: list[int], peers: Peers) -> Tensor:
        ctx.sizes, ctx.peers = sizes, peers
        return torch.cat(peers.gather(rows, sizes))

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        return ctx.peers.scatter_sum(gradient, ctx.sizes), None, None


def in_groups(texts: int, groups: int) -> dict[str, Any]:
    """The objective itself over all processes, in groups of them: twice, since groups are made only once."""
    part = own_part(whole_batch(texts), dist.get_rank(), dist.get_world_size())
    objective = BlockwiseContrast(block=BLOCK, groups=groups, across=True)
    losses = [objective(part), objective(part)]
    gradient = torch.autograd.grad(losses[0], part.image.vectors)[0]
    try:
        objective(whole_batch(texts))
    except InputError as error:
        refused = str(error)
    return {"loss": losses[0].detach(), "again": losses[1].detach(), "gradient": gradient, "refused": refused}
