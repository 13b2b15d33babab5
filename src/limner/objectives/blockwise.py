"""The contrastive loss of very large batches: exact, in memory that does not grow with the square of the batch.

    L = 1/2 [ mean_i ( log sum_j e^z_ij - mean_{j in P_i} z_ij )  +  the same over columns ],   z = scale * cosine

Columns come one block at a time. A first sweep keeps of each row and each column the logarithm of its sum and the
sum of its positives; a second one, in the backward pass, makes the logits anew and of them the gradient
softmax - target, block by block. n x block numbers are held in place of several times n x m.

Over several processes only one side is gathered, the side with fewer rows. Each process computes its own rows of
the logits; the columns' statistics are summed, and the gathered side's gradient goes back to where the vectors came
from, also summed. Gathering both sides with their gradients costs twice as much and computes every logit everywhere.

Card 89, M2-Encoder (arXiv 2401.15896). The blocks and the one-sided exchange are exact and limner's own; the
paper's grouped loss is `groups`: negatives come only from the own group, an approximation.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from limner.core.errors import InputError
from limner.core.features import Encoded, Features
from limner.nn.blocks.similarity import CosineSimilarity
from limner.objectives.peers import Peers

ALONE = Peers()


def blockwise_contrast(
    image: Encoded, text: Encoded, scale: Tensor, *, block: int = 1024, peers: Peers = ALONE
) -> Tensor:
    """`Contrast()` of n pictures and m texts, `block` columns at a time; -> scalar, in float32.

    `peers`: this process holds n pictures and m texts of a larger batch whose parts are with the others. Groups must
    mean the same everywhere. Each process gets the loss of the whole batch, and gradients of which the mean over
    the processes is that of the whole batch, as data-parallel training takes it. Raises InputError where block < 1.
    """
    if block < 1:
        raise InputError(f"a block must have at least one column, not {block}")
    rows, columns = image, text
    pictures, texts = peers.sizes(len(image.group), len(text.group))
    if sum(texts) > sum(pictures):
        rows, columns, texts = text, image, pictures
    with torch.autocast(image.vectors.device.type, enabled=False):
        return _Blockwise.apply(
            rows.vectors.float(), columns.vectors.float(), scale.float(), rows.group, columns.group, texts, block, peers
        )


class _Blockwise(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        rows: Tensor,
        columns: Tensor,
        scale: Tensor,
        row_group: Tensor,
        column_group: Tensor,
        sizes: list[int],
        block: int,
        peers: Peers,
    ) -> Tensor:
        columns = torch.cat(peers.gather(columns, sizes))
        column_group = torch.cat(peers.gather(column_group, sizes))
        # Of each row and column: the logarithm of its sum, the sum of its positive logits, how many they are.
        of_rows, of_columns = rows.new_zeros(3, len(rows)), rows.new_zeros(3, len(columns))
        of_rows[0] = -torch.inf
        for part, logits, right in _blocks(rows, columns, scale, row_group, column_group, block):
            of_rows[0] = torch.logaddexp(of_rows[0], logits.logsumexp(1))
            of_columns[0, part] = logits.logsumexp(0)
            logits *= right
            of_rows[1] += logits.sum(1)
            of_columns[1, part] = logits.sum(0)
            of_rows[2] += right.sum(1)
            of_columns[2, part] = right.sum(0)
        of_columns = _over_processes(of_columns, peers)
        row_loss, rows_asked = peers.sum(_cost(of_rows))
        column_loss, columns_asked = _cost(of_columns)
        # A row's or column's factor in the loss, and in the gradient, which data-parallel training will average.
        factors = [
            (statistics[2] > 0) * (peers.count / (2 * asked.clamp(min=1)))
            for statistics, asked in ((of_rows, rows_asked), (of_columns, columns_asked))
        ]
        ctx.save_for_backward(rows, columns, scale, row_group, column_group, of_rows, of_columns, *factors)
        ctx.sizes, ctx.block, ctx.peers = sizes, block, peers
        return (row_loss / rows_asked.clamp(min=1) + column_loss / columns_asked.clamp(min=1)) / 2

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, of_loss: Tensor) -> tuple[Tensor | None, ...]:
        rows, columns, scale, row_group, column_group, of_rows, of_columns, row_factor, column_factor = (
            ctx.saved_tensors
        )
        row_factor, column_factor = row_factor * of_loss, column_factor * of_loss
        row_target, column_target = row_factor / of_rows[2].clamp(min=1), column_factor / of_columns[2].clamp(min=1)
        d_rows, d_columns = torch.zeros_like(rows), torch.zeros_like(columns)
        for part, logits, right in _blocks(rows, columns, scale, row_group, column_group, ctx.block):
            gradient = (logits - of_rows[0][:, None]).exp_().mul_(row_factor[:, None])
            gradient += logits.sub_(of_columns[0, part]).exp_().mul_(column_factor[part])
            gradient -= torch.add(row_target[:, None], column_target[part], out=logits).mul_(right)
            d_rows.addmm_(gradient, columns[part])
            torch.mm(gradient.T, rows, out=d_columns[part])
        # z = scale * r.c, so sum_ij (dL/dz_ij) r_i.c_j is the inner product of r with the gradient before the scale.
        d_scale = (d_rows * rows).sum()
        d_columns = ctx.peers.scatter_sum(d_columns.mul_(scale), ctx.sizes) if ctx.needs_input_grad[1] else None
        return d_rows.mul_(scale), d_columns, d_scale, None, None, None, None, None


def _blocks(
    rows: Tensor, columns: Tensor, scale: Tensor, row_group: Tensor, column_group: Tensor, block: int
) -> Iterator[tuple[slice, Tensor, Tensor]]:
    """Which columns, their logits (n, b), which of them are right (n, b)."""
    for start in range(0, len(columns), block):
        part = slice(start, start + block)
        yield part, (rows @ columns[part].T).mul_(scale), row_group[:, None] == column_group[part]


def _over_processes(of_columns: Tensor, peers: Peers) -> Tensor:
    """(3, m) of the rows of this process -> of the rows of all."""
    if peers.count == 1:
        return of_columns
    highest = peers.maximum(of_columns[0])
    of_columns[0] = (of_columns[0] - highest).exp()
    of_columns = peers.sum(of_columns)
    of_columns[0] = of_columns[0].log() + highest
    return of_columns


def _cost(statistics: Tensor) -> Tensor:
    """(3, n) -> the sum of the losses of those that have a positive, and how many these are."""
    logarithm, positive, count = statistics
    asked = count > 0
    return torch.stack([(logarithm - positive / count.clamp(min=1)).where(asked, 0).sum(), asked.sum()])


def _check_apart(features: Features, peers: Peers) -> None:
    """Raises InputError where all processes have the same pictures: every pair would count as often as there are."""
    (numbers,) = peers.sizes(zlib.crc32(features.rows.cpu().numpy().tobytes()))
    if peers.count > 1 and len(set(numbers)) == 1:
        raise InputError("across=True needs the features of each process's own part, these were gathered already")


@dataclass(frozen=True, slots=True)
class BlockwiseContrast:
    """`Contrast()` for very large batches: same value and gradient, bounded memory (formula at the top of the file).

    Needs vectors and groups, and a similarity that is a dot product once folded; reads no queue. Against `Contrast`: no
    soft targets, weights or temperatures of pairs. Take it where n x m logits are a burden, from some thousand rows on,
    or where processes share a batch; with `train/gradcache.py` the towers' memory is bounded as well.
    """

    block: int = 1024
    groups: int = 1
    """The paper's grouped form: n consecutive parts of the batch (with `across`: of the processes) that each find
    their negatives among themselves. 1 is exact."""
    across: bool = False
    """The batch is shared by all processes of the run, and the features are those of this one. Without it they are
    the whole batch."""
    role: str = ""
    """Only the texts of this role; empty: all."""
    weight: float = 1.0
    name: str = "blockwise_contrast"

    def __post_init__(self) -> None:
        if self.block < 1 or self.groups < 1:
            raise InputError(f"block and groups are at least 1, not {self.block} and {self.groups}")

    def head(self, model: Any) -> None:
        return None

    def __call__(self, features: Features, head: None = None) -> Tensor:
        if not isinstance(features.similarity, CosineSimilarity):
            raise InputError("the blockwise contrast is for dot products only: use Contrast, or a model with Cosine()")
        # A learned similarity that folds is a dot product with the folded texts; of the cosine they are what they were.
        features = features.replace(
            text=features.text.replace(vectors=features.similarity.fold_text(features.text.vectors))
        )
        if self.role:
            features = features.with_role(self.role)
        if self.across:
            peers = Peers.all().split(self.groups)
            _check_apart(features, peers)
            return blockwise_contrast(features.image, features.text, features.scale, block=self.block, peers=peers)
        return sum(share * self._of(part) for share, part in self._parts(features))  # type: ignore[return-value]

    def _of(self, features: Features) -> Tensor:
        return blockwise_contrast(features.image, features.text, features.scale, block=self.block)

    def _parts(self, features: Features) -> Iterator[tuple[float, Features]]:
        """The groups with their share of the pictures; a text goes with its picture."""
        if self.groups == 1:
            yield 1.0, features
            return
        n = len(features.image.group)
        for pictures in torch.arange(n, device=features.owner.device).tensor_split(self.groups):
            if len(pictures):
                texts = (features.owner >= pictures[0]) & (features.owner <= pictures[-1])
                part = features.replace(image=features.image.take(pictures), text=features.text.take(texts))
                yield len(pictures) / n, part
