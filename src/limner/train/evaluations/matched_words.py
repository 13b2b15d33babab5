"""Whether the place that is matched with a word shows the object that the word names."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from limner.core.errors import InputError
from limner.data.world import Scene
from limner.objectives.token_matching import STRICT, assign
from limner.objectives.tokens import word_mask
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
        owner = np.array([row for row, texts in enumerate(corpus.texts) for _ in texts])
        texts = [text.text for some in corpus.texts for text in some]
        places = place_vectors(trained, trained.encode_images(corpus))[torch.from_numpy(owner)]
        encoded = trained.encode_texts(texts)
        with torch.no_grad():
            words = trained.model.text.project_states(encoded.states).cpu()
        chosen = assign(words @ places.transpose(1, 2), word_mask(encoded.replace(tokens=words)).cpu(), STRICT).numpy()
        covered = object_places(corpus, places.shape[1])
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
            "matched words on their object": Measured.of(values, picture),
            "matched words on their object by chance": Measured.of(chance, picture),
        }


def objects_with(word: str, scene: Scene) -> list[int]:
    """Positions of the objects whose colour or shape this is, a plain plural included."""
    return [
        position
        for position, thing in enumerate(scene.objects)
        if {word, word.removesuffix("s")} & {thing.colour, thing.shape}
    ]
