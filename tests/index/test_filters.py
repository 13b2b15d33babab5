"""A filter is asked of the catalogue once, until something changes."""

from __future__ import annotations

import pytest

from limner.core.errors import InputError
from limner.core.query import Compare, Not
from limner.core.types import Item
from limner.index.catalogue import Catalogue
from limner.index.filters import _KEPT, Filters
from limner.index.records import Entry


def put(catalogue: Catalogue, *years: int) -> list[int]:
    return catalogue.put([Entry(Item(f"/{year}", fields={"year": year})) for year in years]).tolist()


def test_the_same_until_something_changes(catalogue: Catalogue) -> None:
    filters, late = Filters(catalogue), Compare("year", ">", 2000)
    first, second, third = put(catalogue, 1999, 2001, 2002)
    selected = filters.select(late)
    assert selected.ids.tolist() == [second, third]
    assert filters.select(Compare("year", ">", 2000)) is selected
    assert filters.select(Not(late)).ids.tolist() == [first]
    assert filters.select(late) is selected

    other = Catalogue(catalogue.path)  # as another process would
    [fourth] = put(other, 2003)
    assert filters.select(late).ids.tolist() == [second, third, fourth]
    other.vanish([second])
    assert filters.select(late).ids.tolist() == [third, fourth]
    with catalogue.transaction():
        put(catalogue, 2004)
        assert len(filters.select(late)) == 3
    other.close()


def test_the_latest_few_are_kept(catalogue: Catalogue) -> None:
    filters = Filters(catalogue)
    put(catalogue, *range(10))
    selected = [filters.select(Compare("year", "=", year)) for year in range(_KEPT + 1)]
    assert all(filters.select(Compare("year", "=", year)) is selected[year] for year in range(_KEPT, 0, -1))
    assert filters.select(Compare("year", "=", 0)) is not selected[0]


def test_an_unknown_field(catalogue: Catalogue) -> None:
    put(catalogue, 1999)
    with pytest.raises(InputError, match="yaer"):
        Filters(catalogue).select(Compare("yaer", "=", 1999))
