"""The processes that share a batch: what they exchange, each time counted in bytes."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor

from limner.core.errors import InputError


@dataclass(slots=True)
class Traffic:
    """Bytes that one process has sent, as the ring algorithms send them.

    Of P processes and b bytes in all: gather and scatter (P - 1)/P b, sum and maximum 2 (P - 1)/P b.
    """

    sent: int = 0


@dataclass(frozen=True, slots=True)
class Peers:
    """The processes of a `torch.distributed` group, or only this one (`group` None: nothing is sent).

    Every member must call the same methods in the same order. Tensors may differ in their number of rows from
    process to process, in nothing else.
    """

    group: Any = None
    traffic: Traffic = field(default_factory=Traffic)

    @staticmethod
    def all() -> Peers:
        """Every process of the run; only this one where `torch.distributed` was not initialised."""
        return Peers(dist.group.WORLD) if dist.is_available() and dist.is_initialized() else Peers()

    def split(self, parts: int) -> Peers:
        """This process and its neighbours, where all are divided into `parts` groups of equal size.

        Raises InputError where they cannot be.
        """
        if parts < 1 or self.count % parts:
            raise InputError(f"{self.count} processes cannot be divided into {parts} equal groups")
        return self if parts == 1 else Peers(_subgroup(self.group, self.count // parts), self.traffic)

    @property
    def count(self) -> int:
        return 1 if self.group is None else dist.get_world_size(self.group)

    @property
    def rank(self) -> int:
        return 0 if self.group is None else dist.get_rank(self.group)

    def sizes(self, *numbers: int) -> list[list[int]]:
        """For each of the numbers (of rows, say) what it is in every process."""
        mine = torch.tensor(numbers, device=self._device())
        return torch.stack(self._exchange(mine)).T.tolist()

    def gather(self, rows: Tensor, sizes: Sequence[int]) -> list[Tensor]:
        """The `rows` (n, ...) of every process, `sizes` telling each one's n."""
        if self.count == 1:
            return [rows]
        parts = self._exchange(_fill(rows.contiguous(), max(sizes)))
        return [part[:size] for part, size in zip(parts, sizes, strict=True)]

    def scatter_sum(self, rows: Tensor, sizes: Sequence[int]) -> Tensor:
        """Rows for all, (sum of `sizes`, ...) in every process -> the sum over the processes of this one's rows."""
        if self.count == 1:
            return rows
        parts = [_fill(part, max(sizes)).contiguous() for part in rows.split(list(sizes))]
        summed = torch.empty_like(parts[0])
        dist.reduce_scatter(summed, parts, group=self.group)
        self._sent(summed, self.count - 1)
        return summed[: sizes[self.rank]]

    def sum(self, tensor: Tensor) -> Tensor:
        return self._reduced(tensor, dist.ReduceOp.SUM)

    def maximum(self, tensor: Tensor) -> Tensor:
        return self._reduced(tensor, dist.ReduceOp.MAX)

    def _exchange(self, tensor: Tensor) -> list[Tensor]:
        """What each process has, all of one shape."""
        if self.count == 1:
            return [tensor]
        parts = [torch.empty_like(tensor) for _ in range(self.count)]
        dist.all_gather(parts, tensor, group=self.group)
        self._sent(tensor, self.count - 1)
        return parts

    def _reduced(self, tensor: Tensor, operation: Any) -> Tensor:
        if self.count == 1:
            return tensor
        reduced = tensor.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(reduced, operation, group=self.group)
        self._sent(reduced, 2 * (self.count - 1) / self.count)
        return reduced

    def _sent(self, tensor: Tensor, times: float) -> None:
        self.traffic.sent += round(times * tensor.numel() * tensor.element_size())

    def _device(self) -> torch.device:
        """Where the group's messages must lie: NCCL carries none from the processor's memory."""
        on_gpu = self.group is not None and dist.get_backend(self.group) == "nccl"
        return torch.device("cuda", torch.cuda.current_device()) if on_gpu else torch.device("cpu")


def _fill(rows: Tensor, length: int) -> Tensor:
    """Zeros behind the rows, up to `length` of them."""
    return F.pad(rows, (0, 0) * (rows.ndim - 1) + (0, length - len(rows))) if len(rows) < length else rows


@functools.cache
def _subgroup(group: Any, size: int) -> Any:
    """Groups are made once: to make one is itself an exchange between all."""
    return dist.new_subgroups(size, group=group)[0]
