"""Whether a picture's heaviest words name what is drawn in it, also in words that none of its captions uses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from limner.core.errors import InputError
from limner.data.world import Object
from limner.data.world.languages.english import English
from limner.encode.tokenizer import Tokenizer
from limner.nn.blocks.word_weights import lexicon_of, word_weights
from limner.train.outcome import Measured, Outcome
from limner.train.trained import Trained

_Told: TypeAlias = tuple[float, int]
"""Whether something is named (1 or 0), and the row of its picture."""


@dataclass(frozen=True, slots=True)
class GroundedWords:
    """Of each object in the drawn scenes of at most `most` objects (of more, `k` words cannot tell):

        named          whether its colour and its shape are among the picture's `k` heaviest words
        by synonyms    whether another wording of its shape is ("disc" for a circle) that no caption of the
                       picture has; a wording of two words with both
        by chance      "named" by the words of another picture

    `asked`: the share that a claim compares with.
    """

    split: str = "test"
    k: int = 10
    most: int = 2
    asked: float = 0.8

    def __call__(self, trained: Trained) -> Outcome:
        corpus, tokenizer = trained.corpora.split(self.split), trained.tokenizer
        if not len(corpus.truth):
            raise InputError(f"{corpus.name}: what words name is told by drawn scenes with their truth")
        rows = [row for row, scene in enumerate(corpus.truth) if len(scene.objects) <= self.most]
        lexicon = lexicon_of(trained.encode_images(corpus.take(rows)))
        heaviest = [set(words) for words in word_weights(lexicon).topk(self.k).indices.tolist()]
        named, chance, synonyms = list[_Told](), list[_Told](), list[_Told]()
        for place, row in enumerate(rows):
            said = {word for text in corpus.texts[row] for word in tokenizer.words(text.text)}
            for thing in corpus.truth[row].objects:
                words = _tokens(thing.colour, tokenizer) | _tokens(English.lexicon[thing.shape][0], tokenizer)
                named.append((words <= heaviest[place], row))
                chance.append((words <= heaviest[place - 1], row))
                for other in other_wordings(thing, said, tokenizer):
                    synonyms.append((other <= heaviest[place], row))
        title = f"in the top {self.k} words"
        return {
            f"colour and shape {title}": _measured(named),
            f"colour and shape {title} by chance": _measured(chance),
            f"{self.asked:.0%} of the objects": _measured([(self.asked, row) for _, row in named]),
            f"unsaid synonym {title}": _measured(synonyms),
            f"{self.asked:.0%} of the synonyms": _measured([(self.asked, row) for _, row in synonyms]),
        }


def other_wordings(thing: Object, said: set[int], tokenizer: Tokenizer) -> Iterator[set[int]]:
    """The tokens of each wording of its shape that has several and of which no word was said."""
    wordings = sorted(set(English.lexicon[thing.shape]))
    for wording in wordings if len(wordings) > 1 else ():
        tokens = _tokens(wording, tokenizer)
        if not tokens & said:
            yield tokens


def _tokens(words: str, tokenizer: Tokenizer) -> set[int]:
    return set(tokenizer.words(words))


def _measured(told: list[_Told]) -> Measured:
    """Where nothing was to be told (few scenes), nothing was told right."""
    return Measured.of(*zip(*(told or [(False, 0)]), strict=True))
