"""The lexicon bottleneck: nothing but a bag of words passes, and a picture learns to name its caption's words."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from limner.core.errors import InputError
from limner.core.features import Features
from limner.nn.blocks.similarity import CosineSimilarity
from limner.nn.blocks.word_weights import IMPOSSIBLE
from limner.nn.heads.lexicon import Lexicon
from limner.nn.towers.bag_of_words import BagTower
from limner.nn.towers.map_transformer import MapTower
from limner.nn.towers.text_transformer import TextTower
from limner.nn.two_towers import Towers, TwoTowers
from limner.objectives.lexicon_bottleneck import LexiconBottleneck, LexiconWords, bag_of_words

PLACES, CHANNELS, WIDTH, VOCABULARY, CONTEXT = 4, 5, 16, 20, 8
LEXICON = Lexicon()


def make_model(lexicon: Lexicon | None = LEXICON) -> TwoTowers:
    torch.manual_seed(0)
    text = TextTower(WIDTH, 1, heads=2, dropout=0.0)
    towers = Towers(MapTower(WIDTH, dropout=0.0), text, 8, lexicon=lexicon)
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
        ids=ids,
        model=model,
    )


def word_batch(seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Which of four words stands in a text is written in its picture and nowhere else; the first picture's last."""
    generator = torch.Generator().manual_seed(seed)
    word = torch.randint(0, 4, (32,), generator=generator)
    images = 0.1 * torch.randn(32, PLACES, CHANNELS, generator=generator)
    images[torch.arange(32), 1, word] += 3
    ids = torch.stack([torch.ones(32).long(), 3 + word, torch.full((32,), 2)], 1)
    owner = torch.randperm(32, generator=generator)
    return images, ids[owner], owner


def test_the_bag_is_the_mean_of_the_embeddings_and_teaches_only_the_logits() -> None:
    embeddings = torch.eye(3).requires_grad_()
    lexicon = torch.tensor([[IMPOSSIBLE, 0.0, torch.tensor(3.0).log()]], requires_grad=True)
    bag = bag_of_words(lexicon, embeddings)
    torch.testing.assert_close(bag, torch.tensor([[0.0, 0.25, 0.75]]))
    (bag * torch.arange(3)).sum().backward()
    assert embeddings.grad is None
    assert lexicon.grad.abs().sum() > 0


@pytest.mark.parametrize("side", ["image", "text"])
def test_the_decoder_sees_the_bag_and_the_words_that_are_not_hidden(side: str) -> None:
    model, objective = make_model(), LexiconBottleneck((side,), share=0.5)
    head = objective.head(model)
    features = make_features(model, *word_batch(0))
    seen = []
    head.register_forward_hook(lambda module, given, states: seen.append((given, states)))
    torch.manual_seed(1)
    loss = objective(features, head)
    wanted = bag_of_words(getattr(features, side).lexicon, model.text.tower.tokens.weight)
    wanted = wanted if side == "text" else wanted[features.owner]
    given = torch.cat([bag for (_, _, _, bag), _ in seen])
    assert given.shape == wanted.shape
    torch.testing.assert_close(given.sum(0), wanted.sum(0))  # rows of like length came together, in another order
    words = torch.cat([ids[hidden] for (_, ids, hidden, _), _ in seen])
    assert (words >= 3).all()
    logits = model.lexicon.guesses(torch.cat([states for _, states in seen]))
    torch.testing.assert_close(loss, F.cross_entropy(logits, words))


def test_a_hidden_word_is_not_given_away() -> None:
    model = make_model()
    head, bag = LexiconBottleneck().head(model), torch.randn(1, WIDTH)
    hidden = torch.tensor([[False, True, False, False]])
    one, other = (torch.tensor([[1, word, 9, 2]]) for word in (5, 6))
    torch.testing.assert_close(head(model.text.tower, one, hidden, bag), head(model.text.tower, other, hidden, bag))
    assert not torch.equal(head(model.text.tower, one, hidden, bag), head(model.text.tower, one, hidden, bag + 1))


def test_a_picture_learns_to_say_what_fills_the_gaps_of_its_caption() -> None:
    model, objective = make_model(), LexiconBottleneck(share=0.9)
    head = objective.head(model)
    optimiser = torch.optim.Adam([*model.parameters(), *head.parameters()], 0.003)
    torch.manual_seed(0)
    for number in range(200):
        optimiser.zero_grad()
        objective(make_features(model, *word_batch(number)), head).backward()
        optimiser.step()
    images, ids, owner = word_batch(1000)
    with torch.no_grad():
        features = make_features(model, images, ids, owner)
        of_pictures = LexiconBottleneck(("image",), share=0.9)
        assert of_pictures(features, head) < 0.05
        wrong = make_features(model, images.roll(1, 0), ids, owner)
        assert of_pictures(wrong, head) > 1


def test_words_of_a_text_are_guessed_from_the_others() -> None:
    """Each text says one word three times: a hidden one can be known from those that are not."""
    model, objective = make_model(), LexiconWords(share=0.3)
    head = objective.head(model)
    optimiser = torch.optim.Adam([*model.parameters(), *head.parameters()], 0.01)
    generator = torch.Generator().manual_seed(0)
    torch.manual_seed(0)
    losses = []
    for _ in range(150):
        word = torch.randint(3, VOCABULARY, (32, 1), generator=generator)
        ids = torch.cat([torch.ones(32, 1).long(), word.expand(-1, 3), torch.full((32, 1), 2)], 1)
        optimiser.zero_grad()
        losses.append(objective(make_features(model, torch.zeros(32, PLACES, CHANNELS), ids, torch.arange(32)), head))
        losses[-1].backward()
        optimiser.step()
    # Of three words all are hidden one time in 37 (log 17 = 2.8 each), and the others tell.
    assert torch.stack(losses[-10:]).mean() < 0.6
    assert losses[0] > 2


def test_without_a_word_the_loss_is_zero_and_has_a_gradient() -> None:
    model = make_model()
    images, ids, owner = word_batch(0)
    for objective in (LexiconBottleneck(), LexiconWords()):
        loss = objective(make_features(model, images, torch.ones_like(ids), owner), objective.head(model))
        loss.backward()
        assert loss.item() == 0


def test_what_does_not_fit_is_said() -> None:
    with pytest.raises(InputError, match="set `lexicon` of its Towers"):
        LexiconWords().head(make_model(None))
    bag = Towers(MapTower(WIDTH), BagTower(WIDTH), 8, lexicon=Lexicon()).build((PLACES, CHANNELS), VOCABULARY, CONTEXT)
    with pytest.raises(InputError, match="transformer blocks, not BagOfWords"):
        LexiconBottleneck().head(bag)
    with pytest.raises(InputError, match="no share of the texts"):
        LexiconWords(texts=0.0)
    with pytest.raises(InputError, match="sides are"):
        LexiconBottleneck(("left",))
    with pytest.raises(InputError, match="choose one between 0 and 1"):
        LexiconWords(share=1.0)
