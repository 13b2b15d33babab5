"""Lexicon heads: which words can weigh anything, from which positions, and what is kept when exported."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from limner.nn.blocks.word_weights import FIRST_WORD, IMPOSSIBLE, heaviest, lexical_vectors, word_weights
from limner.nn.heads.lexicon import LENGTH, Lexicon
from limner.nn.towers.map_transformer import MapTower
from limner.nn.towers.text_transformer import TextTower
from limner.nn.two_towers import Towers, TwoTowers

VOCABULARY, CONTEXT = 50, 9


def model(keep: int = 4) -> TwoTowers:
    torch.manual_seed(0)
    towers = Towers(MapTower(20), TextTower(16, 1, 2), 8, lexicon=Lexicon(keep, 2 * keep))
    return towers.build((4, 6), VOCABULARY, CONTEXT).eval()


def test_weights_are_the_saturated_maximum() -> None:
    lexicon = torch.tensor([[IMPOSSIBLE, -2.0, 0.0, 1.0, 3.0]])
    torch.testing.assert_close(word_weights(lexicon), torch.tensor([[0.0, 0.0, 0.0, 0.693147, 1.386294]]))
    torch.testing.assert_close(lexical_vectors(lexicon).norm(), torch.tensor(1.0))
    assert lexical_vectors(torch.full((2, 5), -1.0)).abs().sum() == 0


def test_each_side_is_the_maximum_over_its_real_positions() -> None:
    one = model()
    heads = one.lexicon
    ids = torch.tensor([[1, 7, 9, 2, 0, 0], [1, 8, 2, 0, 0, 0]])
    encoded = one.encode_text(ids, torch.arange(2))
    for row, length in enumerate((4, 3)):
        states, _ = one.text.tower(ids[row : row + 1, :length])
        words = heads.unit * heads.words
        near = heads.text(states, states.mean(1))[0]
        logits = (near + heads.own * words[ids[row, :length]]) @ words.T
        torch.testing.assert_close(encoded.lexicon[row, FIRST_WORD:], logits.amax(0)[FIRST_WORD:] + heads.text_bias)
    seen = one.encode_image(torch.randn(3, 4, 6), torch.arange(3))
    logits = (heads.image(seen.states, seen.latent) @ words.T)[..., FIRST_WORD:] + heads.image_bias
    torch.testing.assert_close(seen.lexicon[:, FIRST_WORD:], logits.amax(1))


def test_a_hidden_word_is_guessed_from_its_state_alone() -> None:
    heads = model().lexicon
    states = torch.randn(3, 16)
    wanted = (heads.unit * heads.text(states) @ heads.words.T)[:, FIRST_WORD:] + heads.text_bias
    torch.testing.assert_close(heads.guesses(states)[:, FIRST_WORD:], wanted)


def test_what_is_no_word_cannot_weigh_anything() -> None:
    one = model()
    with torch.no_grad():
        one.lexicon.words[:FIRST_WORD] = 100.0
    encoded = one.encode_text(torch.tensor([[1, 7, 2, 0]]), torch.arange(1))
    assert (encoded.lexicon[:, :FIRST_WORD] == IMPOSSIBLE).all()


def test_padding_says_nothing() -> None:
    one = model()
    short = one.encode_text(torch.tensor([[1, 7, 2]]), torch.arange(1)).lexicon
    long = one.encode_text(torch.tensor([[1, 7, 2, 0, 0], [1, 5, 6, 7, 2]]), torch.arange(2)).lexicon
    torch.testing.assert_close(short[0], long[0])


def test_a_new_text_is_its_own_words() -> None:
    one = model()
    words = torch.randint(FIRST_WORD, VOCABULARY, (20, 5), generator=torch.Generator().manual_seed(1))
    ids = torch.cat([torch.full((20, 1), 1), words, torch.full((20, 1), 2)], 1)
    lexicon = one.encode_text(ids, torch.arange(20)).lexicon
    own = torch.zeros_like(lexicon, dtype=torch.bool).scatter(1, words, True)
    assert (lexicon > 0)[own].float().mean() > 0.9
    assert word_weights(lexicon)[own].mean() > 3 * word_weights(lexicon)[~own].mean()


def test_both_sides_learn_the_words_and_leave_those_that_the_text_tower_reads() -> None:
    one = model()
    one.encode_image(torch.randn(2, 4, 6), torch.arange(2)).lexicon[:, FIRST_WORD:].sum().backward()
    assert one.lexicon.words.grad.abs().sum() > 0
    one.zero_grad()
    one.encode_text(torch.tensor([[1, 7, 2]]), torch.arange(1)).lexicon[:, FIRST_WORD:].sum().backward()
    assert one.lexicon.words.grad.abs().sum() > 0
    read = one.text.tower.tokens.weight.grad.abs().sum(1) > 0
    assert read.nonzero()[:, 0].tolist() == [1, 2, 7]


@given(st.integers(1, 12), st.integers(0, 100))
def test_the_heaviest_are_kept(keep: int, seed: int) -> None:
    weights = torch.rand(3, 8, generator=torch.Generator().manual_seed(seed))
    kept = heaviest(weights, keep)
    assert ((kept > 0).sum(1) == min(keep, 8)).all()
    assert torch.equal(kept.topk(min(keep, 8)).values, weights.topk(min(keep, 8)).values)
    assert torch.equal(kept[kept > 0], weights[kept > 0])


def test_a_place_is_read_together_with_the_whole_picture() -> None:
    one = model()
    transform, states = one.lexicon.image, torch.randn(2, 4, 20)
    whole = torch.randn(2, 40)
    wanted = [
        [transform.norm(F.gelu(transform.state(place) + transform.whole(picture))) for place in places]
        for places, picture in zip(states, whole, strict=True)
    ]
    torch.testing.assert_close(transform(states, whole), torch.stack([torch.stack(row) for row in wanted]))


def test_exported_rows_have_few_words_and_one_length() -> None:
    one = model(keep=4)
    lexicon = torch.rand(5, VOCABULARY)
    for exported, most in ((one.lexicon.exported_pictures(lexicon), 4), (one.lexicon.exported_texts(lexicon), 8)):
        assert ((exported > 0).sum(1) == most).all()
        torch.testing.assert_close(exported.norm(dim=1), torch.full((5,), LENGTH))
