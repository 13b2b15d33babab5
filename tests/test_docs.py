"""The documents tell the truth: every snippet is run, every shown output compared, every link followed.

Each page runs from top to bottom in a home folder of its own that holds `photos/`, already indexed
unless the page shows how to index:

    ```console   `$ command` lines run in a shell and must succeed; output shown below them is compared
    ```python    with `>>>` it is a doctest; without, it is executed; names live on through the page
    ```json      must parse
    ```text      is shown only

In compared output, `...` stands for anything, a time in parentheses for any time, and a decimal number
for what is as near as processors may differ.
"""

from __future__ import annotations

import doctest
import json
import os
import re
import runpy
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from limner.cli import run
from limner.data.demo import write_demo_pictures

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
LANGUAGES = {"console", "python", "json", "text"}
NOT_RUN = ("pip ", "make ", "git ")
"""Commands that set up a machine: `make demo` and `make test` are proved by running them, not by a test inside them."""

FENCE = re.compile(r"^```(?P<language>\w*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?://|#)([^)#\s]+)")
TIME = re.compile(r"\((?:\d+ (?:h|min) )*\d+ (?:min|s)\)")
DECIMAL = re.compile(r"\d+\.\d+")
TOLERANCE = 0.05


class Checker(doctest.OutputChecker):
    def check_output(self, want: str, got: str, optionflags: int) -> bool:
        want, got = (TIME.sub("(some time)", text) for text in (want, got))
        wanted, found = DECIMAL.findall(want), DECIMAL.findall(got)
        if len(wanted) == len(found) and all(
            abs(float(one) - float(other)) <= TOLERANCE for one, other in zip(wanted, found, strict=True)
        ):
            numbers = iter(wanted)
            got = DECIMAL.sub(lambda _: next(numbers), got)
        return super().check_output(want, got, optionflags | doctest.ELLIPSIS)


@dataclass(frozen=True)
class Snippet:
    language: str
    body: str
    line: int
    """Of the first line of the body, counted from 1."""


def snippets(page: Path) -> list[Snippet]:
    text = page.read_text(encoding="utf-8")
    return [
        Snippet(fence["language"], fence["body"], text.count("\n", 0, fence.start("body")) + 1)
        for fence in FENCE.finditer(text)
    ]


def commands(body: str) -> list[tuple[str, str]]:
    """The `$ ` lines of a console block, each with the output shown below it; a line ending in \\ goes on."""
    found: list[tuple[str, str]] = []
    for part in re.split(r"^\$ ", body, flags=re.MULTILINE)[1:]:
        command, _, output = re.sub(r"\\\n\s*", "", part).partition("\n")
        found.append((command, output))
    return found


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo") / "photos"
    write_demo_pictures(folder)
    return folder


@pytest.fixture
def home(tmp_path: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A person's home folder with `photos/` in it: the current folder, and all that limner knows of the user."""
    shutil.copytree(pictures, tmp_path / "photos")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("LIMNER_HOME", str(tmp_path / "limner"))
    monkeypatch.setenv("PATH", os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("LIMNER_COLLECTION", raising=False)
    return tmp_path


def run_console(snippet: Snippet, place: str) -> None:
    shell = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "stdin": subprocess.DEVNULL, "text": True}
    for command, shown in commands(snippet.body):
        if command.startswith(NOT_RUN):
            continue
        done = subprocess.run(["bash", "-c", command], **shell)
        assert done.returncode == 0, f"{place}: $ {command}\n{done.stdout}"
        if shown.strip():
            same = Checker().check_output(shown.rstrip() + "\n", done.stdout.rstrip() + "\n", 0)
            assert same, f"{place}: $ {command}\nprints\n{done.stdout}\nbut the page shows\n{shown}"


def run_python(snippet: Snippet, place: str, names: dict[str, object]) -> None:
    if ">>>" not in snippet.body:
        exec(compile(snippet.body, place, "exec"), names)
        return
    test = doctest.DocTestParser().get_doctest(snippet.body, names, place, place, snippet.line)
    told: list[str] = []
    runner = doctest.DocTestRunner(Checker())
    result = runner.run(test, out=told.append, clear_globs=False)
    names.update(test.globs)
    assert not result.failed, "".join(told)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_snippets(page: Path, home: Path) -> None:
    names: dict[str, object] = {}
    shown = [command for snippet in snippets(page) for command, _ in commands(snippet.body)]
    if shown and not any(command.startswith("limner index") for command in shown):
        assert run(["index", "photos"]) == 0
    for snippet in snippets(page):
        place = f"{page.name}:{snippet.line}"
        assert snippet.language in LANGUAGES, f"{place}: a fence needs one of {sorted(LANGUAGES)}"
        if snippet.language == "console":
            run_console(snippet, place)
        elif snippet.language == "python":
            run_python(snippet, place, names)
        elif snippet.language == "json":
            json.loads(snippet.body)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    missing = [
        target for target in LINK.findall(page.read_text(encoding="utf-8")) if not (page.parent / target).exists()
    ]
    assert not missing


def test_generated_pages_are_current() -> None:
    for name, write in runpy.run_path(str(ROOT / "docs" / "generate.py"))["PAGES"].items():
        assert (ROOT / "docs" / name).read_text(encoding="utf-8") == write(), f"docs/{name} is stale: make docs"


@pytest.mark.parametrize(
    ("shown", "printed", "same"),
    [
        ("1  0.91  a.jpg", "1  0.93  a.jpg", True),
        ("1  0.91  a.jpg", "1  0.81  a.jpg", False),
        ("1  0.91  a.jpg", "1  0.91  b.jpg", False),
        ("a: 3 added (1 s)", "a: 3 added (2 min 4 s)", True),
        ("a: 3 added (1 s)", "a: 4 added (1 s)", False),
        ("1  ...  a.jpg\n...", "1  0.93  a.jpg\n2  0.10  b.jpg", True),
    ],
)
def test_how_output_is_compared(shown: str, printed: str, same: bool) -> None:
    assert Checker().check_output(shown + "\n", printed + "\n", 0) == same


def test_console_block_is_read_as_commands_and_outputs() -> None:
    body = "$ limner search \\\n    dog\n  1  0.90  a.jpg\n$ limner status\n"
    assert commands(body) == [("limner search dog", "  1  0.90  a.jpg\n"), ("limner status", "")]
