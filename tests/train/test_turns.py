"""Kinds of text take turns, with all that belongs to them."""

import pytest
import torch

from limner.core.errors import InputError
from limner.train.batches import Batch
from limner.train.modifiers.turns import Turns

BATCH = Batch(
    images=torch.zeros(2, 4, 3),
    ids=torch.tensor([[1, 7], [1, 8], [1, 9], [1, 6]]),
    owner=torch.tensor([0, 0, 1, 1]),
    rows=torch.tensor([5, 3]),
    image_group=torch.tensor([0, 1]),
    text_group=torch.tensor([0, 0, 1, 1]),
    roles={"en": torch.tensor([0, 2]), "de": torch.tensor([1, 3])},
    language=torch.tensor([0, 1, 0, 1]),
)


@pytest.mark.parametrize(("step", "role", "words"), [(0, "en", [7, 9]), (1, "de", [8, 6]), (4, "en", [7, 9])])
def test_one_kind_a_step(step: int, role: str, words: list[int]):
    kept = Turns(("en", "de")).batch(None, step, BATCH)
    assert kept.ids[:, 1].tolist() == words
    assert kept.owner.tolist() == kept.text_group.tolist() == [0, 1]
    assert kept.roles.keys() == {role}
    assert kept.roles[role].tolist() == [0, 1]
    assert kept.language.tolist() == [step % 2] * 2
    assert torch.equal(kept.images, BATCH.images)


def test_a_kind_that_is_not_there():
    with pytest.raises(InputError, match="turn of role 'fr'; the batch has: de, en"):
        Turns(("fr",)).batch(None, 0, BATCH)
