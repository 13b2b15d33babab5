"""The same facts in four languages: grammar against sentences written by hand, and rules for every sentence."""

from __future__ import annotations

import re
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from world_scenes import randoms, scenes_of_any_world

from limner.core.errors import InputError
from limner.data.world import WORLD_A, WORLD_B, Scene, describe, parallel, scene_at, translate
from limner.data.world.facts import Backdrop, Count, Exists, Fact, Kind, Located, Related, Written
from limner.data.world.languages import LANGUAGES, language
from limner.data.world.planning import PLANNERS
from limner.data.world.scene import OPPOSITE, PLACES
from limner.data.world.worlds import SHADES, SIZES

CIRCLE = Kind("circle", "red")
STAR = Kind("star", "white", "striped", "large")
CROSS = Kind("cross", "green", size="small")
STYLES = [*PLANNERS, "long"]
styles = st.sampled_from(STYLES)

PHRASES: list[tuple[list[Fact], dict[str, str]]] = [
    (
        [Exists(CIRCLE), Count(Kind("star", "blue"), 2), Backdrop("grey")],
        {
            "en": "a red circle and two blue stars on a grey background",
            "de": "ein roter Kreis und zwei blaue Sterne vor einem grauen Hintergrund",
            "fr": "un cercle rouge et deux étoiles bleues sur un fond gris",
            "zh": "一个红色圆形和两颗蓝色星星，背景是灰色",
        },
    ),
    (
        [Related(STAR, "left of", CROSS)],
        {
            "en": "a large striped white star to the left of a small green cross",
            "de": "ein großer gestreifter weißer Stern links von einem kleinen grünen Kreuz",
            "fr": "une grande étoile blanche rayée à gauche d'une petite croix verte",
            "zh": "一个绿色小十字形左边的一颗带条纹的白色大星星",
        },
    ),
    (
        [Related(Kind("diamond", "orange"), "above", Kind("heart", "pink")), Backdrop("blue", "gradient")],
        {
            "en": "an orange diamond above a pink heart on a blue gradient",
            "de": "eine orangefarbene Raute über einem rosafarbenen Herzen vor einem blauen Farbverlauf",
            "fr": "un losange orange au-dessus d'un cœur rose sur un dégradé bleu",
            "zh": "一颗粉色爱心上方的一个橙色菱形，背景是蓝色渐变",
        },
    ),
    (
        [Exists(Kind("hexagon", pattern="dotted")), Count(Kind("star"), 0)],
        {
            "en": "a dotted hexagon and no star",
            "de": "ein gepunktetes Sechseck und kein Stern",
            "fr": "un hexagone à pois et aucune étoile",
            "zh": "一个带圆点的六边形，没有星星",
        },
    ),
    (
        [Count(Kind(colour="black"), 3), Written("EXIT"), Backdrop("white", "grainy")],
        {
            "en": 'three black shapes and the word "EXIT" on a grainy white background',
            "de": "drei schwarze Formen und das Wort „EXIT“ vor einem körnigen weißen Hintergrund",
            "fr": "trois formes noires et le mot « EXIT » sur un fond blanc granuleux",
            "zh": "三个黑色图形和文字“EXIT”，背景是带颗粒的白色",
        },
    ),
    (
        [Located(Kind("drop", "gold", "ringed"), "bottom right"), Count(Kind("bolt", "navy"), 1)],
        {
            "en": "a ringed gold drop in the lower right and one navy lightning bolt",
            "de": "ein ringgemusterter goldfarbener Tropfen unten rechts und genau ein marineblauer Blitz",
            "fr": "une goutte dorée à anneaux en bas à droite et exactement un éclair bleu marine",
            "zh": "右下方的一滴带圆圈的金色水滴和正好一道藏青色闪电",
        },
    ),
    ([Backdrop("olive", "tiled")], {
        "en": "a tiled olive background", "de": "ein gekachelter olivgrüner Hintergrund",
        "fr": "un fond vert olive carrelé", "zh": "带瓷砖纹的橄榄色背景",
    }),
]  # fmt: skip

