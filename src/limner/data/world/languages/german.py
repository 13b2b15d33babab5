"""German: three genders, cases after prepositions and verbs, adjectives that follow both."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal, NamedTuple, TypeAlias

from limner.data.world.facts import Backdrop, Count, Exists, Fact, Kind, Located, Related, Written
from limner.data.world.languages.language import Language, as_sentence, is_none, join, split_backdrop

Case: TypeAlias = Literal["nominative", "accusative", "dative"]


class Noun(NamedTuple):
    gender: Literal["m", "f", "n"]
    singular: str
    plural: str
    dative: str | None = None
    """Of the singular, where it differs."""


_NUMBERS = ("kein", "ein", "zwei", "drei", "vier", "fünf", "sechs", "sieben", "acht", "neun", "zehn", "elf", "zwölf")
_EIN = {  # the endings of ein and kein, and of an adjective after them
    "nominative": {"m": ("", "er"), "f": ("e", "e"), "n": ("", "es")},
    "accusative": {"m": ("en", "en"), "f": ("e", "e"), "n": ("", "es")},
    "dative": {"m": ("em", "en"), "f": ("er", "en"), "n": ("em", "en")},
}
_COLOURS = {
    "red": "rot", "orange": "orangefarben", "yellow": "gelb", "green": "grün", "blue": "blau", "purple": "violett",
    "pink": "rosafarben", "brown": "braun", "black": "schwarz", "white": "weiß", "grey": "grau",
    "teal": "petrolfarben", "navy": "marineblau", "maroon": "weinrot", "olive": "olivgrün", "beige": "beigefarben",
    "turquoise": "türkisfarben", "magenta": "magentafarben", "lavender": "lavendelfarben", "gold": "goldfarben",
    "lime": "limettengrün", "silver": "silberfarben",
}  # fmt: skip


class German(Language):
    code = "de"
    vague = ("ein Bild", "ein paar Dinge", "ein Bild von etwas", "eine schöne Zeichnung", "Formen")
    lexicon: ClassVar = {name: (word,) for name, word in _COLOURS.items()} | {
        "object": (Noun("f", "Form", "Formen"), Noun("n", "Objekt", "Objekte")),
        "circle": (Noun("m", "Kreis", "Kreise"), Noun("m", "Kreis", "Kreise"), Noun("f", "Scheibe", "Scheiben")),
        "square": (Noun("n", "Quadrat", "Quadrate"),),
        "triangle": (Noun("n", "Dreieck", "Dreiecke"),),
        "star": (Noun("m", "Stern", "Sterne"),),
        "hexagon": (Noun("n", "Sechseck", "Sechsecke"),),
        "cross": (Noun("n", "Kreuz", "Kreuze"), Noun("n", "Pluszeichen", "Pluszeichen")),
        "ring": (Noun("m", "Ring", "Ringe"),),
        "heart": (Noun("n", "Herz", "Herzen", dative="Herzen"),),
        "diamond": (Noun("f", "Raute", "Rauten"),),
        "crescent": (Noun("f", "Mondsichel", "Mondsicheln"), Noun("m", "Halbmond", "Halbmonde")),
        "oval": (Noun("n", "Oval", "Ovale"),),
        "pentagon": (Noun("n", "Fünfeck", "Fünfecke"),),
        "arrow": (Noun("m", "Pfeil", "Pfeile"),),
        "drop": (Noun("m", "Tropfen", "Tropfen"),),
        "bolt": (Noun("m", "Blitz", "Blitze"),),
        "trapezoid": (Noun("n", "Trapez", "Trapeze"),),
        "semicircle": (Noun("m", "Halbkreis", "Halbkreise"),),
        "hourglass": (Noun("f", "Sanduhr", "Sanduhren"),),
        "solid": ("einfarbig",),
        "striped": ("gestreift",),
        "dotted": ("gepunktet", "getupft"),
        "checkered": ("kariert",),
        "zigzag": ("zickzackgemustert",),
        "latticed": ("gittergemustert",),
        "ringed": ("ringgemustert",),
        "small": ("klein", "klein", "winzig"),
        "large": ("groß",),
        "left of": ("links von",),
        "right of": ("rechts von",),
        "above": ("über", "oberhalb von"),
        "below": ("unter", "unterhalb von"),
        "top left": ("oben links", "in der linken oberen Ecke"),
        "top": ("oben im Bild",),
        "top right": ("oben rechts", "in der rechten oberen Ecke"),
        "left": ("links im Bild",),
        "middle": ("in der Mitte",),
        "right": ("rechts im Bild",),
        "bottom left": ("unten links", "in der linken unteren Ecke"),
        "bottom": ("unten im Bild",),
        "bottom right": ("unten rechts", "in der rechten unteren Ecke"),
        "plain": ("einfarbig",),
        "gradient": (None,),  # a noun of its own: Farbverlauf
        "grainy": ("körnig",),
        "tiled": ("gekachelt",),
        "rippled": ("gewellt",),
        "cloudy": ("wolkig",),
        "none are": (1, 2),  # "kein Stern" or "keine Sterne"
        "frame": (
            ("nominative", "{}"), ("nominative", "{}"), ("accusative", "das Bild zeigt {}"),
            ("accusative", "man sieht {}"), ("dative", "ein Bild mit {}"), ("dative", "eine Zeichnung mit {}"),
            ("dative", "eine Szene mit {}"), ("accusative", "hier sieht man {}"),
        ),
        "there is": (
            ("accusative", "es gibt {}"), ("accusative", "das Bild zeigt {}"), ("accusative", "man sieht {}"),
        ),
        "lies": ("ist", "befindet sich", "liegt"),
        "first": ("thing", "place"),
    }  # fmt: skip

    def phrase(self, facts: Sequence[Fact]) -> str:
        things, backdrops = split_backdrop(facts)
        if not things:
            return join([self._noun_phrase(fact, "nominative") for fact in backdrops], ", ", " und ")
        case, frame = self.way["frame"]
        if case == "dative" and any(is_none(fact) for fact in things):  # nobody says "mit keinem Stern"
            case, frame = "accusative", "das Bild zeigt {}"
        listed = join([self._noun_phrase(fact, case) for fact in things], ", ", " und ")
        return frame.format(" ".join([listed, *("vor " + self._noun_phrase(fact, "dative") for fact in backdrops)]))

    def sentence(self, fact: Fact) -> str:
        match fact:
            case Located(kind, place):
                thing, where = self._a(kind, "nominative"), self.way[place]
                text = self._around_verb(thing, where)
            case Related(subject, direction, other):
                thing, where = self._a(subject, "nominative"), f"{self.way[direction]} {self._a(other, 'dative')}"
                text = self._around_verb(thing, where)
            case Backdrop(colour, texture):
                look = {
                    None: self.way[colour],
                    "plain": f"einfarbig {self.way[colour]}",
                    "gradient": self._noun_phrase(fact, "nominative"),
                }.get(texture) or f"{self.way[colour]} und {self.way[texture]}"
                text = f"der Hintergrund ist {look}"
            case Written(word):
                text = f"im Bild steht das Wort „{word}“"
            case Count(_, number) if number > 1:
                text = f"es gibt genau {self._noun_phrase(fact, 'accusative')}"
            case _:
                case, frame = self.way["there is"]
                text = frame.format(self._noun_phrase(fact, case))
        return as_sentence(text)

    def _around_verb(self, thing: str, where: str) -> str:
        first, last = (thing, where) if self.way["first"] == "thing" else (where, thing)
        return f"{first} {self.way['lies']} {last}"

    def _noun_phrase(self, fact: Fact, case: Case) -> str:
        match fact:
            case Exists(kind):
                return self._a(kind, case)
            case Count(kind, 0) if self.way["none are"] == 2:
                article = "keinen" if case == "dative" else "keine"
                return " ".join([article, *self._adjectives(kind, "en"), self._plural(kind, case)])
            case Count(kind, 0):
                return "k" + self._a(kind, case)
            case Count(kind, 1):
                return "genau " + self._a(kind, case)
            case Count(kind, number):
                word = _NUMBERS[number] if number < len(_NUMBERS) else str(number)
                ending = "en" if case == "dative" else "e"
                return " ".join([word, *self._adjectives(kind, ending), self._plural(kind, case)])
            case Located(kind, place):
                return f"{self._a(kind, case)} {self.way[place]}"
            case Related(subject, direction, other):
                return f"{self._a(subject, case)} {self.way[direction]} {self._a(other, 'dative')}"
            case Backdrop(colour, texture):
                article, ending = _EIN[case]["m"]
                noun = "Farbverlauf" if texture == "gradient" else "Hintergrund"
                words = [self.way[texture] if texture else None, self.way[colour]]
                return " ".join(["ein" + article, *(word + ending for word in words if word), noun])
            case Written(word):
                return f"{'dem' if case == 'dative' else 'das'} Wort „{word}“"

    def _a(self, kind: Kind, case: Case) -> str:
        """With the indefinite article."""
        noun = self._noun(kind)
        article, ending = _EIN[case][noun.gender]
        singular = noun.dative if case == "dative" and noun.dative else noun.singular
        return " ".join(["ein" + article, *self._adjectives(kind, ending), singular])

    def _plural(self, kind: Kind, case: Case) -> str:
        plural = self._noun(kind).plural
        return plural + "n" if case == "dative" and not plural.endswith(("n", "s")) else plural

    def _noun(self, kind: Kind) -> Noun:
        return self.way[kind.shape or "object"]

    def _adjectives(self, kind: Kind, ending: str) -> list[str]:
        return [self.way[word] + ending for word in (kind.size, kind.pattern, kind.colour) if word]
