"""What the benches share: their options, the folder they work in, and how a result is kept."""

from __future__ import annotations

import argparse
import json
import platform
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from statistics import median

from limner.core.runtime import cpu_count

ROOT = Path(__file__).parents[1]
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
        "commit": _commit(),
        "model": fingerprint,
        "machine": machine(),
        "result": result,
    }
    arguments.json.parent.mkdir(parents=True, exist_ok=True)
    arguments.json.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    print(f"kept in {arguments.json}")


def machine() -> dict[str, object]:
    """What a timing depends on; nothing by which the machine could be told from another of its kind."""
    return {
        "processor": _processor(),
        "cores": cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "packages": {name: version(name) for name in PACKAGES},
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _commit() -> str:
    """The commit that is checked out, with a "+" where files differ from it; empty outside of a clone."""
    try:
        head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True)
        changes = subprocess.run(
            ["git", "status", "--porcelain", "--", "src", "bench"], cwd=ROOT, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return ""
    return head.stdout.strip() + ("+" if changes.stdout else "")
