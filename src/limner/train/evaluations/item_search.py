"""Items that search items, each given as its picture, its title, or both (card 100)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from limner.core.errors import InputError
from limner.core.types import Integers
from limner.data.corpus import Corpus
from limner.eval.metrics import Success
from limner.train.evaluations.retrieval import ranked
from limner.train.outcome import Measured, Outcome
from limner.train.trained import CHUNK, Trained

FORMS = ("both", "image", "text", "averaged")
SEARCHES = (*((form, form) for form in FORMS), ("image", "both"), ("text", "both"))
"""(form of the question, form of what is searched); "averaged": the mean of the vectors of picture and title."""
NEAREST = 10


@dataclass(frozen=True, slots=True)
class ItemSearch:
    """Each item of a split searches the others; right are those of its concept (where there is none, nothing is).

    Success@1 of each of `SEARCHES`, on all items and, where the truth are listings, on those whose product is told by
    its picture, its title or both. For a question in which a part is missing: how much success it loses against the
    whole one ("loss"), and the share of the 10 nearest whole items that it has in common with it ("overlap@10").
    """

    split: str = "test"

    def __call__(self, trained: Trained) -> Outcome:
        corpus = trained.corpora.split(self.split)
        if corpus.concepts is None:
            raise InputError(f"{corpus.name}: a search of items needs a concept for each, the product")
        vectors = item_forms(trained, corpus)
        scores = {search: _others(vectors[search[0]], vectors[search[1]]) for search in SEARCHES}
        right = corpus.concepts[:, None] == corpus.concepts[None, :]
        np.fill_diagonal(right, False)
        found = {search: ranked(score, right, (Success(1),))["success@1"] for search, score in scores.items()}
        outcome: dict[str, Measured] = {}
        for (asked, searched), values in found.items():
            name = f"{asked}-to-{searched} success@1"
            outcome[name] = Measured.of(values, corpus.concepts)
            for told, rows in _told_by(corpus).items():
                outcome[f"{name}, told by {told}"] = Measured.of(values[rows], corpus.concepts[rows])
        whole = _nearest(scores["both", "both"])
        for part in ("image", "text"):
            common = (_nearest(scores[part, "both"]) & whole).sum(1) / NEAREST
            lost = found["both", "both"] - found[part, "both"]
            outcome[f"{part} loss"] = Measured.of(lost, corpus.concepts)
            outcome[f"{part} overlap@{NEAREST}"] = Measured.of(common, corpus.concepts)
        return outcome


@torch.no_grad()
def item_forms(trained: Trained, corpus: Corpus) -> dict[str, Tensor]:
    """Form -> (n, d) unit vectors of the items; each picture has one text, its title."""
    if any(len(texts) != 1 for texts in corpus.texts):
        raise InputError(f"{corpus.name}: an item is one picture with one title")
    images = trained.encode_images(corpus).states
    texts = trained.encode_texts([texts[0].text for texts in corpus.texts])
    parts: dict[str, list[Tensor]] = {"both": [], "image": [], "text": []}
    for start in range(0, len(corpus), CHUNK):
        rows = slice(start, start + CHUNK)
        words, mask = texts.states[rows], texts.mask[rows]
        parts["both"].append(trained.model.join(images[rows], words, mask))
        parts["image"].append(trained.model.join(images[rows], None))
        parts["text"].append(trained.model.join(None, words, mask))
    vectors = {form: torch.cat(some) for form, some in parts.items()}
    return vectors | {"averaged": F.normalize(vectors["image"] + vectors["text"], dim=-1)}


def _others(asking: Tensor, searched: Tensor) -> np.ndarray:
    """(n, n) cosines; -inf of an item with itself."""
    scores = (asking @ searched.T).cpu().numpy()
    np.fill_diagonal(scores, -np.inf)
    return scores


def _nearest(scores: np.ndarray) -> np.ndarray:
    """(n, n) bool: the nearest few of each row."""
    near = np.zeros(scores.shape, bool)
    np.put_along_axis(near, np.argpartition(-scores, NEAREST, axis=1)[:, :NEAREST], True, axis=1)
    return near


def _told_by(corpus: Corpus) -> dict[str, Integers]:
    """What tells the product apart -> rows."""
    told = np.array([listing.product.told_by for listing in corpus.truth])
    return {kind: np.flatnonzero(told == kind) for kind in dict.fromkeys(told.tolist())}
