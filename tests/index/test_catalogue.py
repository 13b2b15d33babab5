from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from limner.core.errors import InputError
from limner.core.query import Compare
from limner.core.types import Item, Region, Stamp
from limner.index.catalogue import Catalogue
from limner.index.records import Entry, Known, Model, Skipped, digest

ODD_NAMES = [
    "/photos/Ünïcödé 写真 🐕.jpg",
    "/photos/line\nbreak\ttab.jpg",
    "/photos/quote'\"; DROP TABLE items; --.jpg",
    "/photos/not unicode \udcff\udc80.jpg",
    "/photos/100%_of_it.jpg",
    "/photos/" + "x" * 4000,
]


def put(catalogue: Catalogue, *items: Item, content: str = "") -> list[int]:
    return catalogue.put([Entry(item, content) for item in items]).tolist()


def test_an_item_comes_back_whole(catalogue: Catalogue) -> None:
    mask = np.random.default_rng(0).random((5, 7)) > 0.5
    regions = (Region((0, 0.1, 0.5, 1), "a dog"), Region((0.2, 0.2, 0.3, 0.3), mask=mask))
    fields = {"year": 2019, "iso": 0.1, "camera": "X100", "empty": "", "big": 2**62, "endless": math.inf}
    item = Item("/a.jpg", "a", "image", ("one", "zwei\n", "\ud800"), fields, regions, Stamp(3, 2**61))
    [key] = put(catalogue, item)
    again = catalogue.get([key])[key]
    assert again == item
    assert {name: type(value) for name, value in again.fields.items()} == {
        name: type(value) for name, value in fields.items()
    }
    assert again.regions[0].mask is None
    np.testing.assert_array_equal(again.regions[1].mask, mask)


def test_odd_names_are_kept_exactly(catalogue: Catalogue) -> None:
    items = [Item(name, fields={name: name}) for name in ODD_NAMES]
    keys = put(catalogue, *items)
    assert [catalogue.get([key])[key].uri for key in keys] == ODD_NAMES
    assert [catalogue.get([key])[key].fields for key in keys] == [item.fields for item in items]
    assert set(catalogue.known(ODD_NAMES)) == set(ODD_NAMES)
    assert set(catalogue.fields()) == set(ODD_NAMES)
    catalogue.skip([Skipped(name, name) for name in ODD_NAMES])
    assert set(catalogue.skipped(ODD_NAMES)) == set(ODD_NAMES)
    assert catalogue.remove(keys) == len(keys)
    assert catalogue.count() == (0, 0)


def test_an_item_without_an_id_gets_one(catalogue: Catalogue) -> None:
    keys = put(catalogue, Item("/a"), Item("/b", id="i3"), Item("/c"))
    assert [catalogue.get(keys)[key].id for key in keys] == ["i1", "i3", "i4"]
    assert catalogue.keys(["i4", "i3", "nobody"]) == {"i3": keys[1], "i4": keys[2]}
    assert put(catalogue, Item("/a"), Item("/d")) == [keys[0], keys[2] + 1]


def test_a_key_is_never_used_again(catalogue: Catalogue) -> None:
    keys = put(catalogue, Item("/a"), Item("/b"))
    catalogue.remove(keys)
    assert put(catalogue, Item("/a"))[0] > max(keys)


def test_putting_again_updates(catalogue: Catalogue) -> None:
    [key] = put(catalogue, Item("/a", texts=("old",), fields={"year": 1, "gone": 2}))
    assert put(catalogue, Item("/a", texts=("new",), fields={"year": "2"})) == [key]
    item = catalogue.get([key])[key]
    assert (item.texts, item.fields, item.id) == (("new",), {"year": "2"}, "i1")
    assert catalogue.count() == (1, 0)


def test_an_id_at_a_new_place_has_moved(catalogue: Catalogue) -> None:
    [key] = put(catalogue, Item("/a", id="dog"))
    assert put(catalogue, Item("/b", id="dog")) == [key]
    assert list(catalogue.known(["/a", "/b"])) == ["/b"]


def test_a_place_whose_item_moved_gets_a_new_item(catalogue: Catalogue) -> None:
    [dog] = put(catalogue, Item("/a", id="dog"))
    moved, new = put(catalogue, Item("/b", id="dog"), Item("/a"))
    assert moved == dog
    assert new != dog
    assert catalogue.known(["/a"])["/a"].key == new


