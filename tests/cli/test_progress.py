"""How far it has come and what came of it, in words."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from limner.cli import progress
from limner.cli.progress import duration, progress_line, progress_text, report_text
from limner.collection import AddReport, Progress, Skipped


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min 0 s"),
        (200, "3 min 20 s"),
        (3599.9, "1 h 0 min"),
        (7500, "2 h 5 min"),
    ],
)
def test_duration(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_progress_text() -> None:
    assert progress_text(Progress(0, 20_000, 0, 0.0, None, "")) == "0/20,000"
    assert progress_text(Progress(1234, 20_000, 3, 85.3, 219.6, "a.jpg")) == (
        "1,234/20,000  85 pictures/s  3 min 40 s left  3 skipped"
    )


def test_report_text_leaves_out_what_did_not_happen() -> None:
    skipped = (Skipped("a.jpg", "empty file"),)
    assert report_text(AddReport(added=1200, vanished=2, skipped=skipped, seconds=14)) == (
        "1,200 added, 2 vanished, 1 skipped (14 s)"
    )
    assert report_text(AddReport()) == "nothing to do (0 s)"


def test_without_a_terminal_a_line_now_and_then(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with progress_line() as show:
        show(Progress(1, 2, 0, 1.0, 1.0, ""))
    assert capsys.readouterr() == ("", "")
    monkeypatch.setattr(progress, "PLAIN_SECONDS", 0.0)
    with progress_line() as show:
        show(Progress(1, 2, 0, 1.0, 1.0, ""))
        show(Progress(2, 2, 0, 1.0, 0.0, ""))
    assert capsys.readouterr().err == "1/2  1 pictures/s  1 s left\n2/2  1 pictures/s  0 s left\n"


def test_on_a_terminal_a_line_that_moves_and_goes(photos: Path) -> None:
    screen, terminal = pty.openpty()
    command = [sys.executable, "-m", "limner", "index", "photos", "--model", "colours"]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "80"}
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=terminal, text=True, env=environment, timeout=120)
    os.close(terminal)
    shown = os.read(screen, 100_000).decode()
    os.close(screen)
    assert done.stdout.startswith("photos: 5 added")
    assert "5/5" in shown
    assert shown.rstrip().endswith("\x1b[2K")  # the line is wiped at the end
