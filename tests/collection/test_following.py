"""Whatever happens to a folder: `add` leaves what a fresh collection would hold, and known files keep their ids."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from colour_model import write_picture
from hypothesis import HealthCheck, given, settings

from limner.collection import Collection

Kept = Callable[[Collection], dict[str, Any]]

CHANGES = ["create", "modify", "touch", "move", "copy", "delete", "break", "caption", "swap"]
changes = st.tuples(st.sampled_from(CHANGES), st.integers(0, 99), st.integers(0, 99))
steps = st.lists(st.tuples(st.lists(changes, min_size=1, max_size=8), st.booleans()), min_size=2, max_size=4)


class Folder:
    """A folder of pictures to which things happen, and what is known of where its files come from."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.clock = 0
        self.copies: Counter[int] = Counter()
        """How often each content was written, ever."""
        self.contents: dict[str, int] = {}
        """Name -> content, of files that are no pictures a negative one."""
        self.origins: dict[str, str] = {}
        """Name -> the name at the last `add`, of files that have only been moved since."""
        self.write("anchor", 0)

    def path(self, name: str) -> Path:
        return self.root / f"{name}.png"

    def write(self, name: str, content: int) -> None:
        path = self.path(name)
        if content < 0:
            path.write_bytes(b"no picture %d" % content)
        else:
            write_picture(path, (content % 6 * 50, content // 6 * 12, 90))
        self.stamp(name)
        self.copies[content] += 1
        self.contents[name] = content
        self.origins.pop(name, None)

    def stamp(self, name: str) -> None:
        """A new time of change, so that the test depends on no clock."""
        self.clock += 1
        os.utime(self.path(name), ns=(self.clock * 10**9, self.clock * 10**9))

    def move(self, name: str, to: str) -> None:
        self.path(name).rename(self.path(to))
        self.contents[to] = self.contents.pop(name)
        self.origins.pop(to, None)
        if name in self.origins:
            self.origins[to] = self.origins.pop(name)

    def change(self, what: str, first: int, second: int) -> None:
        names = sorted(self.contents.keys() - {"anchor"})
        if what == "create" or not names:
            self.write(f"{first:02}", second)
            return
        name, other = names[first % len(names)], names[second % len(names)]
        match what:
            case "modify":
                self.write(name, second)
            case "touch":
                self.stamp(name)
            case "move":
                self.move(name, f"{second:02}")
            case "copy":
                shutil.copy2(self.path(name), self.path(f"copy of {name}"))
                self.contents[f"copy of {name}"] = self.contents[name]
                self.copies[self.contents[name]] += 1
                self.origins.pop(f"copy of {name}", None)
            case "delete":
                self.path(name).unlink()
                del self.contents[name]
                self.origins.pop(name, None)
            case "break":
                self.write(name, -second - 1)
            case "caption":
                self.path(name).with_suffix(".txt").write_text(f"number {second}")
            case "swap" if name != other:
                self.move(name, "aside")
                self.move(other, name)
                self.move("aside", other)
                self.stamp(name)
                self.stamp(other)


class Witness:
    """Which id each file had, and must still have."""

    def __init__(self) -> None:
        self.live: dict[str, str] = {}
        """Name -> id of the items at the last `add`."""
        self.vanished: dict[str, str] = {}

    def check(self, folder: Folder, collection: Collection, pruned: bool) -> None:
        now = {Path(item.uri).stem: item.id for item in collection.items()}
        assert len(set(now.values())) == len(now)
        for name, id in now.items():
            origin = folder.origins.get(name, name)
            alone = folder.copies[folder.contents[name]] == 1 and origin not in folder.contents
            if name in self.live:
                assert id == self.live[name], f"{name} stayed where it was"
            elif name in self.vanished:
                found_elsewhere = self.vanished[name] in now.values() and id != self.vanished[name]
                assert id == self.vanished[name] or found_elsewhere, f"{name} is back"
            elif origin in self.live and alone:
                assert id == self.live[origin], f"{origin} was moved to {name}"
        gone = {} if pruned else {**self.vanished, **self.live}
        held = set(now.values())
        self.vanished = {name: id for name, id in gone.items() if id not in held}
        self.live = now
        folder.origins = {name: name for name in now}


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=steps)
@pytest.mark.usefixtures("small_commits")
def test_a_folder_is_followed(home: Path, bundle: Path, kept: Kept, steps: list[tuple[list[Any], bool]]) -> None:
    with tempfile.TemporaryDirectory(dir=home) as path:
        folder, witness = Folder(Path(path) / "photos"), Witness()
        with Collection(Path(path) / "followed.limner", model=bundle) as collection:
            collection.add(folder.root)
            witness.check(folder, collection, False)
            for number, (changes, prune) in enumerate(steps):
                for change in changes:
                    folder.change(*change)
                report = collection.add(folder.root, prune=prune)
                with Collection(Path(path) / f"fresh{number}.limner", model=bundle) as fresh:
                    expected = fresh.add(folder.root)
                    assert kept(collection) == kept(fresh)
                    assert {one.uri for one in report.skipped} == {one.uri for one in expected.skipped}
                    assert {one.uri for one in collection.skipped()} == {one.uri for one in fresh.skipped()}
                assert len(collection) == report.added + report.updated + report.moved + report.unchanged
                witness.check(folder, collection, prune)
                assert collection.add(folder.root).unchanged == len(collection)
            assert collection.check() == []
