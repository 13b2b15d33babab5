"""Products as data, and items that search items by their forms."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from train.fixed import fixed
from train.known import vectors_of

from limner.core.errors import InputError
from limner.core.features import Encoded
from limner.data.corpus import Corpora, Corpus, Text
from limner.data.world.products import listing_at
from limner.nn.towers.convolutional_transformer import PictureTower
from limner.nn.two_towers import Towers
from limner.train.batches import Sampling
from limner.train.corpora import backbone
from limner.train.corpora.products import Products
from limner.train.evaluations.item_search import ItemSearch
from limner.train.optimiser import Optimiser
from limner.train.runs import Place


def test_no_product_is_in_two_splits(tmp_path, monkeypatch):
    quick = backbone.BACKBONE.replace(
        data=backbone.PlacedFacts(scenes=8),
        model=Towers(PictureTower((8, 8), 16, 1, 2), backbone.BACKBONE.model.text, dimension=8),
        optimiser=Optimiser(steps=1),
        sampling=Sampling(),
    )
    monkeypatch.setattr(backbone.maps, "__defaults__", (quick,))
    corpora = Products(5, 3, 2).load(Place(tmp_path))
    splits = (corpora.train, corpora.validation, corpora.test)
    assert [len(corpus) for corpus in splits] == [15, 6, 6]
    numbers = [{listing.product.number for listing in corpus.truth} for corpus in splits]
    assert numbers == [{0, 1, 2, 3, 4}, {5, 6}, {7, 8}]
    assert corpora.test.concepts.tolist() == [0, 0, 0, 1, 1, 1]
    assert [texts[0].text for texts in corpora.train.texts[:3]] == [listing_at(0, 0, index).title for index in range(3)]
    assert corpora.train.images.shape[:2] == (15, 36)


class Joined(nn.Module):
    """What the test says: the picture's vector, the title's, or the sum of both."""

    def forward(self, image: Tensor | None, text: Tensor | None, mask: Tensor | None = None) -> Tensor:
        given = [part[:, 0] for part in (image, text) if part is not None]
        return F.normalize(sum(given), dim=-1)


def items(pictures: list[list[float]], titles: list[list[float]], concepts: list[int], kinds: list[str]):
    """Titles are "0", "1" ... with these vectors."""
    said = {str(number): vector for number, vector in enumerate(titles)}
    truth = [SimpleNamespace(product=SimpleNamespace(told_by=kind)) for kind in kinds]
    texts = [[Text(str(number))] for number in range(len(titles))]
    corpus = Corpus("items", vectors_of(np.array(pictures)), texts, np.array(concepts), truth=truth)
    trained = fixed(Corpora(corpus, corpus, corpus), said)
    trained.model.join = Joined()
    image, text = trained.model.encode_image, trained.model.encode_text
    trained.model.encode_image = lambda images, group: image(images, group).replace(states=images.float())
    trained.model.encode_text = lambda ids, group: with_states(text(ids, group))
    return trained


def with_states(encoded: Encoded) -> Encoded:
    mask = torch.ones(len(encoded.vectors), 1, dtype=torch.bool)
    return encoded.replace(states=encoded.vectors[:, None], mask=mask)


def test_success_of_each_form():
    # Two products in two listings. Pictures tell product 0 apart and mislead about 1, titles tell both; plus others.
    eye = np.eye(16)
    others = [eye[4 + number] for number in range(12)]
    pictures = np.array([eye[0], eye[0], eye[1], eye[2], *others])
    titles = np.array([eye[0] + eye[3], eye[0] - eye[3], eye[3], eye[3], *others])
    concepts = [0, 0, 1, 1, *range(2, 14)]
    kinds = ["picture", "picture", "title", "title", *["both"] * 12]
    # The other twelve have no second listing: they are searched and ask nothing right.
    outcome = ItemSearch()(items(pictures.tolist(), titles.tolist(), concepts, kinds))
    assert outcome["image-to-image success@1, told by picture"].values.tolist() == [1, 1]
    assert outcome["image-to-image success@1, told by title"].mean < 1
    assert outcome["text-to-text success@1, told by title"].values.tolist() == [1, 1]
    assert outcome["both-to-both success@1, told by title"].values.tolist() == [1, 1]
    assert outcome["both-to-both success@1, told by picture"].values.tolist() == [1, 1]
    # The title of the first listing alone is nearer to a title of product 1 than to the other listing's.
    assert outcome["text-to-text success@1, told by picture"].mean < 1


def test_loss_and_overlap():
    rng = np.random.default_rng(0)
    pictures = rng.standard_normal((40, 8))
    concepts = np.repeat(np.arange(20), 2).tolist()
    kinds = ["both"] * 40
    same = ItemSearch()(items(pictures.tolist(), pictures.tolist(), concepts, kinds))
    assert same["image overlap@10"].mean == 1
    assert same["text loss"].mean == 0
    other = ItemSearch()(items(pictures.tolist(), rng.standard_normal((40, 8)).tolist(), concepts, kinds))
    assert 10 / 39 < other["image overlap@10"].mean < 0.9
    assert other["image overlap@10"].clusters.max() == 19


def test_what_an_item_needs():
    bare = items([[1, 0]], [[0, 1]], [0], ["both"])
    corpus = bare.corpora.test
    for wrong, said in (({"concepts": None}, "the product"), ({"texts": [[Text("0"), Text("0")]]}, "one title")):
        changed = corpus.replace(**wrong)
        with pytest.raises(InputError, match=said):
            ItemSearch()(fixed(Corpora(changed, changed, changed), {"0": [0.0, 1.0]}))
