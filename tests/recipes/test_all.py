"""Every recipe runs at debug size, from its data to its judged claims."""

from dataclasses import replace
from pathlib import Path

import pytest

from limner.train.catalogue import find_recipe, recipe_module, recipe_names, title
from limner.train.reproduce import reproduce, row
from limner.train.runs import Place

DATA = Path(__file__).parents[3] / "shared" / "data"
CARDS = Path(__file__).parents[3] / "shared" / "methods"
NAMES = [name for name in recipe_names() if hasattr(recipe_module(name), "recipe")]


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Shared, so that a baseline of several recipes is trained once."""
    return tmp_path_factory.mktemp("runs")


@pytest.mark.parametrize("name", NAMES)
def test_debug(name: str, runs: Path):
    recipe = replace(find_recipe(name, "debug"), seeds=(0,))
    if not DATA.is_dir() and "flickr8k" in str([arm.to_json() for arm in recipe.arms.values()]).lower():
        pytest.skip("needs the photographs of Flickr8k, which are not part of the repository")
    done = reproduce(recipe, Place(runs, DATA if DATA.is_dir() else None))
    told = row(f"limner reproduce {name}", recipe, done)
    assert len(told["claims"]) == len(recipe.claims)
    assert all(-1e9 < claim["difference"] < 1e9 for claim in told["claims"])


@pytest.mark.parametrize("name", NAMES)
def test_it_says_what_it_is(name: str):
    module, recipe = recipe_module(name), find_recipe(name, "tiny")
    assert ": " in title(module)
    assert 0 <= recipe.card <= 121  # 0: none of the published ones
    assert recipe.paper
    assert len(recipe.seeds) >= 3
    assert all(claim.says for claim in recipe.claims)


def test_all_scales_are_different_experiments():
    for name in NAMES:
        prints = [find_recipe(name, scale).method.fingerprint for scale in ("debug", "tiny")]
        assert len(set(prints)) == 2, name
