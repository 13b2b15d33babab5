"""A small grammar of English captions: true ones, and ones that are wrong in exactly one fact."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from random import Random

from limner.core.errors import InputError
from limner.data.world.facts import Backdrop, Count, Exists, Fact, Kind, Related, kind_of
from limner.data.world.scene import BACKGROUND_COLOURS, OBJECT_COLOURS, OPPOSITE, PATTERNS, SHAPES, SIZES, Scene

_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_SYNONYMS = {
    "small": ("small", "small", "little", "tiny"),
    "large": ("large", "large", "big"),
    "dotted": ("dotted", "spotted"),
    "checkered": ("checkered", "chequered"),
    "solid": ("solid", "plain"),
    "circle": ("circle", "circle", "disc"),
    "cross": ("cross", "plus sign"),
    "crescent": ("crescent", "crescent", "half moon"),
    "grey": ("grey", "gray"),
    "left of": ("left of", "to the left of"),
    "right of": ("right of", "to the right of"),
    "above": ("above", "over"),
    "below": ("below", "under", "beneath"),
}
_GROUNDS = {
    None: "{} background",
    "plain": "plain {} background",
    "gradient": "{} gradient",
    "grainy": "grainy {} background",
}
_FRAMES = (
    "{}",
    "{}",
    "{}",
    "a picture of {}",
    "a drawing of {}",
    "a scene with {}",
    "an image with {}",
    "this shows {}",
)
_VALUES: dict[str, Sequence[str]] = {
    "shape": SHAPES,
    "colour": OBJECT_COLOURS,
    "pattern": PATTERNS,
    "size": SIZES,
}


@dataclass(frozen=True, slots=True)
class Caption:
    """A sentence and the facts that it states, all of them joined by "and"."""

    text: str
    facts: tuple[Fact, ...]

    def truth(self, scene: Scene) -> bool | None:
        """True: all facts are; False: one is false; None: neither is beyond dispute."""
        truths = [fact.truth(scene) for fact in self.facts]
        return False if False in truths else None if None in truths else True


@dataclass(frozen=True, slots=True)
class WrongCaption:
    """A caption that is false because one word of it was changed; `right` is the caption before."""

    text: str
    changed: str
    """"shape", "colour", "pattern", "size", "count", "relation" or "background"."""
    right: str


def captions(scene: Scene, rng: Random, n: int = 5) -> list[str]:
    """`n` (1 to 50, else InputError) different true captions; the first tells the most."""
    return [caption.text for caption in full_captions(scene, rng, n)]


def full_captions(scene: Scene, rng: Random, n: int = 5) -> list[Caption]:
    """As `captions`, with the facts that each states."""
    if not 1 <= n <= 50:
        raise InputError(f"{n} captions of a scene: choose 1 to 50")
    chosen: dict[str, Caption] = {}
    plan: list[_Planner] = [_everything]
    if scene.relations:
        plan.append(_relation)
    while len(chosen) < n:
        planner = plan.pop(0) if plan else rng.choice(_PLANNERS)
        facts = planner(scene, rng)
        if facts:
            caption = Caption(Wording(rng).phrase(facts), tuple(facts))
            chosen.setdefault(caption.text, caption)
    return list(chosen.values())


def wrong_caption(scene: Scene, rng: Random) -> WrongCaption:
    """A caption that was true until one of its facts was changed in one place."""
    while True:
        facts = rng.choice(_PLANNERS)(scene, rng)
        if not facts:
            continue
        place = rng.randrange(len(facts))
        altered, changed = _alter(facts[place], rng)
        if altered.truth(scene) is not False:
            continue
        wording = Wording(rng)
        wrong = [*facts[:place], altered, *facts[place + 1 :]]
        return WrongCaption(wording.phrase(wrong), changed, wording.phrase(facts))


class Wording:
    """One choice among the ways of saying the same, kept through a sentence."""

    def __init__(self, rng: Random) -> None:
        self._frame = rng.choice(_FRAMES)
        self._object = rng.choice(("object", "shape"))
        self._none_are = rng.choice((1, 2))  # "no star" or "no stars"
        self._words = {word: rng.choice(ways) for word, ways in _SYNONYMS.items()}

    def phrase(self, facts: Sequence[Fact]) -> str:
        """The facts as one line of English."""
        things = [self._say(fact) for fact in facts if not isinstance(fact, Backdrop)]
        places = ["on " + self._say(fact) for fact in facts if isinstance(fact, Backdrop)]
        listed = ", ".join(things[:-1]) + " and " * (len(things) > 1) + things[-1]
        frame = self._frame.replace(" of ", " with ") if listed.startswith("no ") else self._frame
        return frame.format(" ".join([listed, *places]))

    def _say(self, fact: Fact) -> str:
        match fact:
            case Exists(kind):
                return _article(self._noun(kind, 1))
            case Count(kind, 0):
                return "no " + self._noun(kind, self._none_are)
            case Count(kind, number):
                return f"{_NUMBERS[number]} {self._noun(kind, number)}"
            case Related(subject, direction, other):
                return f"{_article(self._noun(subject, 1))} {self._word(direction)} {_article(self._noun(other, 1))}"
            case Backdrop(colour, texture):
                return _article(_GROUNDS[texture].format(self._word(colour)))

    def _noun(self, kind: Kind, number: int) -> str:
        noun = self._word(kind.shape) if kind.shape else self._object
        words = [self._word(word) for word in (kind.size, kind.pattern, kind.colour) if word]
        return " ".join([*words, noun if number == 1 else _plural(noun)])

    def _word(self, word: str) -> str:
        return self._words.get(word, word)


def _article(noun: str) -> str:
    return ("an " if noun[0] in "aeiou" else "a ") + noun


def _plural(noun: str) -> str:
    return noun + ("es" if noun.endswith("s") else "s")


_Planner = Callable[[Scene, Random], list[Fact]]


def _some_kind(scene: Scene, rng: Random) -> Kind:
    """A description of one object by its shape and maybe more, or by its colour alone."""
    thing = rng.choice(scene.objects)
    attributes = ["shape"] if rng.random() < 0.9 else []
    attributes += ["colour"] if not attributes or rng.random() < 0.85 else []
    attributes += [name for name, share in (("pattern", 0.35), ("size", 0.3)) if rng.random() < share]
    return kind_of(thing, *attributes)


def _everything(scene: Scene, rng: Random) -> list[Fact]:
    """All objects, like ones together, in the order of reading, often with the background."""
    attributes = ["shape", "colour", *(name for name in ("pattern", "size") if rng.random() < 0.5)]
    in_order = sorted(scene.objects, key=lambda thing: (round(thing.centre[1] * 3), thing.centre[0]))
    kinds = dict.fromkeys(kind_of(thing, *attributes) for thing in in_order)
    facts: list[Fact] = []
    for kind in kinds:
        number = len(kind.among(scene))
        facts.append(Exists(kind) if number == 1 else Count(kind, number))
    return facts + _backdrop(scene, rng, 0.6)


def _short(scene: Scene, rng: Random) -> list[Fact]:
    return [Exists(_some_kind(scene, rng)), *_backdrop(scene, rng, 0.2)]


def _partial(scene: Scene, rng: Random) -> list[Fact]:
    """Two different objects of several."""
    if len(scene.objects) < 2:
        return []
    pair = rng.sample(scene.objects, 2)
    kinds = dict.fromkeys(kind_of(thing, "shape", "colour") for thing in pair)
    return [Exists(kind) for kind in kinds] + _backdrop(scene, rng, 0.2)


def _relation(scene: Scene, rng: Random) -> list[Fact]:
    if not scene.relations:
        return []
    relation = rng.choice(scene.relations)
    extra = [name for name in ("pattern", "size") if rng.random() < 0.2]
    subject, other = (
        kind_of(scene.objects[position], "shape", "colour", *extra) for position in (relation.subject, relation.other)
    )
    return [Related(subject, relation.direction, other), *_backdrop(scene, rng, 0.2)]


def _count(scene: Scene, rng: Random) -> list[Fact]:
    thing = rng.choice(scene.objects)
    attributes = rng.choice(((), ("shape",), ("colour",), ("shape", "colour"), ("pattern",), ("size",)))
    kind = kind_of(thing, *attributes)
    return [Count(kind, len(kind.among(scene)))]


def _absence(scene: Scene, rng: Random) -> list[Fact]:
    """Something that is there, and something that is not."""
    missing = rng.choice(
        [Kind(colour=colour) for colour in OBJECT_COLOURS]
        + [Kind(shape=shape) for shape in SHAPES]
        + [Kind(shape=shape, colour=rng.choice(OBJECT_COLOURS)) for shape in SHAPES]
    )
    if missing.among(scene):
        return []
    return [*([Exists(_some_kind(scene, rng))] if rng.random() < 0.6 else []), Count(missing, 0)]


def _backdrop(scene: Scene, rng: Random, share: float) -> list[Fact]:
    if rng.random() >= share:
        return []
    background = scene.background
    return [Backdrop(background.colour, background.texture if rng.random() < 0.4 else None)]


_PLANNERS: tuple[_Planner, ...] = (
    _everything, _short, _short, _short, _partial, _relation, _relation, _count, _absence,
)  # fmt: skip


def _alter(fact: Fact, rng: Random) -> tuple[Fact, str]:
    """The fact with one thing in it changed, and the name of what changed."""
    match fact:
        case Exists(kind):
            altered, name = _alter_kind(kind, rng)
            return Exists(altered), name
        case Count(kind, 0):
            altered, name = _alter_kind(kind, rng)
            return Count(altered, 0), name
        case Count(kind, number):
            return Count(kind, rng.choice([other for other in range(1, 5) if other != number])), "count"
        case Related(subject, direction):
            if rng.random() < 0.5:
                return replace(fact, direction=OPPOSITE[direction]), "relation"
            altered, name = _alter_kind(subject, rng)
            return replace(fact, subject=altered), name
        case Backdrop(colour, texture):
            choices = [name for name in BACKGROUND_COLOURS if name != colour]
            return Backdrop(rng.choice(choices), texture), "background"


def _alter_kind(kind: Kind, rng: Random) -> tuple[Kind, str]:
    name = rng.choice([name for name in _VALUES if getattr(kind, name)])
    value = rng.choice([value for value in _VALUES[name] if value != getattr(kind, name)])
    return kind.but(**{name: value}), name
