"""Captions of scenes: facts put into words, as records that know what they state and of which objects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from limner.core.errors import InputError
from limner.data.world import planning
from limner.data.world.facts import Backdrop, Fact
from limner.data.world.languages import language as speaking
from limner.data.world.planning import PLANNERS, Style
from limner.data.world.scene import Scene

_PLAIN = ("coarse", "label")  # always in the same words, so that equal facts are equal texts
_VARIETY: tuple[Style, ...] = (
    "full", "short", "short", "short", "partial", "relation", "relation", "count", "negated",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Caption:
    """A text and the facts that it states, all of them joined by "and"."""

    text: str
    facts: tuple[Fact, ...]
    objects: tuple[int, ...] = ()
    """The positions in `Scene.objects` of those of which it speaks, in the order in which they are named."""
    language: str = "en"
    style: Style = "short"
    voice: int | None = None
    """Which wording was chosen (see Language)."""

    def truth(self, scene: Scene) -> bool | None:
        """True: all facts are; False: one is false; None: neither is beyond dispute."""
        truths = [fact.truth(scene) for fact in self.facts]
        return False if False in truths else None if None in truths else True


def say(
    facts: Sequence[Fact], scene: Scene, *, language: str = "en", style: Style = "short", voice: int | None = None
) -> Caption:
    """These facts in words, true or not: one line, or for the styles "long" and "sentence" a sentence each."""
    if style in ("long", "sentence"):
        text = speaking(language).between.join(_sentences(facts, language, voice))
    else:
        text = speaking(language, voice).phrase(facts)
    return Caption(text, tuple(facts), _named(facts, scene), language, style, voice)


def describe(scene: Scene, rng: Random, style: Style = "short", language: str = "en") -> Caption:
    """A true caption.

    "full" tells of all objects, "short" of one, "partial" of two, "relation", "count" and "negated" say what their
    names say. "coarse" says so little that many scenes share it and "label" names an object, both always in the
    same words. A scene that has no relation beyond dispute or no second object gets a "short" one instead. For
    "long" and "sentence" see `long_description`. Raises InputError for another style or language.
    """
    if style == "long":
        return long_description(scene, rng, language=language)
    if style not in PLANNERS:
        raise InputError(f"caption style {style!r}: choose {', '.join(PLANNERS)} or long")
    facts = PLANNERS[style](scene, rng)
    if not facts:
        style, facts = "short", planning.short(scene, rng)
    voice = None if style in _PLAIN else rng.getrandbits(32)
    return say(facts, scene, language=language, style=style, voice=voice)


def long_description(scene: Scene, rng: Random, *, language: str = "en", sentences: int = 12) -> Caption:
    """A description of so many sentences in random order (in English about ten words each).

    There is one for every object, for the background and the writing, so it may be longer; relations, counts and
    absences fill it up, as far as the scene has them. `sentences_of` takes it apart. Objects' patterns and sizes
    and the background's texture are told in one sentence only: descriptions of two scenes that differ in one of
    these, with the same state of `rng`, differ in one sentence (unless that makes two objects alike).
    """
    facts = planning.long(scene, rng, sentences)
    return say(facts, scene, language=language, style="long", voice=rng.getrandbits(32))


def sentences_of(caption: Caption, scene: Scene) -> tuple[Caption, ...]:
    """Each sentence of a long description as a caption of its own, which names its own objects."""
    texts = _sentences(caption.facts, caption.language, caption.voice)
    return tuple(
        Caption(text, (fact,), _named([fact], scene), caption.language, "sentence", _own(caption.voice, position))
        for position, (text, fact) in enumerate(zip(texts, caption.facts, strict=True))
    )


def translate(caption: Caption, scene: Scene, language: str) -> Caption:
    """The same facts in another language ("en", "de", "fr", "zh"; else InputError)."""
    return say(caption.facts, scene, language=language, style=caption.style, voice=caption.voice)


def parallel(
    scene: Scene, rng: Random, style: Style = "short", languages: Sequence[str] = ("en", "de", "fr", "zh")
) -> tuple[Caption, ...]:
    """One caption, in each of the languages."""
    first = describe(scene, rng, style, languages[0])
    return (first, *(translate(first, scene, language) for language in languages[1:]))


def paraphrases(scene: Scene, rng: Random, style: Style = "full", language: str = "en") -> tuple[Caption, Caption]:
    """The same facts in two different wordings.

    The order of things differs where there are two or more. Raises InputError for the styles that always have the
    same words.
    """
    if style in _PLAIN:
        raise InputError(f"a {style} caption has one wording only: choose another style")
    while True:
        first = describe(scene, rng, style, language)
        for _ in range(20):
            things = [fact for fact in first.facts if not isinstance(fact, Backdrop)]
            rng.shuffle(things)
            facts = things + [fact for fact in first.facts if isinstance(fact, Backdrop)]
            second = say(facts, scene, language=language, style=first.style, voice=rng.getrandbits(32))
            if second.text != first.text:
                return first, second


def full_captions(scene: Scene, rng: Random, n: int = 5, language: str = "en") -> list[Caption]:
    """`n` (1 to 50, else InputError) different true captions; the first tells the most."""
    if not 1 <= n <= 50:
        raise InputError(f"{n} captions of a scene: choose 1 to 50")
    chosen: dict[str, Caption] = {}
    plan: list[Style] = ["full", "relation"]
    while len(chosen) < n:
        caption = describe(scene, rng, plan.pop(0) if plan else rng.choice(_VARIETY), language)
        chosen.setdefault(caption.text, caption)
    return list(chosen.values())


def captions(scene: Scene, rng: Random, n: int = 5, language: str = "en") -> list[str]:
    """The texts of `full_captions`."""
    return [caption.text for caption in full_captions(scene, rng, n, language)]


def with_facts(caption: Caption, facts: Sequence[Fact], scene: Scene) -> Caption:
    """Other facts in the same language, style and wording."""
    return say(facts, scene, language=caption.language, style=caption.style, voice=caption.voice)


def _sentences(facts: Sequence[Fact], language: str, voice: int | None) -> list[str]:
    return [speaking(language, _own(voice, position)).sentence(fact) for position, fact in enumerate(facts)]


def _own(voice: int | None, position: int) -> int | None:
    """The wording of one sentence among others, so that they do not all begin alike."""
    return None if voice is None else voice + position


def _named(facts: Sequence[Fact], scene: Scene) -> tuple[int, ...]:
    return tuple(dict.fromkeys(position for fact in facts for position in fact.objects(scene)))
