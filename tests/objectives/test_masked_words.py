"""Masked words: what is hidden, what the loss counts, and that the picture helps without staying in search."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from limner.core.errors import InputError
from limner.core.features import Encoded, Features
from limner.nn.blocks.similarity import CosineSimilarity
from limner.nn.towers.bag_of_words import BagTower
from limner.nn.towers.map_transformer import MapTower
from limner.nn.towers.text_transformer import TextTower
from limner.nn.two_towers import Towers, TwoTowers
from limner.objectives.masked_words import MaskedWords

PLACES, CHANNELS, WIDTH, VOCABULARY, CONTEXT = 4, 5, 16, 20, 8


def make_model(depth: int = 3) -> TwoTowers:
    torch.manual_seed(0)
    towers = Towers(MapTower(WIDTH, dropout=0.0), TextTower(WIDTH, depth, heads=2, dropout=0.0), 8)
    return towers.build((PLACES, CHANNELS), VOCABULARY, CONTEXT)


def make_features(model: TwoTowers, images: Tensor, ids: Tensor, owner: Tensor) -> Features:
    group = torch.arange(len(images))
    return Features(
        image=model.encode_image(images, group),
        text=model.encode_text(ids, group[owner]),
        scale=model.scale(),
        similarity=CosineSimilarity(),
        owner=owner,
        rows=group,
        roles={"first": torch.arange(len(images))},
        ids=ids,
        model=model,
    )


def random_batch(seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Four pictures with two texts each; texts begin with 1, end with 2, are padded with 0."""
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(3, VOCABULARY, (8, CONTEXT), generator=generator)
    ids[:, 0], ids[:, -1] = 1, 2
    ids[3, 5:] = torch.tensor([2, 0, 0])
    return torch.randn(4, PLACES, CHANNELS, generator=generator), ids, torch.arange(4).repeat(2)


def watched(head: nn.Module) -> list[tuple[Tensor, Tensor, Tensor]]:
    """(hidden, states of the pictures, logits) of each call that the head will get."""
    calls: list[tuple[Tensor, Tensor, Tensor]] = []
    head.register_forward_hook(lambda head, asked, logits: calls.append((asked[2], asked[3], logits)))
    return calls


def test_only_words_are_hidden_and_only_hidden_words_count() -> None:
    model, objective = make_model(), MaskedWords(share=0.5)
    features, head = make_features(model, *random_batch()), objective.head(model)
    calls = watched(head)
    torch.manual_seed(3)
    loss = objective(features, head)
    ((hidden, image_states, logits),) = calls
    assert not hidden[features.ids < 3].any()
    assert 0 < hidden.sum() < (features.ids >= 3).sum()
    assert torch.equal(image_states, features.image.states[features.owner])
    torch.testing.assert_close(loss, F.cross_entropy(logits, features.ids[hidden]))


def test_about_the_share_is_hidden_and_the_global_seed_decides_which() -> None:
    model, objective = make_model(1), MaskedWords(share=0.15)
    images, _, _ = random_batch()
    ids = torch.full((400, CONTEXT), 5)
    features = make_features(model, images, ids, torch.arange(400) % 4)
    head = objective.head(model)
    calls = watched(head)
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        objective(features, head)
    chosen = [hidden for hidden, *_ in calls]
    assert chosen[0].float().mean().item() == pytest.approx(0.15, abs=0.02)
    assert torch.equal(chosen[0], chosen[1])
    assert not torch.equal(chosen[0], chosen[2])


def test_a_hidden_word_is_not_given_away() -> None:
    model, objective = make_model(), MaskedWords()
    head = objective.head(model)
    images, ids, owner = random_batch()
    states = model.encode_image(images, torch.arange(4)).states[owner]
    hidden = torch.zeros_like(ids, dtype=torch.bool)
    hidden[:, 2] = True
    other = ids.clone()
    other[:, 2] = 3 + (ids[:, 2] - 2) % (VOCABULARY - 3)
    assert not (other[:, 2] == ids[:, 2]).any()
    torch.testing.assert_close(
        head(model.text.tower, ids, hidden, states), head(model.text.tower, other, hidden, states)
    )


