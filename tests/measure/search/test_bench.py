"""The whole bench: processes, failures as rows, going on where it stopped, tables and curves."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from limner import __version__
from limner.core.errors import InputError
from limner.core.types import Integers, Representation
from limner.measure.search import bench as bench_module
from limner.measure.search import tables
from limner.measure.search.bench import SearchBench, Settings
from limner.measure.search.contender import Contender, Effort, Mask
from limner.measure.search.contenders import contenders
from limner.measure.search.curves import draw
from limner.measure.search.sizes import parsed_size, size_text

OWN = {name: one for name, one in contenders().items() if one.is_own}


def bench_in(folder: Path, settings: Settings) -> tuple[SearchBench, list[str]]:
    told: list[str] = []
    return SearchBench(settings, folder, folder / "cache", "limner bench search", told.append), told


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, SearchBench]:
    folder = tmp_path_factory.mktemp("bench")
    bench, _ = bench_in(folder, Settings(1000, ("dense", "lexical"), peers=False))
    bench.run()
    return folder, bench


def test_every_contender_leaves_its_rows(measured: tuple[Path, SearchBench]) -> None:
    folder, bench = measured
    stored = json.loads((folder / "search-dense-lexical-1k.json").read_text())
    assert stored == bench.result
    assert stored["finished"]
    assert {row["workload"] for row in stored["rows"]} == {"clustered vectors", "documents", "picture words"}
    assert not [row for row in stored["rows"] if "failed" in row]
    phases = [row["phase"] for row in stored["rows"] if row["workload"] == "clustered vectors"]
    assert phases == ["build", "open", *["search"] * 6, *["filter"] * 4, "add", "end"]
    assert not list((folder / "cache").glob("index-*")), "an index is deleted when it has been measured"


def test_tables_tell_it_all(measured: tuple[Path, SearchBench]) -> None:
    told = tables.text(measured[1].result)
    assert "clustered vectors, 1,000 items, queries: cross-modal" in told
    assert "limner LexicalIndex (5 to 10 terms)" in told
    assert "recall 0.95" in told
    assert "adding while searching" in told
    assert f"Versions: limner {__version__}." in told


def test_the_chapter_of_the_documents(measured: tuple[Path, SearchBench]) -> None:
    result = measured[1].result
    smaller = [row | {"n": 500} for row in result["rows"]]
    chapter = tables.section([result | {"rows": [*smaller, *result["rows"]]}], "images")
    assert chapter.count("### documents, 1,000 items") == 2, "one table for each set of queries"
    assert "500 items" not in chapter
    assert "| limner DenseIndex (cross-modal) | 500 1,000 |" in chapter, "smaller sizes show in the growth only"
    assert "![Curves of picture words](images/search-picture-words-1k.png)" in chapter
    assert tables.section([], "images") == ""


def test_curves_are_drawn(measured: tuple[Path, SearchBench], tmp_path: Path) -> None:
    drawn = draw(measured[1].result, tmp_path)
    assert {path.name for path in drawn} == {
        "search-clustered-vectors-1k.png",
        "search-documents-1k.png",
        "search-picture-words-1k.png",
    }
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in drawn)


class Vanishing(Contender):
    """Known to the bench, unknown to the process that would build it."""

    name, kind, package = "vanishing", "dense", "numpy"

    def build(self, items: Representation, folder: Path) -> None:
        raise AssertionError

    def open(self, items: Representation, folder: Path) -> None:
        raise AssertionError

    def search(self, query: Representation, k: int, effort: Effort, allowed: Mask | None = None) -> Integers:
        raise AssertionError


class Absent(Vanishing):
    name, package, module = "absent", "no-such-package", "no_such_package"


def test_failures_are_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    everyone = {"vanishing": Vanishing(), "absent": Absent()}
    monkeypatch.setattr(bench_module, "contenders", lambda: everyone)
    bench, told = bench_in(tmp_path, Settings(1000, ("dense",)))
    bench.run()
    reasons = {row["contender"]: row["failed"] for row in bench.rows if "failed" in row}
    assert reasons == {"vanishing": "KeyError: 'vanishing'", "absent": "not installed"}
    assert "    KeyError: 'vanishing'" in told
    page = tables.text(bench.result)
    assert "KeyError: 'vanishing'" in page
    assert "Not installed: absent." in page
    assert bench.result["finished"]


def test_a_death_is_told() -> None:
    assert bench_module._reason(-9, b"") == "ended by SIGKILL"
    assert bench_module._reason(3, b"") == "exit code 3"


def test_patience_ends(tmp_path: Path) -> None:
    bench, _ = bench_in(tmp_path, Settings(1000, ("dense",), peers=False, patience=0.01))
    bench.run()
    assert [row["failed"] for row in bench.rows if "failed" in row] == ["took longer than 0 minutes"]


def test_an_interrupted_run_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(1000, ("lexical",), peers=False)
    bench, _ = bench_in(tmp_path, settings)
    whole = SearchBench._measure

    def stop_at_pictures(self: SearchBench, contender: Contender, workload: bench_module.Opened) -> None:
        if workload.name == "picture words":
            raise KeyboardInterrupt
        whole(self, contender, workload)

    monkeypatch.setattr(SearchBench, "_measure", stop_at_pictures)
    with pytest.raises(KeyboardInterrupt):
        bench.run()
    monkeypatch.undo()
    before = json.loads(bench.path.read_text())["rows"]
    assert before
    again, told = bench_in(tmp_path, settings)
    again.run()
    assert again.rows[: len(before)] == before
    assert "documents, 1,000 items" not in told
    assert "picture words, 1,000 items" in told
    # A run that has finished is not gone on with: the next one measures anew.
    assert bench_in(tmp_path, settings)[0].rows == []


def test_sizes() -> None:
    assert [parsed_size(text) for text in ("1M", "20k", "2500", "10m")] == [10**6, 20_000, 2500, 10**7]
    assert [size_text(size) for size in (10**6, 20_000, 2500)] == ["1M", "20k", "2500"]
    assert Settings(10**6).sizes() == [10**4, 10**5, 10**6]
    assert Settings(2000).sizes() == [2000]
    for text in ("", "k", "1.5M", "many"):
        with pytest.raises(InputError, match="--size"):
            parsed_size(text)
    with pytest.raises(InputError, match="1000 items or more"):
        Settings(10)


def test_a_peer_takes_part_at_the_largest_size_that_it_can_take() -> None:
    sizes = [10_000, 100_000, 1_000_000]
    peer = Absent()
    for most, at in ((None, 1_000_000), (100_000, 100_000), (50_000, 10_000), (1000, None)):
        peer.at_most = most
        assert [size for size in sizes if bench_module._takes_part(peer, "any", size, sizes)] == ([at] if at else [])
    own = next(iter(OWN.values()))
    assert all(bench_module._takes_part(own, "any", size, sizes) for size in sizes)
