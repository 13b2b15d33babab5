"""English."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from limner.data.world.facts import Backdrop, Count, Exists, Fact, Kind, Located, Related, Written
from limner.data.world.languages.language import Language, as_sentence, is_none, join, split_backdrop

_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_SAME = (
    "square", "triangle", "star", "hexagon", "ring", "heart", "diamond", "oval", "pentagon", "arrow", "drop",
    "trapezoid", "semicircle", "hourglass", "red", "orange", "yellow", "green", "blue", "purple", "pink", "brown",
    "black", "white", "teal", "navy", "maroon", "olive", "beige", "turquoise", "magenta", "lavender", "gold", "lime",
    "silver", "striped", "zigzag", "latticed", "ringed",
)  # fmt: skip


class English(Language):
    code = "en"
    vague = ("a picture", "some things", "an image of something", "a nice drawing", "shapes")
    lexicon: ClassVar = {word: (word,) for word in _SAME} | {
        "object": ("shape", "object"),
        "circle": ("circle", "circle", "disc"),
        "cross": ("cross", "plus sign"),
        "crescent": ("crescent", "crescent", "half moon"),
        "bolt": ("lightning bolt", "bolt"),
        "grey": ("grey", "gray"),
        "solid": ("solid", "plain"),
        "dotted": ("dotted", "spotted"),
        "checkered": ("checkered", "chequered"),
        "small": ("small", "small", "little", "tiny"),
        "large": ("large", "large", "big"),
        "left of": ("to the left of", "left of"),
        "right of": ("to the right of", "right of"),
        "above": ("above", "over"),
        "below": ("below", "under", "beneath"),
        "top left": ("in the upper left", "in the top left corner"),
        "top": ("at the top",),
        "top right": ("in the upper right", "in the top right corner"),
        "left": ("on the left",),
        "middle": ("in the middle", "in the centre"),
        "right": ("on the right",),
        "bottom left": ("in the lower left", "in the bottom left corner"),
        "bottom": ("at the bottom",),
        "bottom right": ("in the lower right", "in the bottom right corner"),
        "plain": ("plain {} background",),
        "gradient": ("{} gradient",),
        "grainy": ("grainy {} background",),
        "tiled": ("tiled {} background",),
        "rippled": ("rippled {} background",),
        "cloudy": ("cloudy {} background",),
        "none are": (1, 2),  # "no star" or "no stars"
        "frame": (
            "{}", "{}", "{}", "a picture of {}", "a drawing of {}", "a scene with {}", "an image with {}",
            "this shows {}",
        ),
        "there is": ("there is {}", "the picture shows {}", "one can see {}", "we see {}"),
        "where": ("{thing} is {place}", "{place} there is {thing}", "there is {thing} {place}"),
        "how": ("{thing} is {direction} {other}", "{direction} {other} there is {thing}"),
    }  # fmt: skip

    def phrase(self, facts: Sequence[Fact]) -> str:
        things, backdrops = split_backdrop(facts)
        if not things:
            return join([self._noun_phrase(fact) for fact in backdrops], ", ", " and ")
        places = ["on " + self._noun_phrase(fact) for fact in backdrops]
        frame = self.way["frame"].replace(" of ", " with ") if is_none(things[0]) else self.way["frame"]
        return frame.format(" ".join([join([self._noun_phrase(fact) for fact in things], ", ", " and "), *places]))

    def sentence(self, fact: Fact) -> str:
        match fact:
            case Located(kind, place):
                return as_sentence(self.way["where"].format(thing=self._a(kind), place=self.way[place]))
            case Related(subject, direction, other):
                text = self.way["how"].format(
                    thing=self._a(subject), direction=self.way[direction], other=self._a(other)
                )
            case Count(_, number) if number > 1:
                text = f"there are exactly {self._noun_phrase(fact)}"
            case Count(_, 1):
                text = f"there is exactly {self._noun_phrase(fact)}"
            case Count():
                text = f"there {('is', 'are')[self.way['none are'] - 1]} {self._noun_phrase(fact)}"
            case Backdrop():
                text = f"the background is {self._noun_phrase(fact)}".removesuffix(" background")
                if fact.texture != "gradient":
                    text = text.replace(" is a ", " is ").replace(" is an ", " is ")
            case Written(word):
                text = f'the word "{word}" is written in the picture'
            case _:
                text = self.way["there is"].format(self._noun_phrase(fact))
        return as_sentence(text)

    def _noun_phrase(self, fact: Fact) -> str:
        match fact:
            case Exists(kind):
                return self._a(kind)
            case Count(kind, 0):
                return "no " + self._noun(kind, self.way["none are"])
            case Count(kind, number):
                return f"{_NUMBERS[number] if number < len(_NUMBERS) else number} {self._noun(kind, number)}"
            case Located(kind, place):
                return f"{self._a(kind)} {self.way[place]}"
            case Related(subject, direction, other):
                return f"{self._a(subject)} {self.way[direction]} {self._a(other)}"
            case Backdrop(colour, texture):
                frame = self.way[texture] if texture else "{} background"
                return _article(frame.format(self.way[colour]))
            case Written(word):
                return f'the word "{word}"'

    def _a(self, kind: Kind) -> str:
        return _article(self._noun(kind, 1))

    def _noun(self, kind: Kind, number: int) -> str:
        noun = self.way[kind.shape or "object"]
        words = [self.way[word] for word in (kind.size, kind.pattern, kind.colour) if word]
        return " ".join([*words, noun if number == 1 else _plural(noun)])


def _article(noun: str) -> str:
    return ("an " if noun[0] in "aeiou" else "a ") + noun


def _plural(noun: str) -> str:
    return noun + ("es" if noun.endswith("s") else "s")
