"""The languages of the world: the same facts, put into words of each.

language.py  what a language is: the one interface
english.py, german.py, french.py, chinese.py  one language each; a further one is one more file and one more line here
"""

from limner.core.errors import InputError
from limner.data.world.languages.chinese import Chinese
from limner.data.world.languages.english import English
from limner.data.world.languages.french import French
from limner.data.world.languages.german import German
from limner.data.world.languages.language import Language

LANGUAGES: dict[str, type[Language]] = {"en": English, "de": German, "fr": French, "zh": Chinese}


def language(code: str, voice: int | None = None) -> Language:
    """The language of that code, speaking with that voice (see Language). Raises InputError for another code."""
    if code not in LANGUAGES:
        raise InputError(f"language {code!r}: choose {', '.join(LANGUAGES)}")
    return LANGUAGES[code](voice)


__all__ = ["LANGUAGES", "Language", "language"]
