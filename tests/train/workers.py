"""What test_processes.py runs in each of several processes."""

from __future__ import annotations

from typing import Any

import torch
from objectives.features import CHANNELS, PLACES, VOCABULARY, WORDS, make_features, make_model
from torch import Tensor, nn

from limner.core.errors import InputError
from limner.core.features import Features
from limner.nn.two_towers import TwoTowers
from limner.objectives.arc_margin import ArcMargin
from limner.objectives.blockwise import BlockwiseContrast
from limner.objectives.contrast import Contrast
from limner.objectives.hinge import Hardest, RankingHinge
from limner.objectives.peers import Peers
from limner.objectives.same_product import SameProduct
from limner.train.batches import Batch
from limner.train.gradcache import cached_backward
from limner.train.joining import join_features, tensors_of
from limner.train.processes import average_gradients, gather_features, own_share

OBJECTIVES = (Contrast(), RankingHinge(negatives=Hardest()), ArcMargin(classes=3), SameProduct(role="caption"))
"""Soft and hard ones, one with a head, one that reads states, a second view and a network of the model."""


def make_batch(pictures: int = 7, seed: int = 0) -> Batch:
    """Two texts a picture, of unequal length; some pictures share a group; two views."""
    generator = torch.Generator().manual_seed(seed)
    owner = torch.arange(pictures).repeat(2)
    group = torch.arange(pictures) % max(1, pictures - 2)
    lengths = torch.randint(1, WORDS + 1, (2 * pictures,), generator=generator)
    ids = torch.randint(1, VOCABULARY, (2 * pictures, WORDS), generator=generator)
    maps = torch.randn(2, pictures, PLACES, CHANNELS, generator=generator)
    return Batch(
        images=maps[0],
        ids=ids * (torch.arange(WORDS)[None, :] < lengths[:, None]),
        owner=owner,
        rows=torch.randperm(100, generator=generator)[:pictures],
        image_group=group,
        text_group=group[owner],
        roles={"caption": torch.arange(pictures), "long": torch.arange(pictures, 2 * pictures)},
        language=owner % 2,
        concept=group % 3,
        targets={"confidence": torch.rand(pictures, generator=generator)},
        view=maps[1],
    )


def encode(model: TwoTowers, batch: Batch) -> Features:
    longest = int((batch.ids != 0).sum(1).max())

    def one(images: Tensor) -> Features:
        return Features(
            image=model.encode_image(images, batch.image_group),
            text=model.encode_text(batch.ids[:, :longest], batch.text_group),
            scale=model.scale(),
            similarity=model.similarity,
            owner=batch.owner,
            rows=batch.rows,
            roles=batch.roles,
            ids=batch.ids[:, :longest],
            concept=batch.concept,
            language=batch.language,
            targets=batch.targets,
            model=model,
        )

    return one(batch.images).replace(view=one(batch.view))


def make_heads(model: TwoTowers) -> nn.ModuleDict:
    torch.manual_seed(1)
    heads = {objective.name: objective.head(model) for objective in OBJECTIVES}
    return nn.ModuleDict({name: head for name, head in heads.items() if head is not None})


def losses(features: Features, heads: nn.ModuleDict) -> dict[str, Tensor]:
    own = dict(heads.items())
    return {one.name: one(features, own.get(one.name)) for one in OBJECTIVES}


def gradients(*modules: nn.Module) -> dict[str, Tensor]:
    named = (item for module in modules for item in module.named_parameters())
    return {name: parameter.grad for name, parameter in named if parameter.grad is not None}


def train_together() -> dict[str, Any]:
    """Losses, gradients and gathered features of one batch that the processes share; three ways."""
    peers, whole = Peers.all(), make_batch()
    own = own_share(whole)
    results: dict[str, Any] = {"pictures": len(own)}

    model = make_model()
    heads = make_heads(model)
    features = gather_features(encode(model, own))
    named = losses(features, heads)
    torch.stack(list(named.values())).sum().backward()
    average_gradients([*model.parameters(), *heads.parameters()])
    results["gathered"] = {name: loss.detach() for name, loss in named.items()}, gradients(model, heads)
    results["features"] = {path: tensor.detach() for path, tensor in tensors_of(features).items()}

    model = make_model()
    heads = make_heads(model)
    chunks = [own.part(0, 2), own.part(2, len(own))]
    named = cached_backward(
        lambda part: encode(model, part),
        chunks,
        lambda parts: gather_features(join_features(parts)),
        lambda features: losses(features, heads),
        torch.Tensor.backward,
    )
    average_gradients([*model.parameters(), *heads.parameters()])
    results["cached"] = dict(named), gradients(model, heads)

    model = make_model()
    loss = BlockwiseContrast(block=4, across=True)(encode(model, own))
    loss.backward()
    average_gradients(model.parameters())
    results["blockwise"] = {"contrast": loss.detach()}, gradients(model)

    untouched = [torch.ones(2, requires_grad=True) for _ in range(3)]
    untouched[peers.rank].grad = torch.full((2,), 3.0)  # the third is touched nowhere
    average_gradients(untouched)
    results["touched"] = [None if one.grad is None else one.grad.tolist() for one in untouched]

    other = make_features(4, queued=0)
    try:
        gather_features(other if peers.rank else other.replace(concept=None), peers)
    except InputError as error:
        results["refused"] = str(error)
    return results
