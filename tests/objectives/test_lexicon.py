"""Contrast and sparsity of weighted words."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch
from objectives.features import make_features

from limner.core.errors import InputError
from limner.core.features import Encoded, Features
from limner.nn.blocks.similarity import CosineSimilarity
from limner.nn.blocks.word_weights import IMPOSSIBLE
from limner.objectives.lexicon_contrast import LexiconContrast, lexical_similarity
from limner.objectives.lexicon_sparsity import LexiconSparsity, flops


def side(rows: list[list[float]]) -> Encoded:
    """Lexicons with these weights."""
    weights = torch.tensor(rows)
    lexicon = torch.where(weights > 0, weights.expm1(), -1.0)
    return Encoded(torch.zeros(len(rows), 2), torch.arange(len(rows)), lexicon=lexicon)


def batch(image: Encoded, text: Encoded, progress: float = 1.0) -> Features:
    rows = torch.arange(len(image.group))
    return Features(image, text, torch.tensor(7.0), CosineSimilarity(), rows, rows, progress=progress)


def test_the_contrast_is_that_of_the_cosines_of_weights() -> None:
    features = batch(side([[3.0, 4.0], [0.0, 2.0]]), side([[1.0, 0.0], [0.0, 5.0]]))
    scores = lexical_similarity(features.image, features.text)
    torch.testing.assert_close(scores, torch.tensor([[0.6, 0.8], [0.0, 1.0]]))
    logits = [[12.0, 16.0], [0.0, 20.0]]

    def cost(row: list[float], right: int) -> float:
        return math.log(sum(map(math.exp, row))) - row[right]

    rows = (cost(logits[0], 0) + cost(logits[1], 1)) / 2
    columns = (cost([12.0, 0.0], 0) + cost([16.0, 20.0], 1)) / 2
    given = LexiconContrast(temperature=0.05)(features)
    torch.testing.assert_close(given, torch.tensor((rows + columns) / 2))


def test_the_teacher_gives_the_keys_and_the_queue_more_negatives() -> None:
    features = make_features(queued=6)
    alone = LexiconContrast(keys="teacher")(features.replace(queue=None))
    assert LexiconContrast(keys="teacher")(features) > alone
    assert LexiconContrast()(features.replace(queue=None)) != alone
    changed = features.teacher.replace(image=features.teacher.image.replace(lexicon=features.image.lexicon.detach()))
    assert LexiconContrast(keys="teacher")(features.replace(teacher=changed, queue=None)) != alone


def test_what_is_missing_is_said() -> None:
    features = make_features()
    bare = features.replace(queue=dataclasses.replace(features.queue, image=features.queue.image.replace(lexicon=None)))
    with pytest.raises(InputError, match="needs lexicons: set `lexicon`"):
        LexiconContrast()(bare)
    with pytest.raises(InputError, match="choose one above 0"):
        LexiconContrast(temperature=0.0)
    with pytest.raises(InputError, match="no share of the training"):
        LexiconSparsity(ramp=1.5)


def test_flops_counts_products() -> None:
    weights = torch.tensor([[1.0, 0.0, 2.0], [1.0, 0.0, 0.0]])
    assert flops(weights) == 1.0 + 0.0 + 1.0
    features = batch(side([[1.0, 0.0], [1.0, 0.0]]), side([[0.0, 2.0], [0.0, 0.0]]))
    torch.testing.assert_close(LexiconSparsity(ramp=0.0)(features), torch.tensor(1.0 + 1.0))


def test_it_costs_more_where_words_are_shared() -> None:
    """Equal numbers of words a row: those that stand in every row cost most."""
    same, apart = flops(torch.eye(4)[[0, 0, 0, 0]]), flops(torch.eye(4))
    assert same == 4 * apart


@pytest.mark.parametrize(("progress", "factor"), [(0.0, 0.0), (0.1, 0.0625), (0.2, 0.25), (0.4, 1.0), (0.9, 1.0)])
def test_it_grows_with_the_square_of_the_training(progress: float, factor: float) -> None:
    features = make_features()
    whole = LexiconSparsity(ramp=0.0)(features)
    torch.testing.assert_close(LexiconSparsity(ramp=0.4)(features.replace(progress=progress)), factor * whole)


def test_words_that_cannot_weigh_get_no_gradient() -> None:
    features = make_features()
    (LexiconContrast()(features) + LexiconSparsity()(features)).backward()
    impossible = features.image.lexicon == IMPOSSIBLE
    assert features.image.lexicon.grad[impossible].abs().sum() == 0
    assert features.image.lexicon.grad.abs().sum() > 0
