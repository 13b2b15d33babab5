"""Parts of a batch joined are the batch."""

from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from objectives.features import make_features

from limner.core.errors import InputError
from limner.core.features import Encoded, Features
from limner.objectives.contrast import Contrast
from limner.train.joining import join_features, map_tensors, tensors_of


def part(features: Features, first: int, end: int) -> Features:
    """The pictures from row `first` to `end` with their texts, cut as short as its longest text."""
    texts = ((features.owner >= first) & (features.owner < end)).nonzero().flatten()
    mask = features.text.mask[texts]
    longest = int(mask.sum(1).max()) if len(texts) else 0
    text = features.text.take(texts)
    place = {int(row): number for number, row in enumerate(texts)}
    rows = slice(first, end)
    return features.replace(
        image=features.image.take(rows),
        text=text.replace(states=text.states[:, :longest], tokens=text.tokens[:, :longest], mask=mask[:, :longest]),
        owner=features.owner[texts] - first,
        rows=features.rows[rows],
        roles={
            role: torch.tensor([place[row] for row in members.tolist() if row in place], dtype=torch.int64)
            for role, members in features.roles.items()
        },
        ids=features.ids[texts, :longest],
        concept=features.concept[rows],
        language=features.language[texts],
        targets={name: value[rows] for name, value in features.targets.items()},
        view=features.view and part(features.view, first, end),
        teacher=features.teacher and part(features.teacher, first, end),
    )


def without_padding(features: Features) -> Features:
    """States and tokens of padding set to zero, which is what joining puts there."""

    def clear(path: str, tensor: torch.Tensor) -> torch.Tensor:
        if path.endswith(("text.states", "text.tokens")) and "queue" not in path:
            return tensor * features.text.mask[..., None]
        return tensor

    return map_tensors(features, clear)


@given(cuts=st.lists(st.integers(0, 6), max_size=3).map(sorted), seed=st.integers(0, 2**16))
def test_any_cut_is_mended(cuts: list[int], seed: int):
    """Texts go to the part of their picture, so they come in another order; `owner` and roles still point to them."""
    features = without_padding(make_features(seed=seed))
    edges = [0, *cuts, 6]
    parts = [part(features, first, end) for first, end in itertools.pairwise(edges) if end > first]
    order = torch.cat(
        [((features.owner >= a) & (features.owner < b)).nonzero().flatten() for a, b in itertools.pairwise(edges)]
    )
    joined, place = join_features(parts), order.argsort()
    longest = int(features.text.mask.sum(1).max())
    wanted = tensors_of(features)
    assert tensors_of(joined).keys() == wanted.keys()
    for path, tensor in tensors_of(joined).items():
        side, name = ("", "", *path.split("."))[-2:]
        whole = wanted[path]
        if "queue" in path or name == "scale":
            assert tensor is whole
        elif side == "roles":
            assert torch.equal(tensor.sort().values, place[whole].sort().values)
        elif side == "text" or name in ("owner", "language", "ids"):
            ragged = name in ("states", "tokens", "mask", "ids")
            assert torch.equal(tensor, whole[order][:, :longest] if ragged else whole[order])
        else:
            assert torch.equal(tensor, whole)
    torch.testing.assert_close(Contrast(role="long")(joined), Contrast(role="long")(features))


def test_gradients_flow_to_the_parts():
    features = make_features(4, queued=0)
    Contrast()(join_features([part(features, 0, 1), part(features, 1, 4)])).backward()
    ours = features.image.vectors.grad
    wanted = torch.autograd.grad(Contrast()(features), features.image.vectors)[0]
    torch.testing.assert_close(ours, wanted)


def test_texts_of_unequal_length_get_a_mask_where_they_had_none():
    features = make_features(2, queued=0).replace(view=None, teacher=None)
    parts = [part(features, 0, 1), part(features, 1, 2)]
    parts[0] = parts[0].replace(text=parts[0].text.replace(states=torch.ones(3, 2, 4), tokens=None))
    parts[1] = parts[1].replace(text=parts[1].text.replace(states=torch.ones(3, 5, 4), tokens=None))
    joined = join_features([one.replace(text=one.text.replace(mask=None)) for one in parts])
    assert joined.text.mask is not None
    assert joined.text.mask.sum(1).tolist() == [2, 2, 2, 5, 5, 5]
    assert joined.text.states is not None
    assert torch.equal(joined.text.states[..., 0] == 1, joined.text.mask)


def test_a_part_without_texts_is_no_obstacle():
    features = make_features(3, queued=0).replace(view=None, teacher=None, roles={})
    bare = features.replace(
        text=Encoded(torch.zeros(0, 8), torch.zeros(0, dtype=torch.int64)),
        owner=features.owner[:0],
        ids=features.ids[:0, :0],
        language=features.language[:0],
    )
    joined = join_features([bare, features])
    assert len(joined.image.group) == 6
    assert torch.equal(joined.owner, features.owner + 3)
    assert joined.text.states is features.text.states or torch.equal(joined.text.states, features.text.states)


@pytest.mark.parametrize("field", ["concept", "view", "ids", "targets"])
def test_parts_that_do_not_fit_are_refused(field: str):
    features = make_features(2)
    lacking = features.replace(**{field: {} if field == "targets" else None})
    with pytest.raises(InputError, match=r"encode all parts alike"):
        join_features([features, lacking])


def test_no_parts_are_refused():
    with pytest.raises(InputError, match="no parts"):
        join_features([])
