"""Noise in captions at chosen rates, with the truth about each: for methods that must find or survive it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from random import Random
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from limner.core.errors import InputError
from limner.data.world.captions import Caption, with_facts
from limner.data.world.facts import Count, Exists, Fact, Kind, Located, Related
from limner.data.world.languages import LANGUAGES
from limner.data.world.scene import Scene
from limner.data.world.worlds import ATTRIBUTES
from limner.data.world.wrong import falsify

Trouble: TypeAlias = Literal["mismatched", "vague", "missing", "wrong", "distracted"]

_DISTRACTORS = (
    "IMG_{:04d}", "buy now", "free shipping", "photo by user{:03d}", "page {:d}", "HD", "wallpaper", "#{:04d}", "click",
    "ref {:05d}", "new 2024", "jpg", "top {:d}", "stock", "copyright",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Noise:
    """The share of captions with each trouble; a caption has one at most. Raises InputError for a sum above 1."""

    mismatched: float = 0.0
    """The text of another scene."""
    vague: float = 0.0
    """A text that says nothing."""
    missing: float = 0.0
    """Some facts left out, or where there is one fact only, attributes of it."""
    wrong: float = 0.0
    """One fact false. In one language of a parallel set this is an error of translation."""
    distracted: float = 0.0
    """Two to five words added that have nothing to do with the picture."""

    def __post_init__(self) -> None:
        rates = [getattr(self, field.name) for field in fields(self)]
        if min(rates) < 0 or sum(rates) > 1 + 1e-9:
            raise InputError(f"noise rates {rates}: choose shares of at least 0 that sum to 1 at most")


@dataclass(frozen=True, slots=True)
class NoisyCaption:
    caption: Caption
    """What the method gets to see. Its facts and objects are those that its text states of this row's scene."""
    trouble: Trouble | None
    source: int
    """The row of the scene that the text was written for: another row's where mismatched, else its own."""
    clean: Caption
    """This row's own caption, without noise."""


def add_noise(captions: Sequence[Caption], scenes: Sequence[Scene], noise: Noise, seed: int) -> list[NoisyCaption]:
    """The captions (one a scene) with exactly round(share x n) of each trouble, on different rows drawn by `seed`.

    Mismatched rows exchange captions among themselves so that none keeps its own; a single one cannot, so 1 becomes
    2 (0 where there is one row). A caption in which nothing can be false, or from which nothing can be left out,
    stays clean where that was meant.
    """
    if len(captions) != len(scenes):
        raise InputError(f"{len(captions)} captions of {len(scenes)} scenes: give one caption a scene")
    rng = Random(f"noise {seed}")
    sources = mismatch(len(captions), noise.mismatched, seed)
    kept = [row for row, source in enumerate(sources) if source == row]
    rng.shuffle(kept)
    trouble: dict[int, Trouble] = {}
    others: tuple[Trouble, ...] = ("vague", "missing", "wrong", "distracted")
    for name in others:
        number = min(len(kept), round(getattr(noise, name) * len(captions)))
        trouble |= dict.fromkeys(kept[:number], name)
        kept = kept[number:]
    found = []
    for row, (clean, scene) in enumerate(zip(captions, scenes, strict=True)):
        source = int(sources[row])
        if source != row:
            other = captions[source]
            heard = replace(other, objects=with_facts(other, other.facts, scene).objects)
            found.append(NoisyCaption(heard, "mismatched", source, clean))
        else:
            heard = _HARM[trouble[row]](clean, scene, rng) if row in trouble else clean
            found.append(NoisyCaption(heard, trouble[row] if heard is not clean else None, row, clean))
    return found


def mismatch(n: int, rate: float, seed: int) -> npt.NDArray[np.int64]:
    """(n,): whose text each row gets: its own, but for round(rate x n) rows, which form one cycle (Sattolo 1986).

    Raises InputError for a rate outside 0 to 1.
    """
    if not 0 <= rate <= 1:
        raise InputError(f"{rate} of the pairs mismatched: choose a share from 0 to 1")
    number = round(rate * n)
    number = min(n, 2) if number == 1 else number
    if number < 2:
        return np.arange(n)
    chosen = np.random.default_rng([seed, n]).permutation(n)[:number]
    sources = np.arange(n)
    sources[chosen] = np.roll(chosen, 1)
    return sources


def vague(caption: Caption, scene: Scene, rng: Random) -> Caption:
    """A text in the caption's language that is true of every picture."""
    return replace(caption, text=rng.choice(LANGUAGES[caption.language].vague), facts=(), objects=())


def leave_out(caption: Caption, scene: Scene, rng: Random) -> Caption:
    """Without a random half of the facts; where there is one only, with less in it, as far as that stays true."""
    if len(caption.facts) > 1:
        kept = sorted(rng.sample(range(len(caption.facts)), len(caption.facts) // 2))
        return with_facts(caption, [caption.facts[position] for position in kept], scene)
    less = _less(caption.facts[0], rng) if caption.facts else None
    return caption if less in (None, *caption.facts) else with_facts(caption, [less], scene)


def _less(fact: Fact, rng: Random) -> Fact:
    match fact:
        case Located(kind) | Count(kind) if not isinstance(fact, Count) or fact.number > 0:
            return Exists(kind)
        case Exists(kind):
            return Exists(_without_one(kind, rng))
        case Related(subject, direction, other):
            return Related(_without_one(subject, rng), direction, _without_one(other, rng))
    return fact


def _without_one(kind: Kind, rng: Random) -> Kind:
    named = [name for name in ATTRIBUTES if getattr(kind, name)]
    return kind.but(**{rng.choice(named): None}) if len(named) > 1 else kind


def distract(caption: Caption, scene: Scene, rng: Random) -> Caption:
    """With two to five foreign words before, after or inside."""
    words = caption.text.split(" ")
    for _ in range(rng.randint(2, 5)):
        words.insert(rng.randint(0, len(words)), rng.choice(_DISTRACTORS).format(rng.randrange(10, 10**4)))
    return replace(caption, text=" ".join(words))


def mistake(caption: Caption, scene: Scene, rng: Random) -> Caption:
    """With one false fact, or the caption itself where nothing in it can be false."""
    wrong = falsify(caption, scene, rng)
    return caption if wrong is None else wrong.caption


_HARM = {"vague": vague, "missing": leave_out, "wrong": mistake, "distracted": distract}
