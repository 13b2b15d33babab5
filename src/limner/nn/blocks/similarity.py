"""Similarity as a part: how pictures and texts are scored, chosen in one place and used by every objective.

                      S(x, y)                                  served by
    Cosine            x . y                                    a dense index
    StaticBilinear    x^T M y, M a diagonal and small blocks   a dense index, the question folded
    FullBilinear      x^T M y, M whole: the costly reference   a dense index, the question folded
    Dynamic           the pair weighs its own channels         none: it reranks
    TokenMax          mean over words of their best place      an index of tokens (MaxSim)
    BestVector        the best of a picture's vectors          an index of tokens (MaxSim of one word)

x, y: unit vectors of d channels. All but the last two are the cosine until they are trained. Card 28 (GSSF, arXiv
2410.15266; the joining of its terms is our reconstruction), card 19 (FILIP, arXiv 2111.07783), card 119 (SORCE, arXiv
2505.24441).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, Protocol, TypeAlias

import torch
from torch import Tensor, nn

from limner.core.errors import InputError
from limner.core.features import Encoded
from limner.nn.blocks.tokens import token_scores

Index: TypeAlias = Literal["dense", "tokens"] | None
"""Kind of index that finds by a similarity; None: it only reranks what another one found."""

_AT_ONCE = 1 << 24
"""So many numbers are held at a time where pairs are scored one by one (64 MB)."""


class SimilarityPart(Protocol):
    """Settings of a module (Encoded of n pictures, Encoded of m texts) -> (n, m) scores."""

    index: ClassVar[Index]

    def build(self, dimension: int) -> nn.Module: ...


class CosineSimilarity(nn.Module):
    def forward(self, image: Encoded, text: Encoded) -> Tensor:
        return image.vectors @ self.fold_text(text.vectors).T

    def fold_text(self, vectors: Tensor) -> Tensor:
        """Texts (m, d) -> (m, d) whose dot product with a picture's own vector is the similarity."""
        return vectors

    def fold_image(self, vectors: Tensor) -> Tensor:
        """Pictures (n, d) -> (n, d) whose dot product with a text's own vector is the similarity."""
        return vectors

    def pair_flops(self, dimension: int) -> int:
        """Multiplications and additions to score one pair, nothing of it folded before."""
        return 2 * dimension