SENTENCES: list[tuple[Fact, dict[str, str]]] = [
    (
        Exists(STAR),
        {
            "en": "There is a large striped white star.",
            "de": "Es gibt einen großen gestreiften weißen Stern.",
            "fr": "Il y a une grande étoile blanche rayée.",
            "zh": "图中有一颗带条纹的白色大星星。",
        },
    ),
    (
        Located(CROSS, "top left"),
        {
            "en": "A small green cross is in the upper left.",
            "de": "Ein kleines grünes Kreuz ist oben links.",
            "fr": "Une petite croix verte se trouve en haut à gauche.",
            "zh": "图的左上方有一个绿色小十字形。",
        },
    ),
    (
        Related(Kind("ring", "brown"), "below", Kind("star", "purple")),
        {
            "en": "A brown ring is below a purple star.",
            "de": "Ein brauner Ring ist unter einem violetten Stern.",
            "fr": "Un anneau marron se trouve sous une étoile violette.",
            "zh": "一个棕色圆环在一颗紫色星星的下方。",
        },
    ),
    (
        Count(Kind("ring"), 3),
        {
            "en": "There are exactly three rings.",
            "de": "Es gibt genau drei Ringe.",
            "fr": "Il y a exactement trois anneaux.",
            "zh": "图中正好有三个圆环。",
        },
    ),
    (
        Count(Kind("star", "black"), 0),
        {
            "en": "There is no black star.",
            "de": "Es gibt keinen schwarzen Stern.",
            "fr": "Il n'y a aucune étoile noire.",
            "zh": "图中没有黑色星星。",
        },
    ),
    (
        Backdrop("grey", "plain"),
        {
            "en": "The background is plain grey.",
            "de": "Der Hintergrund ist einfarbig grau.",
            "fr": "Le fond est gris uni.",
            "zh": "背景是纯灰色。",
        },
    ),
    (
        Backdrop("silver", "cloudy"),
        {
            "en": "The background is cloudy silver.",
            "de": "Der Hintergrund ist silberfarben und wolkig.",
            "fr": "Le fond est argenté et nuageux.",
            "zh": "背景是带云纹的银色。",
        },
    ),
    (
        Written("K9"),
        {
            "en": 'The word "K9" is written in the picture.',
            "de": "Im Bild steht das Wort „K9“.",
            "fr": "Le mot « K9 » est écrit dans l'image.",
            "zh": "图中写着“K9”。",
        },
    ),
]


@pytest.mark.parametrize("code", LANGUAGES)
def test_phrases_are_those_that_a_person_would_write(code: str) -> None:
    for facts, texts in PHRASES:
        assert language(code).phrase(facts) == texts[code]


@pytest.mark.parametrize("code", LANGUAGES)
def test_sentences_are_those_that_a_person_would_write(code: str) -> None:
    for fact, texts in SENTENCES:
        assert language(code).sentence(fact) == texts[code]


@pytest.mark.parametrize("code", LANGUAGES)
def test_every_value_of_every_world_has_a_word_of_its_own(code: str) -> None:
    for values in (
        {*WORLD_A.shapes, *WORLD_B.shapes}, set(SHADES), {*WORLD_A.patterns, *WORLD_B.patterns}, set(SIZES),
        {*WORLD_A.textures, *WORLD_B.textures}, set(OPPOSITE), set(PLACES),
    ):  # fmt: skip
        assert values <= set(LANGUAGES[code].lexicon)
        ways = [str(way) for value in values for way in set(LANGUAGES[code].lexicon[value])]
        assert len(ways) == len(set(ways)), "two values have a word in common"


