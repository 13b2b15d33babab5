"""French: two genders, adjectives before and after the noun that agree with it, elision."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal, NamedTuple

from limner.data.world.facts import Backdrop, Count, Exists, Fact, Kind, Located, Related, Written
from limner.data.world.languages.language import Language, as_sentence, is_none, join, split_backdrop


class Noun(NamedTuple):
    gender: Literal["m", "f"]
    singular: str
    plural: str


class Adjective(NamedTuple):
    masculine: str
    feminine: str
    masculine_plural: str
    feminine_plural: str

    def agreeing(self, gender: str, number: int) -> str:
        return self[(gender == "f") + 2 * (number > 1)]


_NUMBERS = ("aucun", "un", "deux", "trois", "quatre", "cinq", "six", "sept", "huit", "neuf", "dix", "onze", "douze")


def _regular(masculine: str, feminine: str | None = None) -> Adjective:
    """ "rouge" stays so in the feminine; "vert" becomes "verte"; the plural takes an s, unless there is one."""
    feminine = feminine or masculine.removesuffix("e") + "e"
    return Adjective(masculine, feminine, masculine + "s" * (masculine[-1] not in "sx"), feminine + "s")


def _invariable(word: str) -> Adjective:
    return Adjective(word, word, word, word)


class French(Language):
    code = "fr"
    vague = ("une image", "quelques objets", "une image de quelque chose", "un joli dessin", "des formes")
    lexicon: ClassVar = {
        "object": (Noun("f", "forme", "formes"), Noun("m", "objet", "objets")),
        "circle": (Noun("m", "cercle", "cercles"), Noun("m", "cercle", "cercles"), Noun("m", "disque", "disques")),
        "square": (Noun("m", "carré", "carrés"),),
        "triangle": (Noun("m", "triangle", "triangles"),),
        "star": (Noun("f", "étoile", "étoiles"),),
        "hexagon": (Noun("m", "hexagone", "hexagones"),),
        "cross": (Noun("f", "croix", "croix"), Noun("m", "signe plus", "signes plus")),
        "ring": (Noun("m", "anneau", "anneaux"),),
        "heart": (Noun("m", "cœur", "cœurs"),),
        "diamond": (Noun("m", "losange", "losanges"),),
        "crescent": (Noun("m", "croissant", "croissants"),),
        "oval": (Noun("m", "ovale", "ovales"),),
        "pentagon": (Noun("m", "pentagone", "pentagones"),),
        "arrow": (Noun("f", "flèche", "flèches"),),
        "drop": (Noun("f", "goutte", "gouttes"),),
        "bolt": (Noun("m", "éclair", "éclairs"),),
        "trapezoid": (Noun("m", "trapèze", "trapèzes"),),
        "semicircle": (Noun("m", "demi-cercle", "demi-cercles"),),
        "hourglass": (Noun("m", "sablier", "sabliers"),),
        "red": (_regular("rouge"),),
        "orange": (_invariable("orange"),),
        "yellow": (_regular("jaune"),),
        "green": (_regular("vert"),),
        "blue": (_regular("bleu"),),
        "purple": (_regular("violet", "violette"),),
        "pink": (_regular("rose"),),
        "brown": (_invariable("marron"),),
        "black": (_regular("noir"),),
        "white": (_regular("blanc", "blanche"),),
        "grey": (_regular("gris"),),
        "teal": (_invariable("bleu canard"),),
        "navy": (_invariable("bleu marine"),),
        "maroon": (_invariable("bordeaux"),),
        "olive": (_invariable("vert olive"),),
        "beige": (_regular("beige"),),
        "turquoise": (_invariable("turquoise"),),
        "magenta": (_invariable("magenta"),),
        "lavender": (_invariable("lavande"),),
        "gold": (_regular("doré"),),
        "lime": (_invariable("vert citron"),),
        "silver": (_regular("argenté"),),
        "solid": (_regular("uni"),),
        "striped": (_regular("rayé"), _invariable("à rayures")),
        "dotted": (_invariable("à pois"),),
        "checkered": (_invariable("à carreaux"),),
        "zigzag": (_invariable("à zigzags"),),
        "latticed": (_regular("quadrillé"),),
        "ringed": (_invariable("à anneaux"),),
        "small": (_regular("petit"),),
        "large": (_regular("grand"), _regular("gros", "grosse")),
        "left of": ("à gauche d'",),
        "right of": ("à droite d'",),
        "above": ("au-dessus d'",),
        "below": ("sous ", "au-dessous d'"),
        "top left": ("en haut à gauche",),
        "top": ("en haut de l'image",),
        "top right": ("en haut à droite",),
        "left": ("sur la gauche",),
        "middle": ("au centre", "au milieu"),
        "right": ("sur la droite",),
        "bottom left": ("en bas à gauche",),
        "bottom": ("en bas de l'image",),
        "bottom right": ("en bas à droite",),
        "plain": ("uni",),
        "gradient": (None,),  # a noun of its own: dégradé
        "grainy": ("granuleux",),
        "tiled": ("carrelé",),
        "rippled": ("ondulé",),
        "cloudy": ("nuageux",),
        "none are": ("aucun", "pas de"),
        "frame": (
            "{}", "{}", "une image avec {}", "un dessin avec {}", "une scène avec {}", "on voit {}",
            "l'image montre {}",
        ),
        "there is": ("il y a {}", "on voit {}", "l'image montre {}"),
        "where": ("{thing} se trouve {place}", "{place}, il y a {thing}", "il y a {thing} {place}"),
    }  # fmt: skip

    def phrase(self, facts: Sequence[Fact]) -> str:
        things, backdrops = split_backdrop(facts)
        if not things:
            return join([self._noun_phrase(fact) for fact in backdrops], ", ", " et ")
        frame = "{}" if any(is_none(fact) for fact in things) else self.way["frame"]  # "on voit aucun" needs a "ne"
        listed = join([self._noun_phrase(fact) for fact in things], ", ", " et ")
        return frame.format(" ".join([listed, *("sur " + self._noun_phrase(fact) for fact in backdrops)]))

    def sentence(self, fact: Fact) -> str:
        match fact:
            case Located(kind, place):
                text = self.way["where"].format(thing=self._a(kind), place=self.way[place])
            case Related(subject, direction, other):
                text = self.way["where"].format(thing=self._a(subject), place=f"{self.way[direction]}{self._a(other)}")
            case Count(kind, 0):
                if self.way["none are"] == "pas de":
                    bare = self._noun(kind, 1)
                    de = "d'" if bare[0] in "aeiouhéèê" else "de "
                    text = f"il n'y a pas {de}{bare}"
                else:
                    text = f"il n'y a {self._noun_phrase(fact)}"
            case Count(_, number):
                exactly = "exactement " if number > 1 else ""
                text = f"il y a {exactly}{self._noun_phrase(fact)}"
            case Backdrop(colour, texture):
                grey = self.way[colour].masculine
                adjective = self.way[texture] if texture else None
                if texture == "gradient":
                    text = f"le fond est {self._noun_phrase(fact)}"
                else:
                    text = f"le fond est {grey}" + (f" {adjective}" if texture == "plain" else "")
                    text += f" et {adjective}" if adjective and texture != "plain" else ""
            case Written(word):
                text = f"le mot « {word} » est écrit dans l'image"
            case _:
                text = self.way["there is"].format(self._noun_phrase(fact))
        return as_sentence(text)

    def _noun_phrase(self, fact: Fact) -> str:
        match fact:
            case Exists(kind):
                return self._a(kind)
            case Count(kind, 0):
                return f"{'aucune' if self._gender(kind) == 'f' else 'aucun'} {self._noun(kind, 1)}"
            case Count(kind, 1):
                return f"exactement {self._a(kind)}"
            case Count(kind, number):
                word = _NUMBERS[number] if number < len(_NUMBERS) else str(number)
                return f"{word} {self._noun(kind, number)}"
            case Located(kind, place):
                return f"{self._a(kind)} {self.way[place]}"
            case Related(subject, direction, other):
                return f"{self._a(subject)} {self.way[direction]}{self._a(other)}"
            case Backdrop(colour, texture):
                noun = "dégradé" if texture == "gradient" else "fond"
                adjective = self.way[texture] if texture else None
                return " ".join(word for word in ("un", noun, self.way[colour].masculine, adjective) if word)
            case Written(word):
                return f"le mot « {word} »"

    def _a(self, kind: Kind) -> str:
        """With the indefinite article."""
        return f"{'une' if self._gender(kind) == 'f' else 'un'} {self._noun(kind, 1)}"

    def _gender(self, kind: Kind) -> str:
        return self.way[kind.shape or "object"].gender

    def _noun(self, kind: Kind, number: int) -> str:
        """The noun with size before it, colour and pattern after it."""
        noun = self.way[kind.shape or "object"]
        before, *after = (
            self.way[word].agreeing(noun.gender, number) if word else None
            for word in (kind.size, kind.colour, kind.pattern)
        )
        return " ".join(word for word in (before, noun.singular if number == 1 else noun.plural, *after) if word)
