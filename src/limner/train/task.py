"""What is trained: a model, its objectives, modifiers, optimiser and averaged weights, stored as one."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from limner.core.features import Encoded, Features
from limner.core.protocols import Modifier, Objective
from limner.nn.two_towers import TwoTowers
from limner.objectives.hinge import collapsed
from limner.train.batches import Batch
from limner.train.gradcache import cached_backward
from limner.train.joining import join_features
from limner.train.optimiser import Optimiser, move_average
from limner.train.processes import average_gradients, gather_features


class Task:
    """`chunks` above 1: each batch is encoded in so many parts, with exactly the gradients of the whole.

    `model` is what is kept, `heads` are what the objectives learn besides, `memory` is what modifiers remember.
    """

    def __init__(
        self,
        model: TwoTowers,
        objectives: Sequence[Objective],
        optimiser: Optimiser,
        *,
        modifiers: Sequence[Modifier] = (),
        accelerator: Accelerator | None = None,
        chunks: int = 1,
        half: bool = False,
        trained_model: Callable[[Any], TwoTowers] | None = None,
    ) -> None:
        self.accelerator, self.half = accelerator or Accelerator(cpu=True), half
        self.device = self.accelerator.device
        self.model, self.objectives, self.modifiers, self.chunks = model.to(self.device), objectives, modifiers, chunks
        heads = {objective.name: objective.head(model) for objective in objectives}
        self.heads = nn.ModuleDict({name: head for name, head in heads.items() if head is not None}).to(self.device)
        self.memory = nn.ModuleDict()
        self.settings = optimiser
        self.trained_model = trained_model
        """(experiment) -> its model, trained with this run's seed: for teachers that were trained before."""
        self.optimiser = optimiser.build([model, self.heads])
        self.averaged = copy.deepcopy(model).eval().requires_grad_(False)
        for modifier in modifiers:
            modifier.start(self)
        self.memory.to(self.device)

    def step(self, number: int, batch: Batch) -> dict[str, float]:
        """One update from this process's share of a batch; gives the losses by name, and 1 for a collapse, else 0."""
        self.model.train()
        self.settings.set_rate(self.optimiser, number)
        for modifier in self.modifiers:
            batch = modifier.batch(self, number, batch)
        batch = batch.to(self.device)
        self.optimiser.zero_grad(set_to_none=True)
        losses, features = self._backward(number, batch)
        average_gradients(self.trained())
        nn.utils.clip_grad_norm_(self.trained(), self.settings.clip)
        self.optimiser.step()
        keep = min(self.settings.average, (number + 1) / (number + 10))
        move_average(self.averaged, self.model, keep)
        for modifier in self.modifiers:
            modifier.after_step(self, number, features)
        with torch.no_grad():
            lost = collapsed(features.image.vectors @ features.text.vectors.T)
        return {name: loss.item() for name, loss in losses.items()} | {"collapsed": float(lost)}

    def autocast(self) -> torch.autocast:
        """bfloat16 where that is safe, if the task is run in half precision.

        Not accelerate's own: it knows one precision for all tasks of a process.
        """
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.half)

    def trained(self) -> list[nn.Parameter]:
        return [parameter for group in self.optimiser.param_groups for parameter in group["params"]]

    def encode(self, batch: Batch, model: TwoTowers | None = None) -> Features:
        """What the model (or another one) makes of a batch; the second view comes with it."""
        model = model or self.model
        features = Features(
            image=model.encode_image(batch.images, batch.image_group),
            text=model.encode_text(batch.ids, batch.text_group) if len(batch.ids) else _nothing(model, batch),
            scale=model.scale(),
            similarity=model.similarity,
            owner=batch.owner,
            rows=batch.rows,
            roles=batch.roles,
            ids=batch.ids,
            concept=batch.concept,
            language=batch.language,
            targets=batch.targets,
            model=model,
        )
        if batch.view is None:
            return features
        second = features.replace(
            image=model.encode_image(batch.view, batch.image_group),
            text=model.encode_text(batch.ids, batch.text_group),
        )
        return features.replace(view=second)

    @torch.no_grad()
    def answer(self, batch: Batch, model: TwoTowers) -> Features:
        """What another model makes of the batch (of its second view, where it has one), without gradient."""
        with self.autocast():
            return gather_features(self.encode(batch.second(), model))

    def losses(self, features: Features, own: Features | None = None) -> dict[str, Tensor]:
        """Each objective's loss, weighted; in full precision, as logits of a large scale would be coarse otherwise.

        `own`: the features of this process's part, for objectives that exchange on their own.
        """
        return {
            objective.name: objective.weight
            * objective(own if own is not None and _exchanges(objective) else features, self._head(objective))
            for objective in self.objectives
        }

    def _head(self, objective: Objective) -> nn.Module | None:
        name = objective.name  # a ModuleDict has no get
        return self.heads[name] if name in self.heads else None  # noqa: SIM401

    def _backward(self, number: int, batch: Batch) -> tuple[Mapping[str, Tensor], Features]:
        kept: list[Features] = []

        def losses(features: Features) -> dict[str, Tensor]:
            own = features.replace(progress=number / self.settings.steps)
            features = own if all(map(_exchanges, self.objectives)) else gather_features(own)
            for modifier in self.modifiers:
                features = modifier.features(self, batch, features)
            kept.append(features)
            return self.losses(features, own)

        def encode(part: Batch) -> Features:
            with self.autocast():
                return self.encode(part)

        backward = self.accelerator.backward
        if self.chunks == 1:
            named = losses(encode(batch))
            backward(sum(named.values()))
        else:
            named = cached_backward(encode, split(batch, self.chunks), join_features, losses, backward)
        return named, kept[-1]

    def state(self) -> dict[str, Any]:
        parts = {"model": self.model, "averaged": self.averaged, "heads": self.heads, "memory": self.memory}
        return {name: part.state_dict() for name, part in parts.items()} | {"optimiser": self.optimiser.state_dict()}

    def restore(self, state: Mapping[str, Any]) -> None:
        for name in ("model", "averaged", "heads", "memory", "optimiser"):
            getattr(self, name).load_state_dict(state[name])


def _exchanges(objective: Objective) -> bool:
    """Whether it sends what it needs to the other processes itself (see objectives/blockwise.py)."""
    return bool(getattr(objective, "across", False))


def split(batch: Batch, parts: int) -> list[Batch]:
    """Into `parts` of nearly equal numbers of pictures, none empty."""
    edges = [round(part * len(batch) / parts) for part in range(parts + 1)]
    return [batch.part(start, end) for start, end in pairwise(edges) if end > start]


def _nothing(model: TwoTowers, batch: Batch) -> Encoded:
    """The texts of a batch that has none."""
    return Encoded(batch.images.new_zeros(0, model.dimension), batch.text_group)
