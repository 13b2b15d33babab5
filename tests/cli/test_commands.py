"""Every verb on real folders, with a small real model: what a person types and reads."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

Limner = Callable[..., Any]
"""Runs one command line; the result has `code`, `out` and `err`."""
NewPicture = Callable[[Path, str], Path]
NewBundle = Callable[..., Path]


def test_index_tells_what_it_did_and_why_files_were_left_out(photos: Path, limner: Limner) -> None:
    (photos / "broken.jpg").write_bytes(b"no picture at all")
    (photos / "empty.png").touch()
    ran = limner("index", "photos", "--model", "colours")
    assert ran.code == 0, ran.err
    first, *rest = ran.out.splitlines()
    assert first.startswith("photos: 5 added, 2 skipped (")
    assert rest == ["  photos/broken.jpg: not a picture", "  photos/empty.png: empty file"]
    again = limner("index", "photos")
    assert again.out.startswith("photos: 5 unchanged, 2 skipped (")


def test_index_shows_twenty_skipped_files_and_counts_the_rest(photos: Path, limner: Limner) -> None:
    for number in range(23):
        (photos / f"broken{number:02}.png").touch()
    lines = limner("index", "photos", "--model", "colours").out.splitlines()
    assert len([line for line in lines if line.endswith(": empty file")]) == 20
    assert lines[-1] == "  and 3 more: limner status --skipped"
    listed = limner("status", "--skipped").out.splitlines()
    assert len([line for line in listed if line.endswith(": empty file")]) == 23


def test_index_follows_what_happens_to_files(indexed: Path, limner: Limner, new_picture: NewPicture) -> None:
    (indexed / "red.png").rename(indexed / "crimson.png")
    (indexed / "blue.png").unlink()
    new_picture(indexed / "green.png", "yellow")
    os.utime(indexed / "green.png", ns=(1, 1))
    new_picture(indexed / "more" / "grey.png", "grey")
    ran = limner("index", "photos")
    assert ran.out.startswith("photos: 1 added, 1 updated, 1 moved, 2 unchanged, 1 vanished (")
    assert "limner index --prune" in ran.out
    assert "items       5 (and 1 vanished" in limner("status").out
    assert limner("index", "--prune").out.endswith("1 pruned\n")
    assert "vanished" not in limner("status").out


def test_search_shows_rank_probability_and_name(indexed: Path, limner: Limner) -> None:
    ran = limner("search", "red", "-k", 2)
    assert ran.code == 0, ran.err
    rows = [line.split() for line in ran.out.splitlines()]
    assert [row[0] for row in rows] == ["1", "2"]
    assert rows[0][2] == "photos/red.png"
    assert float(rows[0][1]) > float(rows[1][1])
    assert len(rows[0][1]) == len("0.99")


def test_search_by_picture_words_minus_and_filter(indexed: Path, limner: Limner) -> None:
    assert limner("search", "--image", indexed / "blue.png", "-k", 1).out.split()[2] == "photos/blue.png"
    assert limner("search", "red -blue", "-k", 1).out.split()[2] == "photos/red.png"
    assert limner("search", "--", "-blue", "-k").code == 2
    assert limner("search", "-k", 1, "--", "-blue").out.split()[2] == "photos/yellow.png"
    assert limner("search", "red", "--where", "name = 'green.png'").out.split()[2:] == ["photos/green.png"]


def test_search_for_like_words(indexed: Path, limner: Limner) -> None:
    plain, expanded = (limner("search", "red", *more) for more in ([], ["--expand"]))
    assert (expanded.code, expanded.out.split()[2]) == (0, plain.out.split()[2])


def test_illustrate(indexed: Path, limner: Limner, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("article.txt").write_text("\ufeffIt is red.\nRed again. There is blue.", encoding="utf-8")
    lines = limner("illustrate", "article.txt", "-k", 2).out.splitlines()
    assert [line.split()[-1] for line in lines[::2][:1]] == ["photos/red.png"]
    assert [line.strip() for line in lines[1:3]] == ["It is red.", "Red again."]
    assert (lines[3].split()[-1], lines[4].strip()) == ("photos/blue.png", "There is blue.")
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"There is blue.")))
    [one] = json.loads(limner("illustrate", "-", "--json").out)
    assert (one["rank"], one["uri"], one["passages"]) == (1, str(indexed / "blue.png"), ["There is blue."])
    Path("article.txt").write_text("Some like red.", encoding="utf-8")
    assert limner("illustrate", "article.txt", "--min-score", "0.9999999").out == "nothing found\n"


def test_what_cannot_be_illustrated(indexed: Path, limner: Limner) -> None:
    Path("bad.txt").write_bytes(b"caf\xe9")
    for name, reason in (("no.txt", "No such file"), ("photos", "Is a directory"), ("bad.txt", "not UTF-8")):
        ran = limner("illustrate", name)
        assert (ran.code, ran.out) == (2, "")
        assert ran.err.startswith(f"limner: {name}: ")
        assert reason in ran.err


def test_nothing_found_is_an_answer(indexed: Path, limner: Limner) -> None:
    ran = limner("search", "like red", "--min-score", "0.9999999")
    assert (ran.code, ran.out, ran.err) == (0, "nothing found\n", "")
    assert json.loads(limner("search", "like red", "--min-score", "0.9999999", "--json").out) == []


def test_search_json(indexed: Path, limner: Limner) -> None:
    first, second = json.loads(limner("search", "red -blue", "-k", 2, "--json").out)
    assert (first["rank"], second["rank"]) == (1, 2)
    assert first["uri"] == str(indexed / "red.png")
    assert first["score"] == pytest.approx(sum(first["parts"].values()), abs=1e-5)
    assert first["fields"]["name"] == "red.png"
    keys = ["rank", "id", "uri", "probability", "score", "parts", "region", "regions", "texts", "fields"]
    assert list(first) == keys
    assert (first["region"], first["regions"]) == (None, {})


def test_search_writes_a_page(indexed: Path, limner: Limner) -> None:
    assert "photos/red.png" in limner("search", "red", "--sheet", "out/page.html").out
    assert "red.png" in Path("out/page.html").read_text(encoding="utf-8")


def test_search_opens_the_page_in_the_browser(indexed: Path, home: Path) -> None:
    browser = home / "browser.sh"
    browser.write_text(f'#!/bin/sh\necho "$1" > {home}/visited\n')
    browser.chmod(0o755)
    done = real("search", "red", "--open", env={**os.environ, "BROWSER": f"{browser} %s"})
    assert (done.returncode, done.stderr) == (0, "")
    page = home / "limner" / "last-search.html"
    assert (home / "visited").read_text() == f"{page.as_uri()}\n"
    assert "red.png" in page.read_text(encoding="utf-8")


def test_a_collection_by_option_or_environment(
    photos: Path, limner: Limner, monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    assert limner("index", "photos", "-c", "~/mine", "--model", "colours").code == 0
    assert (home / "mine").is_dir()
    assert limner("search", "red").code == 1
    monkeypatch.setenv("LIMNER_COLLECTION", str(home / "mine"))
    assert limner("search", "red").code == 0


def test_status(indexed: Path, limner: Limner) -> None:
    rows = dict(line.split(maxsplit=1) for line in limner("status").out.splitlines())
    assert rows["items"] == "5"
    assert rows["model"].startswith("colours ")
    assert "name (5)" in rows["fields"]
    facts = json.loads(limner("status", "--json", "--skipped", "--check").out)
    assert (facts["items"], facts["skipped_files"], facts["problems"]) == (5, [], [])
    assert limner("status", "--check").out.splitlines()[-1] == "check: every checksum fits"


def test_remove_what_a_table_gave(indexed: Path, limner: Limner) -> None:
    table = indexed.parent / "best.csv"
    table.write_text("image,caption\nphotos/red.png,the best\n")
    assert "1 updated" in limner("index", "best.csv").out
    assert limner("remove", "best.csv", "--yes").out == "1 removed\n"
    assert "items       4" in limner("status").out


def test_remove(indexed: Path, limner: Limner) -> None:
    refused = limner("remove", "photos")
    assert refused.code == 2
    assert "5 items" in refused.err
    assert "--yes" in refused.err
    assert limner("remove", "photos/red.png", "--yes").out == "1 removed\n"
    assert limner("remove", "--where", "name = 'blue.png'", "--yes").out == "1 removed\n"
    (hit,) = json.loads(limner("search", "green", "-k", 1, "--json").out)
    assert limner("remove", hit["id"], "--yes").out == "1 removed\n"
    missing = limner("remove", "photos/red.png", "--yes")
    assert missing.code == 2
    assert "photos/red.png" in missing.err
    assert limner("remove", "photos", "--where", "name = 'grey.png'", "--yes").out == "1 removed\n"
    assert limner("remove", "photos", "--yes").out == "1 removed\n"
    assert (indexed / "red.png").exists()


def test_export_and_import(indexed: Path, limner: Limner) -> None:
    assert limner("export", "vectors.npy").out == "5 vectors written to vectors.npy\n"
    assert np.load("vectors.npy").shape == (5, 3)
    assert limner("export", "vectors.parquet").code == 0
    ran = limner("import", "vectors.parquet", "-c", "other.limner", "--model", "colours")
    assert ran.code == 0, ran.err
    assert limner("search", "red", "-k", 1, "-c", "other.limner").out.split()[2] == "photos/red.png"


def test_reindex(indexed: Path, limner: Limner, home: Path, new_bundle: NewBundle) -> None:
    finer = new_bundle(home / "finer", size=12, name="finer")
    ran = limner("reindex", "--model", finer)
    assert ran.code == 0, ran.err
    assert ran.out.startswith("finer: ")
    assert "finer" in limner("status").out
    assert limner("search", "yellow", "-k", 1).out.split()[2] == "photos/yellow.png"


def test_model_list_and_inspect(home: Path, limner: Limner) -> None:
    listed = limner("model", "list").out
    assert "colours" in listed
    assert "dense (dense, 3)" in listed
    page = limner("model", "inspect", "colours").out
    assert "Knows five colours." in page
    assert json.loads(limner("model", "inspect", "colours", "--json").out)["licence"] == "Apache-2.0"


def test_a_broken_model_does_not_hide_the_others(home: Path, limner: Limner, new_bundle: NewBundle) -> None:
    bad = new_bundle(home / "limner/models/bad")
    (bad / "image.onnx").unlink()
    listed = limner("model", "list").out
    assert "unusable" in listed
    assert "image.onnx is missing" in listed
    assert "dense (dense, 3)" in listed


def test_evaluate(photos: Path, limner: Limner) -> None:
    for picture in photos.glob("*.png"):
        picture.with_suffix(".txt").write_text(f"{picture.stem}\n{picture.stem} {picture.stem}\n")
    ran = limner("evaluate", "photos", "--model", "colours", "--trec", "trec")
    assert ran.code == 0, ran.err
    assert "5 images, 10 captions" in ran.out
    report = json.loads(limner("evaluate", "photos", "--model", "colours", "--json").out)
    values = {row["metric"]: row["value"] for row in report["rows"]}
    assert values["text-to-image recall@1"] == 1.0
    assert report["facts"]["model"] == "colours"
    first = Path("trec/text-to-image.run").read_text().splitlines()[0].split()
    assert first[2].startswith(first[0].partition("#")[0])
    assert "Only the first 2 of 5" in limner("evaluate", "photos", "--model", "colours", "--limit", 2).out


def test_version_and_help(limner: Limner) -> None:
    from limner import __version__

    assert limner("--version").out == f"limner {__version__}\n"
    assert limner().out == limner("--help").out
    assert "Usage: limner" in limner().out


def test_odd_file_names(home: Path, limner: Limner, new_picture: NewPicture) -> None:
    names = [
        "new\nline.png",
        "ünïcødé 猫.png",
        "a'b\"c;--.png",
        "-dash.png",
        "\x1b[31mred.png",
        os.fsdecode(b"\xff.png"),
    ]
    for name, colour in zip(names, ["red", "green", "blue", "yellow", "grey", "red"], strict=True):
        new_picture(home / "odd" / name, colour)
    ran = limner("index", "odd", "--model", "colours")
    assert ran.out.startswith("odd: 6 added ("), ran
    shown = limner("search", "red").out
    assert len(shown.splitlines()) == 6
    assert "odd/new\\nline.png" in shown
    assert "odd/ünïcødé 猫.png" in shown
    assert "\x1b" not in shown
    assert limner("search", "--image", "odd/new\nline.png", "-k", 1).out.endswith("odd/new\\nline.png\n")
    assert limner("remove", "odd", "--yes").out == "6 removed\n"


def real(*arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
    """The command as a process of its own."""
    command = [sys.executable, "-m", "limner", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=120, **options)


def test_the_command_as_a_process(indexed: Path) -> None:
    done = real("search", "red", "-k", 1)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("photos/red.png\n")


def test_a_reader_that_leaves_early_is_no_error(indexed: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "limner", "search", "red"]
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, text=True, timeout=120)
    os.close(write)
    assert done.stderr == ""
    assert done.returncode == 1


def test_names_that_the_terminal_cannot_show(home: Path, limner: Limner, new_picture: NewPicture) -> None:
    new_picture(home / "odd" / "猫.png", "red")
    limner("index", "odd", "--model", "colours")
    done = real("search", "red", env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert done.returncode == 0, done.stderr
    assert "odd/\\u732b.png" in done.stdout


def test_stopped_while_indexing_goes_on_later(home: Path, limner: Limner, new_picture: NewPicture) -> None:
    """Ctrl-C in the middle: says that work is kept, and `limner index` alone finishes it."""
    for number in range(1500):
        path = home / "many" / f"{number:04}.png"
        path.parent.mkdir(exist_ok=True)
        if number == 0:
            first = new_picture(path, "red")
        else:
            path.write_bytes(first.read_bytes())
    command = [sys.executable, "-m", "limner", "index", "many", "--model", "colours"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    ledger = home / "limner" / "default.limner"
    while process.poll() is None and not list(ledger.rglob("*.npy")):
        pass
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=120)
    if process.returncode != 0:  # it may have been done already
        assert process.returncode == 130, told
        assert told.startswith("limner: stopped."), told
        assert "Traceback" not in told
        assert "unfinished" in limner("status").out
        ran = limner("index")
        assert ran.code == 0, ran.err
    assert "items       1,500" in limner("status").out
    assert limner("index").out.startswith("no interrupted run")
