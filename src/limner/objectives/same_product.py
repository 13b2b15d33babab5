"""Same-product search: two listings of one product find each other by picture, by title, or by both
(card 100, eSSPR, arXiv 2302.05093)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from limner.core.errors import InputError
from limner.core.features import Features
from limner.objectives.hinge import All, NegativeSampler, ranking_hinge
from limner.objectives.locality import locality, self_distinctiveness

Form = Literal["both", "image", "text"]
FORMS: tuple[Form, ...] = ("both", "image", "text")
PARTS: tuple[Form, ...] = ("image", "text")


def item_vectors(features: Features, form: Form) -> Tensor:
    """(n, d) unit vectors of the n items of a batch, from the network `features.model.join` (nn/heads/join.py).

    Raises InputError where the model has none, or where a picture has not exactly one title.
    """
    join = getattr(features.model, "join", None)
    if join is None:
        raise InputError("items of picture and title need a model with a JoinedItem: set the field `join` of the model")
    order = features.owner.argsort()
    pictures = len(features.image.group)
    if not torch.equal(features.owner[order], torch.arange(pictures, device=order.device)):
        raise InputError("an item is one picture with one title: choose the titles of the batch by a role")
    text = features.text.take(order)
    if features.image.states is None or text.states is None:
        raise InputError("items of picture and title need the states of both towers: keep them in the features")
    return join(None if form == "text" else features.image.states, None if form == "image" else text.states, text.mask)


@dataclass(frozen=True, slots=True)
class SameProduct:
    """Three terms over items l and r of one product and the forms f of l (card 100):

        matching          hinge of sim(l_f, r_both) for f = both, image, text; negatives are other products
        distinctiveness   hinge of sim(l_f, l_both) for f = image, text
        locality          mean [(sim(l_both, r) - sim(l_f, r))^2 - slack]+ over the nearest r, f = image, text

    Needs batches with several listings of each product (the sampler `ByConcept`, positives "concept"), so that
    groups are products and each item has others of its own to find; one title a picture; states of both towers;
    a model with a `join`. Each listing is left and right in turn, where the paper has pairs from a click log. The
    vectors of the two towers are not touched: a `Contrast` beside it keeps ordinary search. Both partial forms in
    the last two terms are our reconstruction; margins and weights are not published.
    """

    margin: float = 0.2
    slack: float = 0.01
    nearest: int = 10
    queries: tuple[Form, ...] = FORMS
    """Forms of an item that are matched with other whole items of its product."""
    distinctiveness: float = 1.0
    locality: float = 1.0
    negatives: NegativeSampler = All()
    role: str = ""
    """The role of the titles; empty: all texts are titles."""
    weight: float = 1.0
    name: str = "same_product"

    def head(self, model: Any) -> None:
        return None

    def __call__(self, features: Features, head: None = None) -> Tensor:
        if self.role:
            features = features.with_role(self.role)
        vectors = {form: item_vectors(features, form) for form in FORMS}
        scores = {form: some @ vectors["both"].T for form, some in vectors.items()}
        group = features.image.group
        other = group[:, None] != group[None, :]
        itself = torch.eye(len(group), dtype=torch.bool, device=group.device)
        loss = sum(
            ranking_hinge(scores[form], ~other & ~itself, self.margin, self.negatives, negative=other, to_pictures=0)
            for form in self.queries
        )
        for part in PARTS:
            distinct = self_distinctiveness(vectors[part], vectors["both"], group, self.margin)
            near = locality(_others(scores["both"]), _others(scores[part]), self.nearest, self.slack)
            loss = loss + self.distinctiveness * distinct + self.locality * near
        return loss


def _others(scores: Tensor) -> Tensor:
    """(n, n) -> (n, n - 1): without each item's score with itself."""
    n = len(scores)
    return scores[~torch.eye(n, dtype=torch.bool, device=scores.device)].view(n, n - 1)
