"""TREC files: out and in again, and what is wrong in a file is named with its line."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from limner.core.errors import InputError
from limner.core.types import Qrels, Run
from limner.eval.trec import read_qrels, read_run, write_qrels, write_run

IDS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
TABLES = st.dictionaries(IDS, st.dictionaries(IDS, st.floats(allow_nan=False), min_size=1, max_size=4), max_size=4)


@given(TABLES)
@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_run_comes_back_as_it_went(tmp_path: Path, scores: dict[str, dict[str, float]]) -> None:
    run = Run(scores)
    write_run(run, tmp_path / "run")
    assert read_run(tmp_path / "run").rankings == run.rankings


@given(st.dictionaries(IDS, st.dictionaries(IDS, st.integers(-2, 3), min_size=1, max_size=4), max_size=4))
@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_qrels_come_back_as_they_went(tmp_path: Path, grades: dict[str, dict[str, int]]) -> None:
    write_qrels(Qrels(grades), tmp_path / "qrels")
    assert read_qrels(tmp_path / "qrels").grades == grades


def test_the_lines_are_what_trec_eval_reads(tmp_path: Path) -> None:
    write_run(Run({"a dog": {"my photo.jpg": 0.25, "100%.jpg": 0.5}}), tmp_path / "run", tag="my model")
    assert (tmp_path / "run").read_text().splitlines() == [
        "a%20dog Q0 100%25.jpg 1 0.5 my%20model",
        "a%20dog Q0 my%20photo.jpg 2 0.25 my%20model",
    ]
    write_qrels(Qrels({"q": {"x": 2}}), tmp_path / "qrels")
    assert (tmp_path / "qrels").read_text() == "q 0 x 2\n"


def test_file_names_that_are_no_utf8_survive(tmp_path: Path) -> None:
    name = b"caf\xe9.jpg".decode(errors="surrogateescape")
    write_qrels(Qrels({"q": {name: 1}}), tmp_path / "qrels")
    assert read_qrels(tmp_path / "qrels").grades == {"q": {name: 1}}


def test_order_follows_the_scores_not_the_rank_column(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("q Q0 a 1 0.1 t\n\nq Q0 b 2 0.9 t\n")
    assert read_run(tmp_path / "run").rankings == {"q": [("b", 0.9), ("a", 0.1)]}


@pytest.mark.parametrize(
    ("reader", "text", "message"),
    [
        (read_run, "q Q0 a 1 0.1 t\nq Q0 b 2 0.9\n", "line 2 has 5 columns, not 6"),
        (read_run, "q Q0 a 1 high t\n", "line 1: the score 'high' is not a number"),
        (read_run, "q Q0 a 1 nan t\n", "line 1: the score 'nan' is not a number"),
        (read_run, "q Q0 a 1 1 t\nq Q0 a 2 0 t\n", "line 2: the item 'a' stands twice"),
        (read_qrels, "q 0 a 1 more\n", "line 1 has 5 columns, not 4"),
        (read_qrels, "q 0 a 0.5\n", "line 1: the grade '0.5' is not an integer"),
        (read_qrels, "q 0 a 1\nq 0 a 0\n", "line 2: the item 'a' stands twice"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, reader: object, text: str, message: str) -> None:
    (tmp_path / "file").write_text(text)
    with pytest.raises(InputError, match=message):
        reader(tmp_path / "file")  # type: ignore[operator]


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_run(tmp_path / "missing")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="not UTF-8"):
        read_qrels(tmp_path / "binary")
    with pytest.raises(InputError, match="empty id"):
        write_run(Run({"": {"a": 1.0}}), tmp_path / "run")
