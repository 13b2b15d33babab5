"""A costly order for the few that the cosine found, and what the cost is."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from train.known import known, vectors_of

from limner.core.errors import InputError
from limner.data.corpus import Corpus, Text
from limner.nn.blocks.similarity import FullBilinear, StaticBilinear, TokenMax
from limner.train.evaluations.reranking import Reranking, reordered
from limner.train.evaluations.retrieval import Retrieval
from limner.train.evaluations.similarity_cost import SimilarityCost


@given(seed=st.integers(0, 1000), pool=st.integers(1, 12), depth=st.integers(1, 15))
def test_the_best_by_the_second_then_the_rest_by_the_first(seed, pool, depth):
    chance = np.random.default_rng(seed)
    first, second = (chance.permuted(np.tile(np.arange(pool), (3, 1)), axis=1).astype(np.float32) for _ in range(2))
    order = np.argsort(-reordered(first, second, depth), axis=1)
    for row in range(3):
        found = np.argsort(-first[row])
        head, tail = found[:depth], found[depth:]
        assert order[row].tolist() == [*sorted(head, key=lambda column: -second[row, column]), *tail]


def texted(count: int = 20, dimension: int = 8) -> Corpus:
    chance = np.random.default_rng(1)
    texts = [[Text(f"a {row} b{row % 3}"), Text(f"the number {row}")] for row in range(count)]
    return Corpus("known", vectors_of(chance.standard_normal((count, dimension))), texts)


def test_reranking_all_is_searching_all(tmp_path):
    trained = known(texted(), tmp_path, similarity=FullBilinear())
    torch.nn.init.normal_(trained.model.similarity.blocks[0].weight)
    searched, reranked = Retrieval()(trained), Reranking(40)(trained)
    assert reranked.keys() == {
        f"{name} of the cosine's best 40 reranked" for name in searched if "recall" in name or "success" in name
    }
    for name, one in reranked.items():
        assert one.values.tolist() == searched[name.removesuffix(" of the cosine's best 40 reranked")].values.tolist()


def test_reranking_one_is_the_cosine(tmp_path):
    trained = known(texted(), tmp_path, similarity=FullBilinear())
    plain = Retrieval()(trained)  # a bilinear similarity starts as the cosine
    torch.nn.init.normal_(trained.model.similarity.blocks[0].weight)
    reranked, own = Reranking(1)(trained), Retrieval()(trained)
    name = "text-to-image recall@5"
    assert reranked[f"{name} of the cosine's best 1 reranked"].values.tolist() == plain[name].values.tolist()
    assert own[name].values.tolist() != plain[name].values.tolist()


def test_the_cost(tmp_path):
    small = SimilarityCost()(known(texted(), tmp_path, similarity=StaticBilinear((2,))))
    full = SimilarityCost()(known(texted(), tmp_path, similarity=FullBilinear()))
    assert small["similarity: parameters"].mean == 8 + 4 * 4
    assert full["similarity: parameters"].mean == 8 + 64
    assert full["similarity: parameters, share of a full bilinear"].mean == 1
    assert small["similarity: operations a pair"].mean < full["similarity: operations a pair"].mean
    with pytest.raises(InputError, match="operations a pair"):
        SimilarityCost()(known(texted(), tmp_path, similarity=TokenMax()))