def test_items_may_swap_places(catalogue: Catalogue) -> None:
    keys = put(catalogue, Item("/a", id="one"), Item("/b", id="two"), Item("/c", id="three"))
    items = [Item("/b", id="one"), Item("/c", id="two"), Item("/a", id="three")]
    assert put(catalogue, *items) == keys
    assert [item.uri for item in catalogue.each(keys)] == ["/b", "/c", "/a"]


def test_an_item_whose_place_is_taken_is_removed(catalogue: Catalogue) -> None:
    one, two = put(catalogue, Item("/a", id="one"), Item("/b", id="two"))
    assert put(catalogue, Item("/b", id="one")) == [one]
    assert catalogue.get([one, two]).keys() == {one}


def test_a_new_id_at_a_known_place_renames(catalogue: Catalogue) -> None:
    [key] = put(catalogue, Item("/a"))
    assert put(catalogue, Item("/a", id="dog")) == [key]
    assert catalogue.keys(["i1", "dog"]) == {"dog": key}


@pytest.mark.parametrize("items", [(Item("/a"), Item("/a")), (Item("/a", id="/a"), Item("/b", id="/a"))])
def test_what_occurs_twice_is_refused(catalogue: Catalogue, items: tuple[Item, Item]) -> None:
    with pytest.raises(InputError, match=r"/a.*twice"):
        put(catalogue, *items)
    assert catalogue.count() == (0, 0)


@pytest.mark.parametrize("value", [math.nan, None, b"bytes", [1], np.int64(3)])
def test_a_value_that_cannot_be_kept_is_refused(catalogue: Catalogue, value: object) -> None:
    with pytest.raises(InputError, match=r"/a: field 'year' is .*, neither"):
        put(catalogue, Item("/b"), Item("/a", fields={"year": value}))  # type: ignore[dict-item]
    assert catalogue.count() == (0, 0)


def test_numbers_beyond_64_bits_become_floating_point(catalogue: Catalogue) -> None:
    [key] = put(catalogue, Item("/a", fields={"huge": 10**30}))
    assert catalogue.get([key])[key].fields == {"huge": 1e30}


def test_known_tells_what_changed(catalogue: Catalogue) -> None:
    item = Item("/a", stamp=Stamp(10, 20), texts=("x",))
    keys = catalogue.put([Entry(item, "hash", digest(item)), Entry(Item("/b"), "hash")]).tolist()
    known = catalogue.known(["/a", "/nowhere"])
    assert known == {"/a": Known(keys[0], "i1", "/a", Stamp(10, 20), "hash", digest(item), "", False)}
    assert [one.uri for one in catalogue.same_content("hash")] == ["/a", "/b"]
    assert [one.uri for one in catalogue.same_content("hash", most=1)] == ["/a"]
    assert catalogue.same_content("other") == []


def test_the_digest_sees_what_a_source_says(catalogue: Catalogue) -> None:
    item = Item("/a", "id", "image", ("x",), {"b": 1, "a": 2}, (Region((0, 0, 1, 1)),), Stamp(1, 1))
    same = item.replace(fields={"a": 2, "b": 1}, stamp=Stamp(2, 2), uri="/moved")
    assert digest(item) == digest(same)
    changes: list[dict[str, object]] = [
        {"id": "other"},
        {"modality": "video"},
        {"texts": ("x", "y")},
        {"fields": {"a": 2, "b": "1"}},
        {"regions": (Region((0, 0, 1, 1), "label"),)},
        {"regions": (Region((0, 0, 1, 1), mask=np.ones((2, 2), np.bool_)),)},
    ]
    assert len({digest(item), *(digest(item.replace(**change)) for change in changes)}) == len(changes) + 1


def test_the_vanished_are_kept_but_not_found(catalogue: Catalogue) -> None:
    keys = put(catalogue, Item("/a", fields={"year": 1}), Item("/b", fields={"year": 1}))
    catalogue.vanish(np.array(keys[:1]))
    assert catalogue.count() == (1, 1)
    assert catalogue.vanished().tolist() == keys[:1]
    assert catalogue.select().tolist() == catalogue.select(Compare("year", "=", 1)).tolist() == keys[1:]
    assert catalogue.known(["/a"])["/a"].vanished
    assert keys[0] in catalogue.get(keys)
    put(catalogue, Item("/a", fields={"year": 1}))
    assert catalogue.count() == (2, 0)
    assert catalogue.select().tolist() == keys


