"""Evaluations of tokens, on models whose words and places are known."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from random import Random

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from limner.core.errors import InputError
from limner.core.features import Encoded
from limner.data.corpus import Corpora, Corpus, Text
from limner.data.world import WORLD_A, Scene, near_duplicates, scene_at
from limner.encode.tokenizer import Tokenizer, train_tokenizer
from limner.nn.blocks.token_reducer import GridPool
from limner.train.corpora.changed import CROWDED, WithChanges, with_small_change
from limner.train.corpora.shared_captions import SharedCaptions
from limner.train.evaluations.changed_object import ChangedObject
from limner.train.evaluations.coarse_search import CoarseSearch
from limner.train.evaluations.pointing import object_places
from limner.train.evaluations.token_attention import TokenAttention, pairwise_iou
from limner.train.evaluations.token_cost import TokenCost, max_sim
from limner.train.evaluations.token_search import TokenSearch, of_one_byte
from limner.train.evaluations.typing_variants import TypingVariants, one_left_out, spaced, unpunctuated
from limner.train.evaluations.word_places import WordPlaces, winners
from limner.train.runs import Place
from limner.train.trained import Trained

VALUES = (*WORLD_A.colours, *WORLD_A.shapes)
PLACES = 36


def unit(values: Tensor) -> Tensor:
    return nn.functional.normalize(values.float(), dim=-1)


class Side(nn.Module):
    """States are tokens already."""

    def __init__(self, reducer: nn.Module | None = None) -> None:
        super().__init__()
        self.reducer = reducer

    def tokens(self, states: Tensor) -> Tensor:
        return unit(states if self.reducer is None else self.reducer(states))

    project_states = tokens


class Knowing(nn.Module):
    """A place has the direction of the colour and the shape that are there, a word that of what it names. It knows no
    order: a red circle and a blue square are to it a blue circle and a red square."""

    def __init__(self, tokenizer: Tokenizer, reducer: nn.Module | None = None) -> None:
        super().__init__()
        self.image, self.text, self.nothing = Side(reducer), Side(), nn.Parameter(torch.zeros(1))
        table = torch.full((tokenizer.vocabulary_size, len(VALUES) + 1), 0.0)
        table[:, -1] = 1.0
        for number in range(tokenizer.vocabulary_size):
            word = tokenizer.decode([number]).removesuffix("s")
            if word in VALUES:
                table[number] = torch.eye(len(VALUES) + 1)[VALUES.index(word)]
        self.table = table

    def encode_image(self, images: Tensor, group: Tensor) -> Encoded:
        return Encoded(unit(images.float().mean(1)), group, states=images.float(), tokens=self.image.tokens(images))

    def encode_text(self, ids: Tensor, group: Tensor) -> Encoded:
        words = self.table[ids]
        return Encoded(unit(words.mean(1)), group, states=words, tokens=words, mask=ids != 0)


def maps(scenes: list[Scene]) -> np.ndarray:
    """(n, places, values + 1): what is at each place; the last channel where nothing is."""
    made = np.zeros((len(scenes), PLACES, len(VALUES) + 1), np.float32)
    made[:, :, -1] = 1e-3
    for row, scene in enumerate(scenes):
        covered = object_places(Corpus("one", made[:1], [()], truth=[scene]), PLACES)[0]
        for thing, places in zip(scene.objects, covered, strict=True):
            made[row, places] = 0
            made[row, places, VALUES.index(thing.colour)] = made[row, places, VALUES.index(thing.shape)] = 1
    return made


def corpus_of(scenes: list[Scene], *, blind: bool = False) -> Corpus:
    texts = [[Text(near_duplicates(scene, Random(f"{row // 2}"), 0)[0].text)] for row, scene in enumerate(scenes)]
    images = maps(scenes)
    return Corpus("known", np.roll(images, 1, axis=0) if blind else images, texts, truth=scenes)


def knowing(corpus: Corpus, reducer: nn.Module | None = None, **more: Corpus) -> Trained:
    """`more`: further splits."""
    words = [text.text for texts in corpus.texts for text in texts] + list(VALUES) * 20
    tokenizer = train_tokenizer(words, 700, 128)
    corpora = Corpora(corpus, corpus, corpus, more)
    nothing = nn.ModuleDict()
    return Trained(Knowing(tokenizer, reducer), nothing, nothing, tokenizer, corpora, 0, Path())


def twins(count: int = 10) -> list[Scene]:
    found: list[Scene] = []
    number = 0
    while len(found) < 2 * count:
        scene = scene_at(5, number, CROWDED)
        if other := with_small_change(scene, Random(number)):
            found += [scene, other]
        number += 1
    return found


SINGLE = [scene_at(7, number, dataclasses.replace(WORLD_A, most=1)) for number in range(20)]


def test_twins_differ_in_one_small_object(tmp_path: Path):
    corpora = WithChanges(SharedCaptions(CROWDED, 4, 0, tested=4), pairs=6).load(Place(tmp_path))
    scenes, texts = corpora.split("changed").truth, corpora.split("changed").texts
    assert len(scenes) == 12
    for first, second, one, other in zip(scenes[::2], scenes[1::2], texts[::2], texts[1::2], strict=True):
        changed = [(a, b) for a, b in zip(first.objects, second.objects, strict=True) if a != b]
        assert len(changed) == 1
        (a, b) = changed[0]
        assert a.size == b.size == "small"
        assert (a.colour == b.colour) != (a.shape == b.shape)
        assert one[0].text != other[0].text
        assert len(first.objects) >= 4


def test_a_model_that_knows_the_places_tells_twins_apart_and_a_blind_one_does_not():
    known, blind = corpus_of(twins()), corpus_of(twins(), blind=True)
    outcome = ChangedObject()(knowing(known, changed=known))
    assert outcome["changed: text chooses by tokens"].mean > 0.8
    outcome = ChangedObject()(knowing(blind, changed=blind))
    assert 0.2 < outcome["changed: text chooses by tokens"].mean < 0.8


def test_search_by_tokens_finds_what_is_described():
    outcome = TokenSearch(depth=200)(knowing(corpus_of(twins())))
    found = outcome["text-to-image recall@1 by tokens"].mean
    assert found > 0.7
    assert outcome["text-to-image recall@1 by tokens in two stages"].mean == found
    assert outcome["first by tokens in two stages is that of all"].mean == 1
    assert outcome["text-to-image recall@1 by tokens of one byte"].mean > 0.7
    few = TokenSearch(depth=1)(knowing(corpus_of(twins())))
    assert few["first by tokens in two stages is that of all"].mean < 1
    with pytest.raises(InputError, match="language 'xx'"):
        TokenSearch(language="xx")(knowing(corpus_of(twins())))


def test_one_byte_keeps_a_number_to_half_a_step():
    tokens = unit(torch.randn(5, 4, 64, generator=torch.Generator().manual_seed(0)))
    step = tokens.abs().amax(-1, keepdim=True) / 127
    assert ((of_one_byte(tokens) - tokens).abs() <= step / 2 + 1e-7).all()
    assert (of_one_byte(torch.zeros(1, 1, 4)) == 0).all()


def test_coarse_questions_are_answered_by_all_that_show_it():
    outcome = CoarseSearch()(knowing(corpus_of(SINGLE)))
    assert outcome["coarse text-to-image mAP by tokens"].mean == 1
    assert CoarseSearch()(knowing(corpus_of(SINGLE, blind=True)))["coarse text-to-image mAP by tokens"].mean < 0.6
    with pytest.raises(InputError, match="needs drawn scenes"):
        CoarseSearch()(knowing(corpus_of(SINGLE).replace(truth=())))


def test_words_of_a_model_that_knows_lie_on_their_objects():
    known, blind = (WordPlaces()(knowing(corpus_of(twins(), blind=blind))) for blind in (False, True))
    assert known["words on their object"].mean > 0.95
    assert blind["words on their object"].mean < 0.7
    assert known["words on their object by chance"].mean == blind["words on their object by chance"].mean < 0.3


def test_winners_by_hand():
    words = Encoded(torch.zeros(1, 2), torch.arange(1), tokens=torch.zeros(1, 5, 2))
    scores = torch.tensor([[[9.0, 9.0], [0.5, 0.5], [0.4, 0.3], [0.1, 0.6], [9.0, 9.0]]])
    assert winners(scores, words).tolist() == pytest.approx([2 / 3])
    scores[0, 1] = 0.7
    assert winners(scores, words).tolist() == pytest.approx([1 / 3])


def test_attention_by_hand():
    areas = np.array([[[1, 1, 0, 0], [0, 1, 1, 0], [0, 0, 0, 1]]], bool)
    assert pairwise_iou(areas).tolist() == pytest.approx([(1 / 3 + 0 + 0) / 3])
    assert pairwise_iou(areas[:, :1]).tolist() == [1]
    corpus = corpus_of(SINGLE)
    cells = TokenAttention()(knowing(corpus, GridPool(6, 6).build(1)))
    assert cells["attention maps, mean pairwise IoU"].mean == 0
    assert cells["attention on objects"].values == pytest.approx(cells["objects, share of the places"].values, abs=1e-6)
    with pytest.raises(InputError, match="a reducer"):
        TokenAttention()(knowing(corpus))


def test_costs_are_counted():
    outcome = TokenCost(asked=3)(knowing(corpus_of(SINGLE), GridPool(2, 2).build(1)))
    assert outcome["bytes a picture, tokens"].mean == 2 * 4 * 21
    assert outcome["bytes a picture, tokens of one byte"].mean == 4 * 23
    assert outcome["bytes a picture, vector"].mean == 4 * 21
    tokens = np.array([[[1, 0, 0], [0, 0.5, 0]], [[0, 0, 1], [0, 0, 1]]], np.float32)
    assert max_sim(np.eye(3, dtype=np.float32)[:2], tokens).tolist() == [0.75, 0]


def test_typed_otherwise():
    text, rng = "图中有一个红色圆形，背景是蓝色的", Random(0)
    tokenizer = train_tokenizer([text] * 9, 600, 64, characters=True)
    assert " " in spaced(text, rng)
    assert tokenizer.encode(spaced(text, rng)) == tokenizer.encode(text)
    assert unpunctuated(text, rng) == text.replace("，", "")
    assert len(one_left_out(text, rng)) == len(text) - 1
    outcome = TypingVariants(language="en")(knowing(corpus_of(twins())))
    assert outcome["as written: text-to-image recall@1 by tokens"].mean > 0.7
    assert len(outcome) == 4
