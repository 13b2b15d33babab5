"""Batches are a function of seed and step, and say rightly which text belongs to which picture."""

import numpy as np
import pytest
import torch
from train.toy import COLOURS, toy_corpus

from limner.core.errors import InputError
from limner.data.samplers import ByConcept, Shuffled, TextChoice
from limner.encode.tokenizer import train_tokenizer
from limner.train.batches import Augment, Batches, Sampling, pad
from limner.train.task import split

CORPUS = toy_corpus(40, 1, texts_each=3)
TOKENIZER = train_tokenizer([text.text for texts in CORPUS.texts for text in texts], 320, 24)


def batches(sampling: Sampling, seed: int = 0) -> Batches:
    return Batches(CORPUS, TOKENIZER, sampling, seed=seed)


def texts_of(batch) -> list[str]:
    return [TOKENIZER.decode([int(i) for i in ids if i > 2]) for ids in batch.ids]


def test_the_same_step_gives_the_same_batch_whatever_came_before():
    sampling = Sampling(Shuffled(8), augment=Augment(least=0.5, noise=0.1), views=2)
    first, second = batches(sampling), batches(sampling)
    for step in (0, 1, 2, 7):
        first(step)
    one, other = first(3), second(3)
    for name in ("images", "view", "ids", "rows", "owner"):
        assert torch.equal(getattr(one, name), getattr(other, name)), name
    assert not torch.equal(one.rows, batches(sampling, seed=1)(3).rows)


def test_texts_belong_to_their_pictures():
    batch = batches(Sampling(Shuffled(8), texts=TextChoice(2)))(0)
    assert len(batch.ids) == 16
    for text, owner in zip(texts_of(batch), batch.owner, strict=True):
        colour = COLOURS[CORPUS.concepts[batch.rows[owner]] // 4]
        assert colour in text
    assert torch.equal(batch.text_group, batch.owner)


def test_equal_texts_are_one_group():
    batch = batches(Sampling(Shuffled(40), texts=TextChoice(1), positives="text"))(0)
    texts = texts_of(batch)
    same_text = np.array([[one == other for other in texts] for one in texts])
    same_group = (batch.image_group[:, None] == batch.text_group[None, :]).numpy()
    assert (same_text == same_group).all()
    assert same_text.sum() > len(texts)


def test_positives_by_concept():
    batch = batches(Sampling(ByConcept(4, 3), positives="concept"))(0)
    assert torch.equal(batch.image_group, torch.from_numpy(CORPUS.concepts[batch.rows.numpy()]))
    assert torch.equal(batch.text_group, batch.image_group[batch.owner])
    bare = Batches(CORPUS.replace(concepts=None), TOKENIZER, Sampling(positives="concept"), seed=0)
    with pytest.raises(InputError, match="a concept for each picture"):
        bare(0)


def test_a_picture_without_text_is_right_for_none():
    corpus = CORPUS.replace(texts=[texts if row % 2 else () for row, texts in enumerate(CORPUS.texts)])
    batch = Batches(corpus, TOKENIZER, Sampling(Shuffled(20), positives="text"), seed=0)(0)
    silent = ~torch.isin(torch.arange(20), batch.owner)
    assert silent.any()
    assert not torch.isin(batch.image_group[silent], batch.text_group).any()


@pytest.mark.parametrize("parts", [1, 2, 3, 7])
def test_parts_of_a_batch_are_the_batch(parts):
    batch = batches(Sampling(Shuffled(10), texts=TextChoice(2)))(0)
    pieces = split(batch, parts)
    assert torch.equal(torch.cat([piece.images for piece in pieces]), batch.images)
    assert torch.equal(torch.cat([piece.ids for piece in pieces]), batch.ids)
    assert torch.equal(torch.cat([piece.text_group for piece in pieces]), batch.text_group)
    for piece in pieces:
        assert torch.equal(piece.image_group[piece.owner], piece.text_group)
        assert torch.equal(piece.roles["caption"], torch.arange(len(piece.ids)))


def test_maps_are_cropped_to_the_wanted_grid():
    batch = batches(Sampling(Shuffled(4), augment=Augment(least=0.5), size=3))(0)
    assert batch.images.shape == (4, 9, CORPUS.images.shape[2])


def test_pad():
    assert pad([[5], [6, 7]]).tolist() == [[5, 0], [6, 7]]
    assert pad([]).shape == (0, 1)
