"""Pseudo-classes: who teaches whom, what keeps classes in use, the bank, and borrowed captions."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch
import torch.nn.functional as F
from objectives.features import DIMENSION, PAIRS_IN_DATA, make_features, make_model

from limner.core.errors import InputError
from limner.core.features import Features
from limner.objectives.contrast import Contrast
from limner.objectives.hinge import RankingHinge
from limner.objectives.pseudo_classes import (
    PseudoClasses,
    PseudoClassification,
    borrow,
    confidence,
    effective_classes,
    entropy,
    with_borrowed,
)


def objective_and_head(**settings) -> tuple[PseudoClassification, PseudoClasses]:
    torch.manual_seed(0)
    objective = PseudoClassification(pictures=PAIRS_IN_DATA, classes=5, hidden=16, **settings)
    return objective, objective.head(make_model())


def test_entropy_and_used_classes():
    sure, even = torch.tensor([[1.0, 0.0], [0.0, 1.0]]), torch.full((2, 2), 0.5)
    assert entropy(sure).tolist() == [0, 0]
    assert entropy(even).tolist() == pytest.approx([math.log(2)] * 2)
    assert effective_classes(sure) == pytest.approx(2)
    assert effective_classes(sure[:1].repeat(9, 1)) == pytest.approx(1)


@pytest.mark.parametrize("per_picture", [False, True])
def test_the_formula(per_picture):
    objective, head = objective_and_head(entropy=3.0, per_picture=per_picture)
    features = make_features()
    logits = head(features.image.vectors)
    labels = head(features.text.vectors).argmax(1)
    p = logits.softmax(1)
    spread = entropy(p).mean() if per_picture else entropy(p.mean(0))
    expected = F.cross_entropy(logits[features.owner], labels) - 3 * spread
    torch.testing.assert_close(objective(features, head), expected)


def test_the_caption_teaches_and_is_not_taught():
    objective, head = objective_and_head()
    features = make_features()
    objective(features, head).backward()
    assert features.text.vectors.grad is None
    assert features.image.vectors.grad.abs().max() > 0


def five_kinds(of_each: int = 8) -> Features:
    """Pictures of five kinds, each with a caption of its kind."""
    generator = torch.Generator().manual_seed(0)
    kinds = torch.randn(5, DIMENSION, generator=generator).repeat(of_each, 1)
    features = make_features(5 * of_each, roles=("caption",), targets={})
    image, text = (
        dataclasses.replace(
            side, vectors=F.normalize(kinds + 0.3 * torch.randn(kinds.shape, generator=generator), dim=1)
        )
        for side in (features.image, features.text)
    )
    return features.replace(image=image, text=text)


def test_the_entropy_of_the_mean_keeps_classes_in_use():
    """Without it most classes die out; with the mean of the entropies no picture decides for a class."""
    used, sure = {}, {}
    features = five_kinds()
    for name, settings in {"off": {"entropy": 0.0}, "mean": {}, "per picture": {"per_picture": True}}.items():
        objective, head = objective_and_head(**settings)
        optimiser = torch.optim.Adam(head.parameters(), lr=0.02)
        for _ in range(80):
            optimiser.zero_grad()
            objective(features, head).backward()
            optimiser.step()
        p = head(features.image.vectors).softmax(1).detach()
        used[name], sure[name] = effective_classes(F.one_hot(p.argmax(1), 5).float()), float(p.max(1).values.mean())
    assert used["mean"] > 4.5
    assert used["mean"] > used["off"] + 1
    assert sure["mean"] > 0.9
    assert sure["per picture"] < 0.5


def test_the_bank_remembers_and_tells_who_does_not_settle():
    objective, head = objective_and_head()
    features = make_features()
    uniform = head.oscillation(features.rows, features.image.vectors)
    p = head(features.image.vectors).softmax(1)
    torch.testing.assert_close(uniform, math.log(5) - entropy(p))  # unseen: the bank knows nothing
    objective(features, head)
    assert head.oscillation(features.rows, features.image.vectors).abs().max() < 1e-6
    changed = head.oscillation(features.rows, features.image.vectors.flip(0))
    kl = (p.flip(0) * (p.flip(0) / p).log()).sum(1)
    torch.testing.assert_close(changed, kl)
    untouched = torch.ones(PAIRS_IN_DATA, dtype=torch.bool)
    untouched[features.rows] = False
    assert (head.bank[untouched] == 1 / 5).all()
    assert "bank" in head.state_dict()


def test_measuring_does_not_write_the_bank():
    objective, head = objective_and_head()
    before = head.bank.clone()
    objective(make_features(), head.eval())
    assert torch.equal(head.bank, before)


def test_a_bank_too_small_is_named():
    objective = PseudoClassification(pictures=2)
    with pytest.raises(InputError, match="raise `pictures`"):
        objective(make_features(), objective.head(make_model()))


def test_confidence():
    w, v = torch.tensor([1.0, 0.5, 0.5, 0.0]), torch.tensor([0.0, 0.4, 0.8, 1.0])
    assert confidence(w, v).tolist() == pytest.approx([1.0, 0.5, 0.9, 1.0])


def test_borrowing_takes_the_most_alike_and_doubts_below_the_threshold():
    clean = torch.tensor([[0.9, 0.1, 0.0], [0.0, 0.9, 0.1]])
    doubtful = torch.tensor([[0.1, 0.8, 0.1], [0.8, 0.2, 0.0], [0.0, 0.05, 0.95]])
    lender, similarity = borrow(doubtful, clean)
    cosine = F.cosine_similarity(doubtful[:, None], clean[None], dim=2)
    assert lender.tolist() == [1, 0, 1]
    torch.testing.assert_close(similarity[:2], torch.stack([cosine[0, 1], cosine[1, 0]]))
    assert similarity[2] == 0
    assert cosine[2, 1] < 0.5
    with pytest.raises(InputError, match="no clean pair"):
        borrow(doubtful, clean[:0])


def test_a_borrower_goes_with_the_lenders_caption_and_with_no_other():
    features = make_features(4, roles=("caption",), targets={})
    p = torch.tensor([[0.9, 0.1], [0.1, 0.9], [0.8, 0.2], [0.15, 0.85]])
    clean = torch.tensor([True, True, False, False])
    lent = with_borrowed(features, clean, p)
    right = lent.image.group[:, None] == lent.text.group[None, :]
    assert right.int().tolist() == [[1, 0, 0, 0], [0, 1, 0, 0], [1, 0, 0, 0], [0, 1, 0, 0]]
    borrowed = F.cosine_similarity(p[2:], p[:2])
    torch.testing.assert_close(lent.targets["confidence"], torch.cat([torch.ones(2), borrowed]))
    for objective in (RankingHinge(soft=True), Contrast()):
        assert objective(lent, None).isfinite()


def test_borrowers_train_but_their_own_captions_teach_no_class():
    objective, head = objective_and_head(entropy=0.0)
    features = make_features(4, roles=("caption",), targets={})
    p = head(features.image.vectors).softmax(1)
    lent = with_borrowed(features, torch.tensor([True, True, False, False]), p.detach(), threshold=0.0)
    features.image.vectors.grad = None
    objective(lent, head).backward(retain_graph=True)
    assert features.image.vectors.grad[2:].abs().max() == 0
    features.image.vectors.grad = None
    RankingHinge(margin=2.0)(lent).backward()
    assert (features.image.vectors.grad.abs().amax(1) > 0).all()


def test_a_batch_without_a_clean_pair_or_without_a_doubtful_one():
    features = make_features(4, roles=("caption",), targets={"confidence": torch.full((4,), 0.7)})
    p = torch.full((4, 2), 0.5)
    nobody = with_borrowed(features, torch.zeros(4, dtype=torch.bool), p)
    assert RankingHinge()(nobody).item() == 0
    everybody = with_borrowed(features, torch.ones(4, dtype=torch.bool), p)
    torch.testing.assert_close(RankingHinge()(everybody), RankingHinge()(features))
    assert torch.equal(everybody.targets["confidence"], features.targets["confidence"])
