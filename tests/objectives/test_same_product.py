"""Same-product search: what each term reads, what it leaves alone, and that it trains."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from objectives.features import make_features, make_model

from limner.core.errors import InputError
from limner.core.features import Features
from limner.objectives.hinge import All, ranking_hinge
from limner.objectives.locality import locality, self_distinctiveness
from limner.objectives.same_product import SameProduct, item_vectors

PRODUCTS = torch.tensor([0, 1, 0, 2, 2, 1])


def listings(groups: torch.Tensor = PRODUCTS) -> Features:
    """Six listings, each a picture with a title, and a model that joins the two."""
    return make_features(len(groups), roles=("caption",), groups=groups, model=make_model())


def test_the_three_terms_add_up():
    features = listings()
    both, image, text = (item_vectors(features, form) for form in ("both", "image", "text"))
    eye = torch.eye(6, dtype=torch.bool)
    same = PRODUCTS[:, None] == PRODUCTS[None, :]
    matching = [
        ranking_hinge(left @ both.T, same & ~eye, 0.3, All(), negative=~same, to_pictures=0)
        for left in (both, image, text)
    ]
    distinct = [self_distinctiveness(part, both, PRODUCTS, 0.3) for part in (image, text)]
    others = torch.tensor([[j for j in range(6) if j != i] for i in range(6)])
    whole = (both @ both.T).gather(1, others)
    local = [locality(whole, (part @ both.T).gather(1, others), 3, 0.0) for part in (image, text)]
    loss = SameProduct(margin=0.3, slack=0.0, nearest=3, distinctiveness=2.0, locality=5.0)(features)
    torch.testing.assert_close(loss, sum(matching) + 2 * sum(distinct) + 5 * sum(local))
    ablated = SameProduct(margin=0.3, queries=("both",), distinctiveness=0.0, locality=0.0)(features)
    torch.testing.assert_close(ablated, matching[0])


def test_titles_are_brought_to_their_pictures():
    """Titles in another order are the same items."""
    features = listings()
    order = torch.tensor([3, 0, 5, 1, 2, 4])
    shuffled = features.replace(text=features.text.take(order), owner=features.owner[order])
    torch.testing.assert_close(item_vectors(features, "both"), item_vectors(shuffled, "both"))
    torch.testing.assert_close(item_vectors(features, "text"), item_vectors(shuffled, "text"))


def test_listings_of_one_product_are_not_pushed_apart():
    """A batch of one product only has no negatives: the hinges ask nothing."""
    assert SameProduct(locality=0.0)(listings(torch.zeros(6, dtype=torch.long))).item() == 0
    assert SameProduct(locality=0.0)(listings()).item() > 0


def test_an_item_is_not_its_own_match():
    """Without another listing of any product there is nothing to match."""
    alone = SameProduct(distinctiveness=0.0, locality=0.0)
    assert alone(listings(torch.arange(6))).item() == 0
    assert alone(listings()).item() > 0


def test_states_of_both_sides_and_the_join_learn():
    features = listings()
    SameProduct()(features).backward()
    for side in (features.image, features.text):
        assert side.states.grad.abs().max() > 0
        assert side.vectors.grad is None
    assert features.model.join.no_image.grad.abs().max() > 0
    assert features.model.join.no_text.grad.abs().max() > 0


def test_training_brings_the_forms_to_their_product():
    """The join alone learns to match three products by picture, by title and by both."""
    features = listings()
    first, order = torch.tensor([0, 1, 3]), torch.tensor([0, 1, 0, 2, 2, 1])  # a listing of each product
    noise = 0.2 * torch.randn(6, 1, 1, generator=torch.Generator().manual_seed(0))
    image, text = (side.take(first).take(order).detach() for side in (features.image, features.text))
    features = features.replace(
        image=dataclasses.replace(image, states=image.states + noise, group=PRODUCTS),
        text=dataclasses.replace(text, states=text.states + noise, group=PRODUCTS),
    )
    optimiser = torch.optim.Adam(features.model.join.parameters(), lr=3e-3)
    before = SameProduct()(features).item()
    for _ in range(60):
        optimiser.zero_grad()
        SameProduct()(features).backward()
        optimiser.step()
    assert SameProduct()(features).item() < 0.2 * before
    whole = item_vectors(features, "both")
    for form in ("both", "image", "text"):
        scores = (item_vectors(features, form) @ whole.T).fill_diagonal_(-1)
        assert torch.equal(PRODUCTS[scores.argmax(1)], PRODUCTS)


def test_what_is_missing_is_named():
    features = listings()
    with pytest.raises(InputError, match="JoinedItem"):
        SameProduct()(features.replace(model=None))
    several = make_features(groups=PRODUCTS, model=features.model)
    with pytest.raises(InputError, match="one title"):
        SameProduct()(several)
    assert SameProduct(role="long")(several) > 0
    bare = features.replace(image=dataclasses.replace(features.image, states=None))
    with pytest.raises(InputError, match="states"):
        SameProduct()(bare)
