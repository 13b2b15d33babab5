"""What the benches share: their options, the folder they work in, and how a result is kept."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from limner.measure.machine import commit, machine

PACKAGES = ("numpy", "onnxruntime", "Pillow", "tokenizers", "limner")
UNRECORDED = {"json", "keep", "model"}
"""Options that name places of one machine; a kept result names the model by its fingerprint instead."""


def options(description: str | None) -> argparse.ArgumentParser:
    """A parser with the options that every bench has; `description` is the docstring of the bench."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0, help="everything drawn by chance follows from it (0)")
    parser.add_argument("--model", metavar="NAME|FOLDER", help="the bundle to encode with (the package's own)")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="work in this new folder and leave it")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep the result and the machine's description here")
    return parser


@contextmanager
def workplace(keep: Path | None) -> Iterator[Path]:
    """An empty folder: `keep`, which must not hold anything yet and stays, or one that is deleted at the end.

    SIGTERM ends the program in good order as well.
    """
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        if keep is None:
            with tempfile.TemporaryDirectory(prefix="limner-bench-") as folder:
                yield Path(folder).resolve()
            return
        keep.mkdir(parents=True, exist_ok=True)
        if any(keep.iterdir()):
            sys.exit(f"{keep} is not empty: give --keep a new folder")
        yield keep.resolve()
    finally:
        signal.signal(signal.SIGTERM, before)


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median and range of repeated measurements."""
    return {"median": median(values), "least": min(values), "most": max(values)}


def store(arguments: argparse.Namespace, fingerprint: str, result: dict[str, object]) -> None:
    """Write the result to `--json`, if given: the command, commit and model that made it, the machine, the numbers."""
    if arguments.json is None:
        return
    given = {name: value for name, value in vars(arguments).items() if name not in UNRECORDED}
    bench = Path(sys.argv[0]).name
    words = [f"--{name.replace('_', '-')} {value}" for name, value in given.items()]
    record = {
        "command": " ".join(["python", f"bench/{bench}", *words]),
        "commit": commit(),
        "model": fingerprint,
        "machine": machine(PACKAGES),
        "result": result,
    }
    arguments.json.parent.mkdir(parents=True, exist_ok=True)
    arguments.json.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    print(f"kept in {arguments.json}")