def test_under_takes_a_folder_an_archive_or_a_file(catalogue: Catalogue) -> None:
    uris = ["/p/a.jpg", "/p/sub/b.jpg", "/p/t.tar::c.jpg", "/p/t.tar::d/e.jpg", "/p2/f.jpg", "/p/t.tar2", "/p/%/g"]
    keys = dict(zip(uris, put(catalogue, *map(Item, uris)), strict=True))
    catalogue.vanish([keys["/p/a.jpg"]])

    def found(path: str | Path) -> list[str]:
        return [uri for uri in uris if keys[uri] in catalogue.under(path).tolist()]

    assert found("/p") == found(Path("/p")) == [uri for uri in uris if uri != "/p2/f.jpg"]
    assert found("/p/sub") == ["/p/sub/b.jpg"]
    assert found("/p/t.tar") == ["/p/t.tar::c.jpg", "/p/t.tar::d/e.jpg"]
    assert found("/p/a.jpg") == ["/p/a.jpg"]
    assert found("/p/%") == ["/p/%/g"]
    assert found("/nowhere") == []
    assert found("/") == uris


def test_under_takes_what_a_table_gave(catalogue: Catalogue) -> None:
    entries = [Entry(Item("/img/a.jpg"), source="/t.csv"), Entry(Item("/img/b.jpg"), source="/img")]
    keys = catalogue.put(entries).tolist()
    catalogue.skip([Skipped("/img/c.jpg", "truncated", source="/t.csv"), Skipped("/t.csv::line 3", "broken line")])
    assert catalogue.under("/t.csv").tolist() == keys[:1]
    assert catalogue.skipped_under("/t.csv") == {"/img/c.jpg", "/t.csv::line 3"}
    assert catalogue.under("/img").tolist() == keys
    assert catalogue.skipped_under("/img") == {"/img/c.jpg"}
    catalogue.put([Entry(Item("/img/a.jpg"), source="/img")])  # the last source that spoke of it
    assert catalogue.under("/t.csv").tolist() == []
    catalogue.move_to_source(keys[1:], "/t.csv")
    assert catalogue.under("/t.csv").tolist() == keys[1:]


def test_many_items_at_once(catalogue: Catalogue) -> None:
    keys = put(catalogue, *(Item(f"/{number}", fields={"n": number}) for number in range(2345)))
    assert len(catalogue.get(keys)) == len(catalogue.known(f"/{number}" for number in range(2345))) == 2345
    backwards = keys[::-1]
    assert [item.fields["n"] for item in catalogue.each(backwards)] == list(range(2345))[::-1]
    assert catalogue.select(Compare("n", ">=", 2000)).tolist() == keys[2000:]
    assert catalogue.remove(np.array(keys)) == 2345
    assert catalogue.remove(keys) == 0
    assert catalogue.fields() == {}


def test_skipped_files_are_remembered_until_they_are_put(catalogue: Catalogue) -> None:
    skipped = [Skipped("/a", "truncated", Stamp(1, 2)), Skipped("/b", "empty")]
    catalogue.skip(skipped)
    assert list(catalogue.skipped().values()) == skipped
    catalogue.skip([Skipped("/a", "too large", Stamp(3, 4))])
    assert catalogue.skipped(["/a", "/c"]) == {"/a": Skipped("/a", "too large", Stamp(3, 4))}
    put(catalogue, Item("/a"))
    catalogue.forget_skipped(["/b"])
    assert catalogue.skipped() == {}


def test_jobs_tell_their_story(catalogue: Catalogue) -> None:
    killed = catalogue.start_job("index", "/photos")
    catalogue.update_job(killed, {"done": 3})
    finished = catalogue.start_job("index", "/photos")
    catalogue.update_job(finished, {"done": 4, "skipped": 1}, done=True)
    newest, oldest = catalogue.jobs()
    assert (newest.id, newest.state, newest.counts) == (finished, "done", {"done": 4, "skipped": 1})
    assert (oldest.id, oldest.state, oldest.counts) == (killed, "interrupted", {"done": 3})
    assert newest.started <= str(newest.finished)
    assert len(catalogue.jobs(most=1)) == 1


def test_the_model_is_none_until_one_is_used(catalogue: Catalogue) -> None:
    assert catalogue.model is None
    model = Model("start", "f00d")
    catalogue.use_model(model)
    assert catalogue.model == model


def test_a_sound_catalogue_has_no_problems(catalogue: Catalogue) -> None:
    put(catalogue, Item("/a", fields={"year": 1}))
    assert catalogue.check() == []


@given(st.text(max_size=20), st.one_of(st.none(), st.binary(), st.floats(), st.dates()))
def test_anything_has_a_digest(text: str, value: object) -> None:
    item = Item("/a", texts=(text,), fields={text: value})  # type: ignore[dict-item]
    assert digest(item) == digest(item.replace(uri="/b"))
