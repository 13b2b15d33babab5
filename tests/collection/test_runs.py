"""A run as a whole: what it tells on its way, how it is broken off and taken up, and what can be looked up after it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from colour_model import COLOURS, write_picture

from limner.collection import Collection, Progress
from limner.core.errors import InputError
from limner.core.types import Item

Ids = Callable[[Collection], dict[str, str]]
Kept = Callable[[Collection], dict[str, Any]]


def test_progress_counts_everything_to_the_end(collection: Collection, photos: Path) -> None:
    (photos / "half.png").write_bytes(b"")
    told: list[Progress] = []
    collection.add(photos, progress=told.append)
    assert [one.done for one in told] == list(range(1, 7))
    assert {one.total for one in told} == {6}
    assert told[-1].skipped == 1
    assert told[-1].seconds_left in (None, 0)
    assert {Path(one.uri).name for one in told} == {path.name for path in photos.iterdir()}
    told.clear()
    collection.add(photos, progress=told.append)
    assert [one.done for one in told] == list(range(1, 7))
    assert told[-1].per_second == 0


@pytest.mark.usefixtures("small_commits")
def test_an_interrupted_run_keeps_what_it_committed_and_goes_on(
    collection: Collection, home: Path, bundle: Path, kept: Kept
) -> None:
    for number in range(100):
        write_picture(home / "many" / f"{number:02}.png", (number, 255 - number, 99))

    def stop(progress: Progress) -> None:
        if progress.done == 70:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        collection.add(home / "many", progress=stop)
    assert 40 <= len(collection) < 70
    assert [(job.kind, job.source) for job in collection.status().jobs] == [("index", str(home / "many"))]
    assert collection.check() == []
    committed = len(collection)
    report = collection.add(home / "many")
    assert (report.unchanged, report.added) == (committed, 100 - committed)
    assert collection.status().jobs == ()
    with Collection(home / "fresh.limner", model=bundle) as fresh:
        fresh.add(home / "many")
        assert kept(collection) == kept(fresh)


def test_remove(indexed: Collection, photos: Path, ids: Ids) -> None:
    before = ids(indexed)
    assert indexed.remove([before["red.png"], "nobody"]) == 1
    assert indexed.remove(before["blue.png"]) == 1
    assert indexed.remove(where="name = 'grey.png'", under=photos / "deep") == 0
    assert indexed.remove(where="name = 'grey.png'", under=photos) == 1
    assert indexed.remove(under=photos / "green.png") == 1
    assert list(ids(indexed)) == ["yellow.png"]
    assert (photos / "red.png").exists()
    with pytest.raises(InputError, match="nothing named"):
        indexed.remove()
    assert len(indexed) == 1
    report = indexed.add(photos)
    assert (report.added, report.unchanged) == (4, 1)


def test_get_and_items(indexed: Collection, ids: Ids) -> None:
    id = ids(indexed)["red.png"]
    item = indexed.get(id)
    assert isinstance(item, Item)
    assert item.id == id
    assert [Path(one.uri).stem for one in indexed.items()] == sorted(COLOURS)
    assert [one.id for one in indexed.items("name = 'red.png'")] == [id]
    with pytest.raises(InputError, match="no item 'nobody'"):
        indexed.get("nobody")