@given(scenes_of_any_world, randoms, styles)
def test_a_translation_states_the_same_of_the_same_objects(scene: Scene, rng: Random, style: str) -> None:
    captions = parallel(scene, rng, style)
    assert [caption.language for caption in captions] == ["en", "de", "fr", "zh"]
    assert len({(caption.facts, caption.objects, caption.style) for caption in captions}) == 1
    assert len({caption.text for caption in captions}) == 4
    assert translate(captions[2], scene, "en") == captions[0]


@given(scenes_of_any_world, scenes_of_any_world, randoms, st.sampled_from(["full", "relation", "negated", "count"]))
def test_different_facts_are_different_texts(one: Scene, other: Scene, rng: Random, style: str) -> None:
    facts = [describe(scene, rng, style).facts for scene in (one, other)]
    for code in LANGUAGES:
        texts = [language(code).phrase(stated) for stated in facts]
        assert (texts[0] == texts[1]) == (facts[0] == facts[1])


ADJECTIVE = "|".join(
    sorted({way for name in (*SHADES, *WORLD_A.patterns, *WORLD_B.patterns, *SIZES)
            for way in LANGUAGES["de"].lexicon[name]}, key=len, reverse=True)
)  # fmt: skip


@given(scenes_of_any_world, randoms, styles)
def test_german_adjectives_follow_their_article(scene: Scene, rng: Random, style: str) -> None:
    text = describe(scene, rng, style, "de").text.lower()
    for article, adjectives in re.findall(rf"\b(k?ein(?:e[mnr]?)?) ((?:(?:{ADJECTIVE})e[nrs]? )+)", text):
        endings = {re.sub(f"^({ADJECTIVE})", "", word) for word in adjectives.split()}
        article = article.removeprefix("k")
        allowed = {"ein": {"er", "es"}, "eine": {"e", "en"}, "einen": {"en"}, "einem": {"en"}, "einer": {"en"}}
        assert len(endings) == 1, text
        assert endings <= allowed[article], text
    assert not re.search(r"\b(von|unter|über|oberhalb von|unterhalb von|mit) (einen|ein|eine) ", text), text


@given(scenes_of_any_world, randoms, styles)
def test_french_elides_and_agrees(scene: Scene, rng: Random, style: str) -> None:
    text = describe(scene, rng, style, "fr").text
    assert not re.search(r"\b[dl]e (?:un|une|[aeiouhéèê])", text.replace("de l'", "")), text
    assert "' " not in text
    feminine = "étoile|croix|flèche|goutte|forme"
    for article, noun in re.findall(rf"\b(un|une) (?:petite? |grande? |gros(?:se)? )?({feminine})\b", text):
        assert article == "une", (text, noun)
    for adjective in re.findall(rf"\b(?:{feminine}) (vert|bleu|violet|blanc|gris|doré|argenté)\b(?! )", text):
        raise AssertionError(f"{adjective} in {text}")


@given(scenes_of_any_world, randoms, styles)
def test_chinese_counts_with_measure_words_and_has_no_spaces(scene: Scene, rng: Random, style: str) -> None:
    text = describe(scene, rng, style, "zh").text
    assert " " not in text
    assert not re.search("二|两(?![个颗弯滴道])", text), text
    assert not re.search("[个滴道弯](?:带[^的]*的)?[^，。、和个颗弯滴道]{0,6}(?:爱心)", text), text


@pytest.mark.parametrize("code", LANGUAGES)
def test_a_language_says_the_same_in_several_ways(code: str) -> None:
    facts = describe(scene_at(7, 1), Random(0), "full").facts
    assert len({language(code, voice).phrase(facts) for voice in range(30)}) > 4
    assert len({language(code, voice).sentence(Located(CIRCLE, "top left")) for voice in range(30)}) > 3
    assert language(code, 5).phrase(facts) == language(code, 5).phrase(facts)


def test_an_unknown_language_is_refused() -> None:
    with pytest.raises(InputError, match="choose en, de, fr, zh"):
        describe(scene_at(0, 0), Random(0), "short", "la")
