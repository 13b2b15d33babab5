"""Whether the place that is matched with a word shows the object that the word names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from limner.core.errors import InputError
from limner.core.features import Encoded
from limner.core.types import Integers
from limner.data.corpus import Corpus
from limner.data.world import Scene
from limner.nn.blocks.tokens import word_mask
from limner.objectives.token_matching import STRICT, assign
from limner.train.batches import pad
from limner.train.evaluations.pointing import object_places, place_vectors
from limner.train.outcome import Measured, Outcome
from limner.train.trained import Trained


@dataclass(frozen=True, slots=True)
class MatchedWords:
    """The share of the words naming a colour or a shape, one token each, whose place is one of an object that has it.

    Words and places are matched one to one (see `assign`), as vectors of the common space, whether or not the model
    was trained on them. Texts must not name colours of the background. "By chance": the share of the places that
    are right.
    """

    split: str = "test"

    def __call__(self, trained: Trained) -> Outcome:
        corpus = trained.corpora.split(self.split)
        owner, texts, words = words_of(trained, corpus)
        places = place_vectors(trained, trained.encode_images(corpus))[torch.from_numpy(owner)]
        chosen = assign(words.tokens @ places.transpose(1, 2), word_mask(words), STRICT).numpy()
        return on_their_object(trained, corpus, owner, texts, chosen, places.shape[1], "matched words")


def words_of(trained: Trained, corpus: Corpus) -> tuple[Integers, list[str], Encoded]:
    """Of all texts: the picture's row, the text, its words in the common space, whether or not they were trained."""
    owner = np.array([row for row, texts in enumerate(corpus.texts) for _ in texts])
    texts = [text.text for some in corpus.texts for text in some]
    encoded = trained.encode_texts(texts)
    with torch.no_grad():
        tokens = trained.model.text.tokens(encoded.states).cpu()
    mask = None if encoded.mask is None else encoded.mask.cpu()
    return owner, texts, Encoded(encoded.vectors.cpu(), encoded.group.cpu(), tokens=tokens, mask=mask)


def on_their_object(
    trained: Trained, corpus: Corpus, owner: Integers, texts: Sequence[str], chosen: Integers, places: int, what: str
) -> Outcome:
    """Whether the place of each word, `chosen` (texts, words), is one of an object that has what the word names."""
    covered = object_places(corpus, places)
    ids = pad([trained.tokenizer.encode(text) for text in texts])
    named = {int(one): trained.tokenizer.decode([int(one)]) for one in ids.unique()}
    values, chance, picture = [], [], []
    for row, picture_row in enumerate(owner):
        for position in ids[row].nonzero().flatten().tolist():
            word = named[int(ids[row, position])]
            if objects := objects_with(word, corpus.truth[picture_row]):
                right = covered[picture_row][objects].any(0)
                values.append(right[chosen[row, position]])
                chance.append(right.mean())
                picture.append(picture_row)
    if not values:
        raise InputError(f"{corpus.name}: no word of its texts is the colour or the shape of an object")
    return {
        f"{what} on their object": Measured.of(values, picture),
        f"{what} on their object by chance": Measured.of(chance, picture),
    }


def objects_with(word: str, scene: Scene) -> list[int]:
    """Positions of the objects whose colour or shape this is, a plain plural included."""
    return [
        position
        for position, thing in enumerate(scene.objects)
        if {word, word.removesuffix("s")} & {thing.colour, thing.shape}
    ]
