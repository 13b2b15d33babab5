"""What is measured of weighted words, on lexicons that the test writes itself."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from train.known import known

from limner.core.errors import InputError
from limner.data.corpus import Corpus, Text
from limner.data.world import WORLD_A, scene_at
from limner.index.layout import CEILING, IMPACTS
from limner.nn.blocks.word_weights import FIRST_WORD, IMPOSSIBLE
from limner.nn.encoders import Reading
from limner.nn.heads.lexicon import LENGTH, Lexicon, LexiconHeads
from limner.nn.towers.map_transformer import MapTower
from limner.nn.towers.text_transformer import TextTower
from limner.nn.two_towers import Towers
from limner.train.evaluations.grounded_words import GroundedWords
from limner.train.evaluations.lexical_retrieval import LEVELS, LexicalRetrieval, in_eight_bits
from limner.train.evaluations.lexicon_size import LexiconSize
from limner.train.evaluations.said_words import SaidWords
from limner.train.trained import Trained

WORDS = ("dog", "cat", "tree", "boat", "house", "bird")


class Written(LexiconHeads):
    """Pictures are rows of logits; a text is its own words, 1 each."""

    def of_pictures(self, reading: Reading) -> Tensor:
        return reading.states[:, 0]

    def of_texts(self, reading: Reading, ids: Tensor) -> Tensor:
        lexicon = torch.full((len(ids), self.vocabulary), -1.0).scatter(1, ids, 1.0)
        lexicon[:, :FIRST_WORD] = IMPOSSIBLE
        return lexicon


def trained(pictures: list[dict[str, float]], texts: list[list[str]], tmp_path: Path, truth: tuple = ()) -> Trained:
    """Pictures with the logits of some words, all others -1, and texts."""
    said = [[Text(text) for text in some] for some in texts]
    # The tokenizer learns every word as one token.
    spoken = [Text(text) for text in {*WORDS, *(word for logits in pictures for word in logits)}]
    everything = [*said[1:], [*said[0], *spoken, *spoken]]
    one = known(Corpus("test", np.zeros((len(pictures), 1, 4), np.float32), everything), tmp_path)
    vocabulary = one.tokenizer.vocabulary_size
    images = np.full((len(pictures), 1, vocabulary), -1.0, np.float32)
    for row, logits in enumerate(pictures):
        for words, logit in logits.items():
            images[row, 0, one.tokenizer.words(words)] = logit
    one.model.lexicon = Written((4, 8), (16, 16), vocabulary, image_words=2, text_words=4)
    return replace(one, corpora=replace(one.corpora, test=Corpus("test", images, said, truth=truth)))


def test_texts_find_pictures_by_their_words(tmp_path: Path) -> None:
    pictures = [{"dog": 3.0, "cat": 0.1, "tree": 0.2}, {"cat": 3.0, "tree": 2.0}, {"tree": 3.0, "dog": 2.0}]
    measured = LexicalRetrieval(words=(1, 2))(trained(pictures, [["dog"], ["cat tree"], ["tree dog", "cat"]], tmp_path))
    found = {name: one.values.tolist() for name, one in measured.items() if name.endswith("recall@1")}
    assert found["lexical text-to-image recall@1"] == [1, 1, 1, 0]
    assert found["bare words text-to-image recall@1"] == [1, 1, 1, 0]
    assert found["indexed text-to-image recall@1"] == [1, 1, 1, 0]
    # Of one word a picture, "dog" is left only to the first and "tree" only to the third.
    assert found["1 words text-to-image recall@1"][:2] == [1, 1]
    assert measured["lexical text-to-image recall@1"].clusters.tolist() == [0, 1, 2, 2]
    assert measured["lexical text-to-image recall@10"].mean == 1


def test_eight_bits_are_the_impacts_of_an_index() -> None:
    weights = torch.tensor([[4.0, 0.0], [2.0, 0.01]])
    assert in_eight_bits(weights).tolist() == [[255, 0], [128, 1]]
    assert LEVELS / LENGTH == IMPACTS / CEILING


def test_words_are_counted_before_any_are_cut(tmp_path: Path) -> None:
    pictures = [{"dog": 3.0, "cat": 1.0, "tree": 0.5}, {"cat": 3.0}]
    measured = LexiconSize(times=3)(trained(pictures, [["dog cat"], ["cat"]], tmp_path))
    assert measured["words a picture"].values.tolist() == [3, 1]
    assert measured["words a picture, times 3"].values.tolist() == [9, 3]
    assert measured["words a text"].values.tolist() == [2, 1]
    assert measured["5% of the vocabulary"].mean == pytest.approx(0.05 * 281, abs=3)


def test_heaviest_words_are_looked_for_in_the_captions(tmp_path: Path) -> None:
    pictures = [{"dog": 3.0, "cat": 2.0, "boat": 1.0}, {"bird": 3.0, "house": 2.0}]
    measured = SaidWords(k=2)(trained(pictures, [["dog", "tree dog"], ["bird house", "cat"]], tmp_path))
    assert measured["top 2 words said"].values.tolist() == [0.5, 1.0]
    assert measured["top 2 words said by chance"].values.tolist() == [0.0, 0.5]


def test_drawn_objects_are_named_or_not(tmp_path: Path) -> None:
    scenes = [scene for number in range(300) if len((scene := scene_at(0, number, WORLD_A)).objects) == 1]
    circle = next(scene for scene in scenes if scene.objects[0].shape == "circle")
    others = [scene for scene in scenes if scene.objects[0].shape not in ("circle", "cross", "crescent")][:2]
    (thing,), (square,) = circle.objects, others[0].objects
    right = {thing.colour: 3.0, "circle": 2.5, "disc": 2.0}
    wrong = {square.colour: 3.0, "boat": 2.0, "tree": 1.0}
    third = {others[1].objects[0].colour: 3.0, others[1].objects[0].shape: 2.0}
    said = [[f"a {thing.colour} circle"], ["a shape"], ["a shape"]]
    one = trained([right, wrong, third], said, tmp_path, truth=(circle, *others))
    measured = GroundedWords(k=12)(one)
    assert measured["colour and shape in the top 12 words"].values.tolist()[:2] == [1, 0]
    assert measured["unsaid synonym in the top 12 words"].values.tolist() == [1]
    assert measured["80% of the objects"].mean == pytest.approx(0.8)
    without = replace(one, corpora=replace(one.corpora, test=one.corpora.test.replace(truth=())))
    with pytest.raises(InputError, match="drawn scenes with their truth"):
        GroundedWords()(without)


def test_a_model_without_a_lexicon_is_refused(tmp_path: Path) -> None:
    plain = known(Corpus("test", np.zeros((1, 1, 4), np.float32), [[Text("dog")]]), tmp_path)
    for evaluation in (LexicalRetrieval(), LexiconSize(), SaidWords()):
        with pytest.raises(InputError, match="set `lexicon`"):
            evaluation(plain)


def test_settings_build_heads_of_their_size() -> None:
    heads = Towers(MapTower(12), TextTower(16), 8, lexicon=Lexicon(7, 9)).build((4, 6), 40, 9).lexicon
    assert (heads.image_words, heads.text_words, heads.vocabulary) == (7, 9, 40)