def test_without_a_hidden_word_the_loss_is_zero_and_has_a_gradient() -> None:
    model, objective = make_model(), MaskedWords()
    images, ids, owner = random_batch()
    loss = objective(make_features(model, images, torch.ones_like(ids), owner), objective.head(model))
    loss.backward()
    assert loss.item() == 0


@pytest.mark.parametrize(("depth", "layers"), [(1, ["0"]), (2, ["0", "1"]), (3, ["0", "1", "2"]), (6, ["1", "3", "5"])])
def test_the_picture_is_read_at_thirds_of_the_depth(depth: int, layers: list[str]) -> None:
    assert list(MaskedWords().head(make_model(depth)).fusion) == layers


def test_texts_of_one_role() -> None:
    model, objective = make_model(), MaskedWords(share=0.5, role="first")
    head = objective.head(model)
    calls = watched(head)
    objective(make_features(model, *random_batch()), head)
    assert calls[0][0].shape == (4, CONTEXT)


def colour_batch(seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Which of four words stands in a text is written in its picture and nowhere else."""
    generator = torch.Generator().manual_seed(seed)
    colour = torch.randint(0, 4, (32,), generator=generator)
    images = 0.1 * torch.randn(32, PLACES, CHANNELS, generator=generator)
    images[torch.arange(32), :, colour] += 3
    return images, torch.stack([torch.ones(32).long(), 3 + colour, torch.full((32,), 2)], 1), torch.arange(32)


def test_the_picture_helps_in_training_and_is_gone_in_search() -> None:
    model, objective = make_model(2), MaskedWords(share=0.6)
    head = objective.head(model)
    optimiser = torch.optim.Adam([*model.parameters(), *head.parameters()], 0.01)
    torch.manual_seed(0)
    for number in range(120):
        optimiser.zero_grad()
        objective(make_features(model, *colour_batch(number)), head).backward()
        optimiser.step()
    images, ids, owner = colour_batch(1000)
    with torch.no_grad():
        seen = objective(make_features(model, images, ids, owner), head)
        blind = objective(make_features(model, images[:1].expand_as(images), ids, owner), head)
        assert seen < 0.3
        assert blind > 1.0
        assert head.fusion["1"].gate.abs() > 0.01
        texts = [make_features(model, some, ids, owner).text for some in (images, torch.zeros_like(images))]
    assert torch.equal(texts[0].vectors, texts[1].vectors)
    assert model.state_dict().keys() == make_model(2).state_dict().keys()


def test_what_is_missing_is_said() -> None:
    model = make_model()
    features = make_features(model, *random_batch())
    with pytest.raises(InputError, match="need the ids"):
        MaskedWords()(features.replace(ids=None), MaskedWords().head(model))
    bare = Encoded(features.image.vectors, features.image.group)
    with pytest.raises(InputError, match="states of the pictures"):
        MaskedWords()(features.replace(image=bare), MaskedWords().head(model))
    bag = Towers(MapTower(WIDTH), BagTower(WIDTH), 8).build((PLACES, CHANNELS), VOCABULARY, CONTEXT)
    with pytest.raises(InputError, match="transformer blocks, not BagOfWords"):
        MaskedWords().head(bag)
    with pytest.raises(InputError, match="choose one between 0 and 1"):
        MaskedWords(share=1.0)
    with pytest.raises(InputError, match="above 0, at most 1"):
        MaskedWords(depths=(0.0,))


def test_words_alone_are_guessed_without_the_pictures() -> None:
    model, objective = make_model(), MaskedWords(depths=())
    head = objective.head(model)
    images, ids, owner = random_batch()
    losses = []
    for pictures in (images, images + 1):
        torch.manual_seed(3)
        losses.append(objective(make_features(model, pictures, ids, owner), head))
    assert losses[0].item() == losses[1].item()
    losses[0].backward()
    assert model.text.tower.tokens.weight.grad.abs().sum() > 0
    assert all(parameter.grad is None for parameter in model.image.parameters())
