"""Recipes are found by name, in a file, or not at all with a hint."""

import pytest

from limner.core.errors import InputError
from limner.train.catalogue import find_recipe, recipe_module, recipe_names, title


def test_names():
    assert "align" in recipe_names()
    assert title(recipe_module("align")).startswith("ALIGN:")


def test_a_hyphen_is_an_underscore():
    assert recipe_module("deep-boosting") is recipe_module("deep_boosting")


@pytest.mark.parametrize(
    ("name", "hint"), [("alignn", "did you mean align"), ("quite different", "limner recipe list")]
)
def test_an_unknown_name_gets_a_hint(name, hint):
    with pytest.raises(InputError, match=hint):
        find_recipe(name, "debug")


def test_a_file_of_ones_own(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text('"""Mine: a test."""\nfrom limner.recipes.unicl import recipe\n')
    assert find_recipe(str(path), "debug").card == 101
    with pytest.raises(InputError, match="no such recipe file"):
        find_recipe(str(tmp_path / "other.py"), "debug")
    path.write_text("x = 1\n")
    with pytest.raises(InputError, match="adding-a-method"):
        find_recipe(str(path), "debug")
