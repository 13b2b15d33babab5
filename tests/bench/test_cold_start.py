from __future__ import annotations

import sys
from pathlib import Path

import pytest
from cold_start import QUERY, evaluate, finish, make_collection, measured, print_result, search_parts, take_turns

from limner.collection import Collection
from limner.encode.bundle import Bundle

PARTS = {
    "start of Python",
    "import numpy",
    "import limner",
    "import onnxruntime",
    "import tokenizers",
    "read the command line",
    "open the catalogue",
    "load and verify the bundle",
    "load the tokenizer, encode the query",
    "load the graph, encode the query",
    "open the vectors, search them",
    "read the items of the hits",
    "end of the process",
    "everything else",
}


def test_a_search_is_taken_apart(bundle: Bundle, tmp_path: Path) -> None:
    collection, fingerprint = make_collection(tmp_path, 6, 0, str(bundle.path))
    assert fingerprint == bundle.fingerprint
    with Collection(collection, create=False) as photos:
        items = list(photos.items())
    assert len(items) == 6
    assert all(item.texts and "camera" in item.fields and "year" in item.fields for item in items)
    search = ["search", QUERY, "-c", str(collection)]
    parts = search_parts(search)
    assert set(parts) == PARTS
    assert all(seconds > 0 for seconds in parts.values())
    commands = {"limner search": [sys.executable, "-m", "limner", *search], "floor": [sys.executable, "-c", "pass"]}
    turns = take_turns(commands, tmp_path, 2)
    assert [len(values) for values in turns.values()] == [2, 2]
    assert all(seconds > 0 and memory > 1 for values in turns.values() for seconds, memory in values)


def test_a_command_that_fails_ends_the_bench(tmp_path: Path) -> None:
    failing = [sys.executable, "-c", "raise SystemExit(3)"]
    with pytest.raises(SystemExit, match="ended with 3"):
        measured(failing, tmp_path)
    with pytest.raises(SystemExit, match="ended with 3"):
        finish(failing)
    with pytest.raises(SystemExit, match="ended with 2"):
        search_parts(["search", "words", "--no-such-option"])


def test_evaluate(capsys: pytest.CaptureFixture[str]) -> None:
    turns = {"limner search": [(3.0, 100.0), (4.0, 120.0)], "floor": [(1.0, 50.0), (2.0, 50.0)]}
    result = evaluate(turns, [{"import": 1.0, "search": 2.0}, {"import": 1.0, "search": 4.0}])
    assert result["seconds"]["limner search"] == {"median": 3.5, "least": 3.0, "most": 4.0}
    assert result["peak MB"]["floor"]["median"] == 50
    assert result["limner search / it"] == {"floor": {"median": 2.5, "least": 2.0, "most": 3.0}}
    assert result["parts of a search, seconds"]["search"] == {"median": 3.0, "least": 2.0, "most": 4.0}
    print_result(result, 1234)
    assert "1,234 pictures" in capsys.readouterr().out
