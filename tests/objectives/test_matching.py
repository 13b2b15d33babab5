"""Image-text matching: which negatives are drawn, what the loss counts, and that the head learns to read pairs."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from objectives.features import make_features, make_model
from torch import Tensor

from limner.core.errors import InputError
from limner.core.features import Encoded, Features
from limner.nn.blocks.similarity import CosineSimilarity
from limner.objectives.matching import Matching, MatchingHead, hard_negatives
from limner.objectives.targets import positives


@given(st.integers(0, 10**6), st.integers(1, 6), st.integers(1, 6), st.floats(0, 1))
def test_negatives_are_wrong_and_each_row_that_has_one_gets_one(seed: int, n: int, m: int, share: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    scores = 50 * torch.randn(n, m, generator=generator)
    wrong = torch.rand(n, m, generator=generator) < share
    rows, columns = hard_negatives(scores, wrong)
    assert rows.tolist() == [row for row in range(n) if wrong[row].any()]
    assert wrong[rows, columns].all()


def test_likely_mistakes_are_drawn_most() -> None:
    torch.manual_seed(0)
    scores = torch.tensor([[9.0, 2.0, 1.0, 0.0]]).expand(4000, -1)
    wrong = torch.tensor([[False, True, True, True]]).expand(4000, -1)
    _, columns = hard_negatives(scores, wrong)
    drawn = columns.bincount(minlength=4) / 4000
    torch.testing.assert_close(drawn[1:], torch.tensor([2.0, 1.0, 0.0]).softmax(0), rtol=0, atol=0.03)
    assert drawn[0] == 0


def number(states: Tensor, among: Tensor) -> Tensor:
    """Which of `among` each of the states is."""
    return (states[:, None] == among[None]).flatten(2).all(-1).float().argmax(1)


def test_each_text_with_its_picture_and_one_wrong_partner_for_all() -> None:
    features = make_features(5, groups=torch.tensor([0, 1, 1, 2, 3]))
    n, m = len(features.image.vectors), len(features.text.vectors)
    objective = Matching()
    head, calls = objective.head(make_model()), []
    head.register_forward_hook(lambda head, asked, logits: calls.append((*asked, logits)))
    torch.manual_seed(0)
    loss = objective(features, head)
    ((image_states, text_states, _, logits),) = calls
    pictures, texts = number(image_states, features.image.states), number(text_states, features.text.states)
    assert pictures[:m].tolist() == features.owner.tolist()
    assert texts[:m].tolist() == list(range(m))
    assert not positives(features)[pictures[m:], texts[m:]].any()
    assert sorted(pictures[m : m + n].tolist()) == list(range(n))
    assert sorted(texts[m + n :].tolist()) == list(range(m))
    belongs = torch.tensor([1.0] * m + [0.0] * (n + m))
    torch.testing.assert_close(loss, F.binary_cross_entropy_with_logits(logits, belongs))


def test_a_batch_of_one_group_has_no_negatives() -> None:
    features = make_features(3, groups=torch.zeros(3, dtype=torch.int64))
    head = Matching().head(make_model())
    assert Matching()(features, head).isfinite()


def test_padding_does_not_matter() -> None:
    head = Matching(layers=2).head(make_model())
    features = make_features(3)
    states, mask = features.text.states, features.text.mask
    images = features.image.states[features.owner]
    torch.nn.init.constant_(head.look[0].gate, 1.0)
    changed = states + 9 * (~mask)[..., None]
    torch.testing.assert_close(head(images, states, mask), head(images, changed, mask))
    whole = torch.ones_like(mask)
    torch.testing.assert_close(head(images, states, whole), head(images, states, None))


def written_pairs(seed: int) -> Features:
    """One place of a picture and one word of its text say the same of twelve things; the vectors say nothing."""
    generator = torch.Generator().manual_seed(seed)
    things = torch.randn(12, 12, generator=torch.Generator().manual_seed(0))
    group = torch.randint(0, 12, (24,), generator=generator)
    places, words = (0.3 * torch.randn(24, length, 12, generator=generator) for length in (4, 3))
    places[:, 1], words[:, 2] = things[group], things[group]
    vectors = F.normalize(torch.ones(24, 4), dim=-1)
    image, text = (Encoded(vectors, group, states=states) for states in (places, words))
    return Features(image, text, torch.tensor(1.0), CosineSimilarity(), torch.arange(24), torch.arange(24))


def test_it_learns_to_compare_what_both_say() -> None:
    torch.manual_seed(0)
    objective, head = Matching(), MatchingHead(12, 12, layers=1, heads=4)
    optimiser = torch.optim.Adam(head.parameters(), 0.01)
    for seed in range(300):
        optimiser.zero_grad()
        objective(written_pairs(seed), head).backward()
        optimiser.step()
    assert objective(written_pairs(1000), head).item() < 0.45  # 0.64: says 1/3 to every pair


def test_it_needs_states() -> None:
    features = make_features(3)
    bare = Encoded(features.text.vectors, features.text.group)
    with pytest.raises(InputError, match="needs the states"):
        Matching()(features.replace(text=bare), Matching().head(make_model()))
