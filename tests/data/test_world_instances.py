"""Things that are themselves: instances in views, products in listings, leaves with diseases."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageFilter
from world_scenes import numbers

from limner.core.errors import InputError
from limner.data.world.instances import coarse_caption, draw_view, instance_at, view_at, view_mask
from limner.data.world.leaves import CONCEPTS, DISEASES, SPECIES, draw_leaf, leaf_at, leaf_label, symptoms
from limner.data.world.products import CATEGORIES, draw_listing, listing_at, product_at


def pixels(picture: Image.Image) -> np.ndarray:
    return np.asarray(picture).astype(int)


# ---- instances


def test_instances_are_all_different_and_captions_are_shared() -> None:
    instances = [instance_at(0, index) for index in range(600)]
    assert len(set(instances)) == 600
    texts = Counter(coarse_caption(view_at(0, index, 0)).text for index in range(600))
    assert texts.most_common(1)[0][1] > 10
    assert instance_at(0, 5) == instances[5] != instance_at(1, 5)


@given(numbers, st.integers(0, 9))
def test_views_show_the_same_thing_otherwise(index: int, number: int) -> None:
    view, other = view_at(0, index, number), view_at(0, index, number + 1)
    instance = instance_at(0, index)
    for seen in (view, other):
        (thing,) = seen.scene.objects
        assert (thing.shape, thing.colour, thing.pattern) == (instance.shape, instance.colour, instance.pattern)
        assert (thing.rgb, thing.finish) == (instance.rgb, instance.finish)
    assert view.scene.objects[0].centre != other.scene.objects[0].centre
    assert view == view_at(0, index, number)
    assert coarse_caption(view) == coarse_caption(other)
    assert coarse_caption(view).truth(view.scene) is True


@given(numbers)
def test_the_mask_of_a_view_is_where_its_colours_are(index: int) -> None:
    view = view_at(0, index, 0)
    picture, mask = pixels(draw_view(view, 64)), view_mask(view, 64)
    assert picture.shape == (64, 64, 3)
    assert mask.shape == (64, 64)
    assert mask.mean() > 0.01
    own = np.minimum(255, np.round(np.multiply(view.scene.objects[0].rgb, view.light)))
    mask[[0, -1]] = mask[:, [0, -1]] = False  # what lies beyond the picture cannot be asked
    inner = np.asarray(Image.fromarray(mask).convert("L").filter(ImageFilter.MinFilter(5))) > 0
    if view.scene.objects[0].pattern == "solid":
        assert np.abs(picture[inner] - own).max(initial=0) <= 1
    else:
        assert (np.abs(picture[inner] - own).max(1) <= 1).mean() > 0.15


def test_the_pattern_turns_with_the_thing() -> None:
    """A view and the same view turned by a right angle about the picture's middle show the same pixels, turned."""
    for index in range(8):
        view = view_at(0, index, 0)
        (thing,) = view.scene.objects
        ground = replace(view.scene.background, texture="plain")
        upright = replace(view, scene=replace(view.scene, objects=(thing,), background=ground), window=(0, 0, 1))
        x, y = thing.centre
        turned = replace(thing, centre=(1 - y, x), angle=thing.angle + np.pi / 2)
        other = replace(upright, scene=replace(upright.scene, objects=(turned,)))
        difference = pixels(draw_view(upright, 128).rotate(-90)) - pixels(draw_view(other, 128))
        assert np.abs(difference).mean() < 2


# ---- products


def test_a_third_of_the_categories_is_told_by_each_side() -> None:
    products = [product_at(0, number) for number in range(300)]
    sides = {product.category: product.told_by for product in products}
    assert Counter(sides.values()) == {"both": 4, "picture": 3, "title": 3}
    assert set(sides) == {names[0] for names in CATEGORIES.values()}
    assert len({(product.maker, product.model) for product in products}) > 290


@given(st.integers(0, 10**6))
def test_a_listing_tells_what_its_category_lets_it_tell(number: int) -> None:
    first, second = listing_at(0, number, 0), listing_at(0, number, 1)
    product = first.product
    assert first == listing_at(0, number, 0)
    assert product == second.product == product_at(0, number)
    pictures = [pixels(draw_listing(listing, 48)) for listing in (first, second)]
    names = CATEGORIES[product.instance.shape]
    assert any(name in first.title for name in names)
    if product.told_by == "title":
        assert np.abs(pictures[0] - pictures[1]).max() <= 24, "the same icon, but for its shade"
    else:
        assert np.abs(pictures[0] - pictures[1]).max() > 24
    if product.told_by == "picture":
        assert product.maker not in first.title
        assert product.model not in first.title


def test_titles_of_one_product_differ_and_lack_different_things() -> None:
    number = next(n for n in range(100) if product_at(0, n).told_by == "title")
    titles = [listing_at(0, number, index).title for index in range(20)]
    assert len(set(titles)) > 12
    named = sum(product_at(0, number).model in title for title in titles)
    assert 5 < named < 19


# ---- leaves


def test_concepts_are_species_with_diseases() -> None:
    assert CONCEPTS == len(SPECIES) * len(DISEASES) == 60
    labels = [leaf_label(leaf_at(0, concept, 0)) for concept in range(CONCEPTS)]
    assert len(set(labels)) == CONCEPTS
    assert labels[14] == "roundleaf with rust"
    with pytest.raises(InputError, match="choose 0 to 59"):
        leaf_at(0, 60, 0)


@pytest.mark.parametrize("disease", range(len(DISEASES)))
@pytest.mark.parametrize("species", range(len(SPECIES)))
def test_a_leaf_shows_its_blade_and_its_spots(species: int, disease: int) -> None:
    leaf = leaf_at(0, species * len(DISEASES) + disease, 3)
    assert (leaf.species, leaf.disease) == (SPECIES[species], DISEASES[disease])
    picture = pixels(draw_leaf(leaf, 128))
    blade = np.abs(picture - leaf.rgb).sum(2) < 30
    spots = np.abs(picture - leaf.disease.rgb).sum(2) < 60
    assert 0.03 < blade.mean() < 0.7
    assert spots.mean() > 0.002
    assert (np.abs(picture - leaf.ground).sum(2) < 6).mean() > 0.2
    assert (pixels(draw_leaf(leaf, 128)) == picture).all()


def test_symptoms_are_worded_in_many_ways_and_name_nothing_unasked() -> None:
    leaf = leaf_at(0, 21, 0)
    texts = {symptoms(leaf, Random(seed)) for seed in range(60)}
    assert len(texts) > 40
    assert not any(leaf.species.name in text or leaf.disease.name in text for text in texts)
    named = symptoms(leaf, Random(0), named=True)
    assert leaf.species.name in named
    assert leaf.disease.name in named
    other = {symptoms(leaf_at(0, 22, 0), Random(seed)) for seed in range(60)}
    assert not texts & other


def test_leaves_of_one_concept_differ() -> None:
    assert (pixels(draw_leaf(leaf_at(0, 7, 0), 64)) != pixels(draw_leaf(leaf_at(0, 7, 1), 64))).any()