class Blocks(nn.Module):
    """Blocks of `size` neighbouring channels, after a shuffle: y -> W y, W block-diagonal and zero at first.

    Channels have no natural order; the shuffle, drawn once, says which of them may interact.
    """

    def __init__(self, dimension: int, size: int, *, shuffled: bool) -> None:
        super().__init__()
        if size < 1 or dimension % size:
            raise InputError(f"blocks of {size} channels do not divide {dimension}; choose a divisor of the dimension")
        order = torch.randperm(dimension) if shuffled else torch.arange(dimension)
        self.register_buffer("order", order)
        self.register_buffer("back", order.argsort())
        self.weight = nn.Parameter(torch.zeros(dimension // size, size, size))

    def split(self, vectors: Tensor) -> Tensor:
        """(n, d) -> (n, blocks, size)"""
        return vectors[:, self.order].unflatten(1, self.weight.shape[:2])

    def apply_right(self, vectors: Tensor) -> Tensor:
        """(n, d) -> (n, blocks, size): W y"""
        return torch.einsum("bij,nbj->nbi", self.weight, self.split(vectors))

    def fold_text(self, vectors: Tensor) -> Tensor:
        """(n, d) -> (n, d): W y, the channels in their own order."""
        return self.apply_right(vectors).flatten(1)[:, self.back]

    def fold_image(self, vectors: Tensor) -> Tensor:
        """(n, d) -> (n, d): W^T x, the channels in their own order."""
        return torch.einsum("bij,nbi->nbj", self.weight, self.split(vectors)).flatten(1)[:, self.back]


class BilinearSimilarity(CosineSimilarity):
    """S = sum_c w_c x_c y_c + sum over block sizes of x^T W y; w starts at 1, every W at 0.

    Not symmetric. An index keeps the vectors of one side as they are; the question is folded.
    """

    def __init__(self, dimension: int, blocks: Sequence[int], *, shuffled: bool) -> None:
        super().__init__()
        self.channels = nn.Parameter(torch.ones(dimension))
        self.blocks = nn.ModuleList(Blocks(dimension, size, shuffled=shuffled) for size in blocks)

    def fold_text(self, vectors: Tensor) -> Tensor:
        return self.channels * vectors + sum(block.fold_text(vectors) for block in self.blocks)

    def fold_image(self, vectors: Tensor) -> Tensor:
        return self.channels * vectors + sum(block.fold_image(vectors) for block in self.blocks)

    def pair_flops(self, dimension: int) -> int:
        return 3 * dimension + sum(2 * block.weight.numel() for block in self.blocks)


class Gate(nn.Module):
    """Terms (..., k) -> weights (..., k) of mean 1, from the terms themselves; all 1 at first."""

    def __init__(self, terms: int, width: int) -> None:
        super().__init__()
        self.narrow = nn.Linear(terms, width)
        self.widen = nn.Linear(width, terms)
        nn.init.zeros_(self.widen.weight)
        nn.init.zeros_(self.widen.bias)

    def forward(self, terms: Tensor) -> Tensor:
        k = terms.shape[-1]
        # A product of two unit vectors has channels of about 1/k: brought to about 1, so that the gate can learn.
        return k * self.widen(self.narrow(k * terms).tanh()).softmax(-1)


class DynamicSimilarity(nn.Module):
    """S = sum_c alpha_c u_c + sum_b beta_b z_b with u = x * y, z_b = x_b^T W_b y_b, weights by the pair's u and z."""

    def __init__(self, dimension: int, block: int, width: int, *, shuffled: bool) -> None:
        super().__init__()
        self.block = Blocks(dimension, block, shuffled=shuffled)
        self.channel_gate = Gate(dimension, width)
        self.block_gate = Gate(dimension // block, width)

    def forward(self, image: Encoded, text: Encoded) -> Tensor:
        y, y_blocks = text.vectors, self.block.apply_right(text.vectors)
        rows = max(1, _AT_ONCE // max(1, y.numel()))
        return torch.cat([
            self._score(x[:, None], self.block.split(x)[:, None], y, y_blocks) for x in image.vectors.split(rows)
        ])  # fmt: skip

    def pairs(self, x: Tensor, y: Tensor) -> Tensor:
        """(n, d) pictures, (n, d) texts -> (n,): row by row, for candidates that an index found."""
        return self._score(x, self.block.split(x), y, self.block.apply_right(y))

    def _score(self, x: Tensor, x_blocks: Tensor, y: Tensor, y_blocks: Tensor) -> Tensor:
        u, z = x * y, (x_blocks * y_blocks).sum(-1)
        return (self.channel_gate(u) * u).sum(-1) + (self.block_gate(z) * z).sum(-1)

    def pair_flops(self, dimension: int) -> int:
        """See CosineSimilarity; activations counted as one each."""
        gates = sum(4 * gate.narrow.weight.numel() + gate.narrow.out_features for gate in self.gates())
        terms = dimension + self.block.weight.shape[0]
        return gates + 4 * terms + 2 * self.block.weight.numel() + 2 * dimension

    def gates(self) -> tuple[Gate, Gate]:
        return self.channel_gate, self.block_gate


class TokenMaxSimilarity(nn.Module):
    """S = mean over the words of max over the places: the text-to-image score of FILIP (see `token_scores`)."""

    def forward(self, image: Encoded, text: Encoded) -> Tensor:
        """Raises InputError where the features have no tokens."""
        return token_scores(image, text)[1]


class BestVectorSimilarity(nn.Module):
    """S = max over a picture's vectors x_k of x_k . y: never less for one vector more."""

    def forward(self, image: Encoded, text: Encoded) -> Tensor:
        """Raises InputError where a picture has one vector only."""
        if image.tokens is None:
            raise InputError("the best of several vectors needs several: Towers(focus=Focus())")
        scores = image.tokens.flatten(0, 1) @ text.vectors.T
        return scores.unflatten(0, image.tokens.shape[:2]).amax(1)


@dataclass(frozen=True, slots=True)
class Cosine:
    index: ClassVar[Index] = "dense"

    def build(self, dimension: int) -> nn.Module:
        return CosineSimilarity()


@dataclass(frozen=True, slots=True)
class StaticBilinear:
    """Settings of a BilinearSimilarity: one weight a channel, and blocks of these sizes side by side.

    `blocks` () is the diagonal alone. `shuffled`: blocks of channels drawn at random instead of neighbours.
    """

    blocks: tuple[int, ...] = (4,)
    shuffled: bool = True
    index: ClassVar[Index] = "dense"

    def build(self, dimension: int) -> nn.Module:
        """Raises InputError where a block size does not divide the dimension."""
        return BilinearSimilarity(dimension, self.blocks, shuffled=self.shuffled)


@dataclass(frozen=True, slots=True)
class FullBilinear:
    """One block of all channels: d^2 weights, what the small ones are compared with."""

    index: ClassVar[Index] = "dense"

    def build(self, dimension: int) -> nn.Module:
        return BilinearSimilarity(dimension, (dimension,), shuffled=False)


@dataclass(frozen=True, slots=True)
class Dynamic:
    """Settings of a DynamicSimilarity. `width`: of the bottleneck in which a pair weighs its channels."""

    block: int = 4
    width: int = 8
    shuffled: bool = True
    index: ClassVar[Index] = None

    def build(self, dimension: int) -> nn.Module:
        """Raises InputError where the block size does not divide the dimension."""
        return DynamicSimilarity(dimension, self.block, self.width, shuffled=self.shuffled)


@dataclass(frozen=True, slots=True)
class TokenMax:
    index: ClassVar[Index] = "tokens"

    def build(self, dimension: int) -> nn.Module:
        return TokenMaxSimilarity()


@dataclass(frozen=True, slots=True)
class BestVector:
    index: ClassVar[Index] = "tokens"

    def build(self, dimension: int) -> nn.Module:
        return BestVectorSimilarity()
