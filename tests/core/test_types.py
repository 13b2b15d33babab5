"""The nouns: regions stay inside the picture, rows can be taken of every representation, runs break ties fairly."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from limner.core.errors import InputError
from limner.core.types import Dense, Item, Qrels, Region, Run, Sparse, Tokens


@pytest.mark.parametrize("box", [(0.5, 0, 0.5, 1), (-0.1, 0, 1, 1), (0, 0.2, 1, 0.1), (0, 0, 1.01, 1)])
def test_region_must_lie_inside(box):
    with pytest.raises(InputError, match="region"):
        Region(box)


def test_replace_leaves_the_item_alone():
    item = Item("a.jpg", fields={"year": 2019})
    changed = item.replace(id="x")
    assert (item.id, changed.id, changed.fields) == ("", "x", {"year": 2019})


LENGTHS = st.lists(st.integers(0, 4), min_size=1, max_size=8)


@given(LENGTHS, st.data())
def test_taking_rows_of_ragged_representations(lengths, data):
    """Sparse and Tokens give back exactly the rows asked for, in the order asked for, empty ones too."""
    rows = data.draw(st.lists(st.integers(0, len(lengths) - 1), max_size=10))
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    values = np.arange(offsets[-1], dtype=np.float32)
    tokens = Tokens(offsets, values[:, None])
    sparse = Sparse(offsets, np.arange(offsets[-1]), values, 100)
    taken_tokens, taken_sparse = (one.take(np.array(rows, np.int64)) for one in (tokens, sparse))
    assert len(taken_tokens) == len(taken_sparse) == len(rows)
    for place, row in enumerate(rows):
        wanted = values[offsets[row] : offsets[row + 1]]
        got = taken_tokens.values[taken_tokens.offsets[place] : taken_tokens.offsets[place + 1], 0]
        np.testing.assert_array_equal(got, wanted)
        part = slice(taken_sparse.indptr[place], taken_sparse.indptr[place + 1])
        np.testing.assert_array_equal(taken_sparse.values[part], wanted)
        np.testing.assert_array_equal(taken_sparse.indices[part], wanted.astype(np.int64))


def test_slices_and_dense_rows():
    dense = Dense(np.arange(12, dtype=np.float32).reshape(4, 3))
    assert len(dense.take(slice(1, 3))) == 2
    np.testing.assert_array_equal(dense.take(np.array([3, 0])).values, dense.values[[3, 0]])


def test_a_run_does_not_depend_on_the_order_of_its_input():
    forth = Run({"q": {"a": 1.0, "b": 2.0, "c": 1.0}})
    back = Run({"q": {"c": 1.0, "b": 2.0, "a": 1.0}})
    assert forth.rankings == back.rankings == {"q": [("b", 2.0), ("a", 1.0), ("c", 1.0)]}


def test_qrels_know_what_is_relevant():
    qrels = Qrels({"q": {"a": 0, "b": 2, "c": 1}})
    assert list(qrels.relevant("q")) == ["b", "c"]
    assert list(qrels.relevant("other")) == []
