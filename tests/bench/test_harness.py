from __future__ import annotations

import json
import platform
from pathlib import Path

import pytest
from harness import options, spread, store, workplace


def test_workplace_is_empty_and_goes() -> None:
    with workplace(None) as place:
        assert list(place.iterdir()) == []
        (place / "file").touch()
    assert not place.exists()


def test_workplace_that_is_kept_stays_and_is_not_used_twice(tmp_path: Path) -> None:
    with workplace(tmp_path / "new") as place:
        (place / "file").touch()
    assert (tmp_path / "new" / "file").exists()
    with pytest.raises(SystemExit, match="not empty"), workplace(tmp_path / "new"):
        pass


def test_spread() -> None:
    assert spread([3.0, 1.0, 8.0]) == {"median": 3.0, "least": 1.0, "most": 8.0}


def test_a_result_is_kept_with_what_made_it_and_without_places(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["bench/kill.py"])
    parser = options("A bench.")
    parser.add_argument("--kills", type=int, default=100)
    file = tmp_path / "results" / "kill.json"
    given = ["--kills", "7", "--model", str(tmp_path / "model"), "--keep", str(tmp_path / "k"), "--json", str(file)]
    store(parser.parse_args(given), "a1b2", {"lost": 0})
    text = file.read_text()
    record = json.loads(text)
    assert record["command"] == "python bench/kill.py --seed 0 --kills 7"
    assert record["model"] == "a1b2"
    assert record["result"] == {"lost": 0}
    assert record["machine"]["cores"] >= 1
    assert record["machine"]["python"] == platform.python_version()
    assert str(tmp_path) not in text
    assert platform.node() not in text
    assert str(file) in capsys.readouterr().out


def test_nothing_is_kept_unasked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    store(options("A bench.").parse_args([]), "a1b2", {})
    assert list(tmp_path.iterdir()) == []
