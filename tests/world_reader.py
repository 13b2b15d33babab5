"""Reads English captions of world A back into facts, sharing nothing with the grammar that wrote them."""

from __future__ import annotations

import re

from limner.data.world import WORLD_A, Object, Scene
from limner.data.world.worlds import SHADES

SAME = {
    "little": "small", "tiny": "small", "big": "large", "spotted": "dotted", "chequered": "checkered",
    "plain": "solid", "disc": "circle", "plus sign": "cross", "half moon": "crescent", "gray": "grey",
}  # fmt: skip
NUMBERS = {"a": 1, "an": 1, "no": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6}
FRAME = re.compile(
    r"^(a picture (?:of|with)|a drawing (?:of|with)|a scene with|an image with|this shows) "
    r"(?=(an?|no|one|two|three|four|five|six) )"
)
GROUND = re.compile(r" on an? (?:(plain|grainy) )?(\w+) (background|gradient)$")
DIRECTION = re.compile(r" (?:to the )?(left of|right of|above|over|below|under|beneath) ")


def read(text: str) -> list[tuple]:
    """("things", least, most, words) · ("relation", words, direction, words) · ("ground", colour, texture)."""
    text = FRAME.sub("", text)
    facts: list[tuple] = []
    if ground := GROUND.search(text):
        texture = "gradient" if ground[3] == "gradient" else ground[1]
        facts.append(("ground", SAME.get(ground[2], ground[2]), texture))
        text = text[: ground.start()]
    for part in re.split(r", | and ", text):
        sides = DIRECTION.split(part)
        if len(sides) == 3:
            way = {"over": "above", "under": "below", "beneath": "below"}.get(sides[1], sides[1])
            facts.append(("relation", _noun(sides[0])[2], way, _noun(sides[2])[2]))
        else:
            facts.append(("things", *_noun(part)))
    return facts


def _noun(text: str) -> tuple[int, int, frozenset[str]]:
    article, rest = text.split(" ", 1)
    for old, new in SAME.items():
        rest = re.sub(rf"\b{old}(?=e?s?\b)", new, rest)
    words = rest.split()
    last = words[-1]
    singular = next(noun for noun in (*WORLD_A.shapes, "object", "shape") if last in (noun, noun + "s", noun + "es"))
    known = {*WORLD_A.shapes, *SHADES, *WORLD_A.patterns, "small", "large"}
    assert set(words[:-1]) <= known, text
    number = NUMBERS[article]
    most = 99 if article in ("a", "an") else number
    assert (last == singular) == (number == 1) or number == 0, text
    return number, most, frozenset([*words[:-1], singular]) & known


def seen(fact: tuple, scene: Scene) -> bool:
    def like(words: frozenset[str]) -> list[Object]:
        return [t for t in scene.objects if words <= {t.shape, t.colour, t.pattern, t.size}]

    match fact:
        case ("ground", colour, texture):
            return scene.background.colour == colour and texture in (None, scene.background.texture)
        case ("things", least, most, words):
            return least <= len(like(words)) <= most
        case ("relation", first, way, second):
            axis, sign = {"left of": (0, -1), "right of": (0, 1), "above": (1, -1), "below": (1, 1)}[way]
            pairs = [(a.centre, b.centre) for a in like(first) for b in like(second) if a is not b]
            return any(
                sign * (a[axis] - b[axis]) > 0.1 and abs(a[axis] - b[axis]) > 0.99 * abs(a[1 - axis] - b[1 - axis])
                for a, b in pairs
            )
    raise AssertionError(fact)
