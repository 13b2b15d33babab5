"""Similarities: where they start, what a fold promises an index, and what each of them can learn."""

from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from limner.core.errors import InputError
from limner.core.features import Encoded
from limner.core.types import Dense, Space
from limner.index.arrays import ArrayFolder
from limner.index.catalogue import Catalogue
from limner.index.dense import DenseIndex
from limner.index.vectors import VectorStore
from limner.nn.blocks import similarity as module
from limner.nn.blocks import tokens
from limner.nn.blocks.similarity import (
    Cosine,
    Dynamic,
    FullBilinear,
    SimilarityPart,
    StaticBilinear,
    TokenMax,
)

D = 16
STATIC = [StaticBilinear(()), StaticBilinear((4,), shuffled=False), StaticBilinear((2, 4)), FullBilinear()]
VECTORS = [Cosine(), *STATIC, Dynamic()]


def unit(*shape: int, seed: int = 0) -> Tensor:
    return F.normalize(torch.randn(shape, generator=torch.Generator().manual_seed(seed)), dim=-1)


def side(vectors: Tensor, tokens: Tensor | None = None, mask: Tensor | None = None) -> Encoded:
    return Encoded(vectors, torch.arange(len(vectors)), tokens=tokens, mask=mask)


def built(part: SimilarityPart, dimension: int = D, *, stirred: bool = False) -> nn.Module:
    """`stirred`: moved away from where it starts."""
    torch.manual_seed(0)
    similarity = part.build(dimension)
    if stirred:
        for parameter in similarity.parameters():
            nn.init.normal_(parameter, std=0.5)
    return similarity


@pytest.mark.parametrize("part", VECTORS, ids=repr)
def test_starts_at_the_cosine(part: SimilarityPart) -> None:
    x, y = unit(5, D), unit(7, D, seed=1)
    torch.testing.assert_close(built(part)(side(x), side(y)), x @ y.T, rtol=0, atol=1e-6)


@pytest.mark.parametrize("part", STATIC, ids=repr)
def test_static_ones_start_at_exactly_the_cosine(part: SimilarityPart) -> None:
    x, y = unit(5, D), unit(7, D, seed=1)
    assert torch.equal(built(part)(side(x), side(y)), x @ y.T)


@pytest.mark.parametrize("part", STATIC, ids=repr)
def test_static_ones_are_one_matrix_and_fold_on_either_side(part: SimilarityPart) -> None:
    similarity = built(part, stirred=True)
    with torch.no_grad():
        matrix = similarity(side(torch.eye(D)), side(torch.eye(D)))
        x, y = unit(5, D), unit(7, D, seed=1)
        scores = similarity(side(x), side(y))
        torch.testing.assert_close(scores, x @ matrix @ y.T, rtol=0, atol=1e-5)
        torch.testing.assert_close(similarity.fold_image(x) @ y.T, scores, rtol=0, atol=1e-5)
    if not isinstance(part, FullBilinear):
        assert int((matrix != 0).sum()) <= D + sum(D * size for size in part.blocks)


@pytest.mark.parametrize("part", [Cosine(), *STATIC], ids=repr)
def test_a_dense_index_ranks_as_brute_force_does(part: SimilarityPart, tmp_path: Path) -> None:
    assert part.index == "dense"
    similarity = built(part, stirred=True).double()
    pictures, texts = unit(60, D).double(), unit(9, D, seed=1).double()
    with torch.no_grad():
        scores, folded = similarity(side(pictures), side(texts)), similarity.fold_text(texts)
    space = Space("image", "dense", D, "dot")
    with contextlib.closing(Catalogue(tmp_path / "catalogue.sqlite", create=True)) as catalogue:
        index = DenseIndex(VectorStore(catalogue, ArrayFolder(tmp_path / "vectors"), "model", space))
        index.add(np.arange(60), Dense(pictures.float().numpy()))
        found = index.search(Dense(folded.float().numpy()), 60)
    for (ids, given_scores), row in zip(found, scores.T, strict=True):
        assert ids.tolist() == row.argsort(descending=True).tolist()
        np.testing.assert_allclose(given_scores, row[ids], atol=1e-5)


@pytest.mark.parametrize("part", [*STATIC, Dynamic()], ids=repr)
def test_everything_learns_from_the_start(part: SimilarityPart) -> None:
    similarity = built(part)
    optimiser = torch.optim.SGD(similarity.parameters(), 1.0)
    for _ in range(3):  # what stands before a layer of zeros moves one step after it
        optimiser.zero_grad()
        (-similarity(side(unit(5, D)), side(unit(5, D, seed=1))).diagonal().sum()).backward()
        optimiser.step()
    assert all(parameter.grad.abs().sum() > 0 for parameter in similarity.parameters())


def test_dynamic_scores_pairs_as_it_scores_all_and_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    similarity = built(Dynamic(), stirred=True)
    x, y = unit(6, D), unit(6, D, seed=1)
    with torch.no_grad():
        whole = similarity(side(x), side(y))
        torch.testing.assert_close(similarity.pairs(x, y), whole.diagonal(), rtol=0, atol=1e-5)
        monkeypatch.setattr(module, "_AT_ONCE", 2 * y.numel())
        torch.testing.assert_close(similarity(side(x), side(y)), whole, rtol=0, atol=1e-5)


