"""The kill test itself is tested: it kills, it finds nothing where nothing is wrong, and it finds what is."""

from __future__ import annotations

import dataclasses
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from random import Random

import kill
import pytest
from kill import Bench, Findings, Truth, draw_states, phase, summary
from witness import Seen, Witness, limner

from limner.encode.bundle import Bundle
from limner.index.records import Job

pytestmark = pytest.mark.skipif(os.name != "posix", reason="SIGKILL and process groups are POSIX")

PICTURES = 20


@pytest.fixture(scope="module")
def made(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(tmp_path_factory.mktemp("kill"), bundle, PICTURES, seed=0)


@pytest.fixture
def bench(made: Bench) -> Bench:
    """The same pictures and undisturbed runs for every test, findings of its own."""
    made.found = Findings()
    return made


def job(id: int, state: str = "running") -> Job:
    return Job(id, "index", "/pictures", state, {}, "2024-01-01T00:00:00+00:00", None)  # type: ignore[arg-type]


def whole(truth: Truth, **changes: object) -> Seen:
    return dataclasses.replace(Seen({"i1", "i2"}, dict(truth.holds), job(2)), **changes)  # type: ignore[arg-type]


def found(bench: Bench) -> dict[str, int]:
    return {kind: len(problems) for kind, problems in bench.found.problems.items() if problems}


def test_the_folder_changes_in_every_way(tmp_path: Path) -> None:
    first, second = draw_states(tmp_path, PICTURES, seed=0)
    before = {path.relative_to(first): path.read_bytes() for path in first.rglob("*.png")}
    after = {path.relative_to(second): path.read_bytes() for path in second.rglob("*.png")}
    assert len(before) == len(after) == PICTURES + 1, "and one that is no picture"
    same = [path for path in before if after.get(path) == before[path]]
    drawn_anew = [path for path in before if path in after and after[path] != before[path]]
    gone = [path for path in before if path not in after]
    moved = [path for path in gone if after.get(Path("moved") / path) == before[path]]
    new = [path for path in after if path not in before and after[path] not in before.values()]
    assert (len(same), len(drawn_anew), len(gone), len(moved), len(new)) == (5, 12, 4, 2, 2)
    assert all(path.with_suffix(".json").exists() for path in second.rglob("scene*.png"))


def test_kills_find_nothing_wrong(bench: Bench) -> None:
    while bench.found.kills < 2:
        bench.live(2 - bench.found.kills)
    assert bench.found.kills == 2
    assert bench.found.phases.total() == 2
    assert bench.found.answers >= len(bench.truths[0].answers) + len(bench.truths[1].answers)
    assert found(bench) == {}


def test_a_bench_that_is_stopped_leaves_nothing(bundle: Bundle, tmp_path: Path) -> None:
    program = Path(kill.__file__)
    command = [sys.executable, str(program), "--pictures", "1000", "--model", str(bundle.path)]
    with subprocess.Popen(
        command, env={**os.environ, "TMPDIR": str(tmp_path)}, stdout=subprocess.PIPE, text=True
    ) as run:
        assert run.stdout is not None
        assert run.stdout.readline().startswith("drawing")
        assert len(list(tmp_path.iterdir())) == 1
        run.terminate()
    assert run.returncode == 128 + signal.SIGTERM
    assert list(tmp_path.iterdir()) == []


def test_undisturbed_runs_see_all_pictures(bench: Bench) -> None:
    first, second = bench.truths
    assert len(first.holds) == len(second.holds) == PICTURES
    assert first.holds != second.holds
    assert [Path(uri).name for uri in first.skipped] == ["broken.png"]
    assert len(first.answers["a red circle"]) == PICTURES
    assert sum(query.startswith("like ") for query in first.answers) == 4
    assert first.answers != second.answers


def test_judge_accepts_any_mixture_of_whole_items(bench: Bench) -> None:
    first, second = bench.truths
    mixed = dict(list(first.holds.items())[:5]) | dict(list(second.holds.items())[5:12])
    bench.judge(whole(first), {"i1"}, whole(first, holds=mixed))
    assert found(bench) == {}


def test_judge_notices_an_item_that_is_gone(bench: Bench) -> None:
    truth = bench.truths[0]
    bench.judge(whole(truth), {"i1", "i3"}, whole(truth, ids={"i2"}))
    assert bench.found.problems["lost"] == ["i1", "i3"]


def test_judge_notices_a_vector_of_another_picture(bench: Bench) -> None:
    truth = bench.truths[0]
    (uri, (item, _)), (_, (_, vector)) = list(truth.holds.items())[:2]
    bench.judge(whole(truth), set(), whole(truth, holds={**truth.holds, uri: (item, vector)}))
    assert bench.found.problems["half visible"] == [uri]


def test_judge_notices_what_is_never_swept(bench: Bench) -> None:
    truth = bench.truths[0]
    before, after = whole(truth, leftovers={"a.npy"}), whole(truth, leftovers={"a.npy", "b.npy"})
    bench.judge(before, set(), after)
    assert found(bench) == {}, "no writer has been there since"
    bench.judge(before, set(), dataclasses.replace(after, job=job(3)))
    assert bench.found.problems["left over"] == ["a.npy"]


@pytest.fixture(scope="module")
def finished(made: Bench, bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A collection that nobody disturbed."""
    folder = tmp_path_factory.mktemp("finished") / "collection.limner"
    command = limner("index", made.truths[1].pictures, "-c", folder, "--model", bundle.path)
    subprocess.run(command, check=True, capture_output=True)
    return folder


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        ("DELETE FROM shards", "not one vector for each item"),
        ("DELETE FROM items WHERE key = 3", "not one vector for each item"),
        ("INSERT INTO dead SELECT id, 0 FROM shards", "not one vector for each item"),
        ("UPDATE shards SET checksum = checksum + 1", "damaged"),
    ],
)
def test_witness_notices_damage(finished: Path, bundle: Bundle, tmp_path: Path, damage: str, complaint: str) -> None:
    collection = shutil.copytree(finished, tmp_path / "tampered.limner")
    witness = Witness(collection, bundle, Random(0))
    assert witness.look().problems == []
    assert len(witness.committed()) == PICTURES
    with closing(sqlite3.connect(collection / "catalogue.sqlite", isolation_level=None)) as connection:
        connection.execute(damage)
        connection.execute("UPDATE meta SET value = random() WHERE name = 'generation'")
    assert any(complaint in problem for problem in witness.look().problems)


def test_witness_of_nothing(bundle: Bundle, tmp_path: Path) -> None:
    witness = Witness(tmp_path / "none", bundle, Random(0))
    assert witness.look() == Seen()
    assert witness.committed() == witness.files() == set()


@pytest.mark.parametrize(
    ("after", "left", "name"),
    [
        (Seen(), 5, "starting"),
        (Seen(job=job(1)), 5, "starting"),
        (Seen(job=job(2)), 5, "reading, before its first commit"),
        (Seen(job=job(2), leftovers={"a.npy"}), 5, "writing or merging vectors"),
        (Seen(job=job(2)), 0, "all committed, finishing"),
        (Seen(job=job(2, "done")), 0, "done, leaving"),
    ],
)
def test_phase(after: Seen, left: int, name: str) -> None:
    assert phase(Seen(job=job(1)), after, left) == name


def test_summary_names_what_was_found() -> None:
    findings = Findings(kills=3, aimed=1, collections=1, acts=2, answers=40)
    findings.phases.update(["starting"])
    findings.report("lost", ["i7"])
    text = summary(findings)
    assert "3 kills" in text
    assert "     1  lost" in text
    assert "lost: i7" in text
    assert "     0  differing answers of 40" in text