def test_dynamic_weights_depend_on_the_pair() -> None:
    similarity = built(Dynamic(), stirred=True)
    x, y = unit(1, D), unit(2, D, seed=1)
    first, second = similarity.channel_gate(x * y)
    assert not torch.allclose(first, second)
    torch.testing.assert_close(first.mean(), torch.tensor(1.0))


def test_cost_of_a_pair_and_of_the_weights() -> None:
    d = 256
    full, blocks, dynamic, cosine = (built(part, d) for part in (FullBilinear(), StaticBilinear(), Dynamic(), Cosine()))

    def weights(similarity: nn.Module) -> int:
        return sum(parameter.numel() for parameter in similarity.parameters())

    assert weights(cosine) == 0
    assert weights(blocks) == d + 4 * d
    assert weights(blocks) < 0.05 * weights(full)
    assert cosine.pair_flops(d) == 2 * d
    assert blocks.pair_flops(d) == 3 * d + 2 * 4 * d
    assert full.pair_flops(d) == 3 * d + 2 * d * d
    assert blocks.pair_flops(d) < dynamic.pair_flops(d) < full.pair_flops(d)


def test_blocks_must_divide_the_dimension() -> None:
    with pytest.raises(InputError, match="blocks of 5 channels do not divide 16"):
        StaticBilinear((5,)).build(D)


def top1(similarity: nn.Module, x: Tensor, y: Tensor) -> float:
    with torch.no_grad():
        return float((similarity(side(x), side(y)).argmax(1) == torch.arange(len(x))).float().mean())


def trained(part: SimilarityPart, x: Tensor, y: Tensor) -> nn.Module:
    similarity = built(part, x.shape[1])
    optimiser = torch.optim.Adam(similarity.parameters(), 0.05)
    for _ in range(150):
        optimiser.zero_grad()
        F.cross_entropy(10 * similarity(side(x), side(y)), torch.arange(len(x))).backward()
        optimiser.step()
    return similarity


def test_the_diagonal_undoes_noise_and_blocks_undo_rotation() -> None:
    """The controlled world of card 28: noise in half of the channels; pairs of channels turned by a quarter."""

    def pair(seed: int, *, rotated: bool) -> tuple[Tensor, Tensor]:
        generator = torch.Generator().manual_seed(seed)
        meaning = torch.randn(100, 32, generator=generator)
        if rotated:
            other = torch.stack([-meaning[:, 1::2], meaning[:, ::2]], -1).flatten(1)
        else:
            other = torch.cat([meaning[:, :16], 2 * torch.randn(100, 16, generator=generator)], 1)
        return F.normalize(meaning, dim=1), F.normalize(other, dim=1)

    diagonal, neighbours = StaticBilinear(()), StaticBilinear((2,), shuffled=False)
    noise, rotation = (pair(0, rotated=rotated) for rotated in (False, True))
    noise_test, rotation_test = (pair(1, rotated=rotated) for rotated in (False, True))
    assert top1(trained(diagonal, *noise), *noise_test) > top1(built(Cosine()), *noise_test) + 0.3
    assert top1(trained(neighbours, *rotation), *rotation_test) > 0.9
    assert top1(trained(diagonal, *rotation), *rotation_test) < 0.1


def between(words: Tensor) -> Tensor:
    """Begin and end around the words of each text, which like every place."""
    return F.pad(words, (0, 0, 1, 1), value=9.0)


@settings(max_examples=40)
@given(st.integers(0, 10**6), st.integers(1, 4), st.integers(1, 4), st.integers(1, 5), st.integers(1, 6))
def test_token_max_is_the_double_loop(seed: int, n: int, m: int, places: int, words: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    x, y = unit(n, places, D, seed=seed), unit(m, words, D, seed=seed + 1)
    lengths = torch.randint(1, words + 1, (m,), generator=generator)
    y, mask = between(y), torch.arange(words + 2) < lengths[:, None] + 2
    given_scores = TokenMax().build(D)(side(x[:, 0], x), side(y[:, 0], y, mask))
    for i in range(n):
        for j in range(m):
            best = [max(float(place @ word) for place in x[i]) for word in y[j][1 : 1 + lengths[j]]]
            assert float(given_scores[i, j]) == pytest.approx(sum(best) / len(best), abs=1e-5)


def test_token_max_in_parts_and_without_a_mask(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = unit(5, 4, D), between(unit(3, 6, D, seed=1))
    similarity, image, text = TokenMax().build(D), side(x[:, 0], x), side(y[:, 0], y)
    whole = similarity(image, text)
    monkeypatch.setattr(tokens, "_AT_ONCE", 2 * 4 * 3 * 6)
    torch.testing.assert_close(similarity(image, text), whole)


def test_token_max_says_what_it_needs() -> None:
    with pytest.raises(InputError, match="`tokens`"):
        TokenMax().build(D)(side(unit(2, D)), side(unit(2, D)))
