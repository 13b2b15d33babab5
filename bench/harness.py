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

from limner.collection import Collection
from limner.core.runtime import user_data_dir
from limner.core.types import Item
from limner.data.datasets import open_dataset
from limner.measure.machine import commit, machine
from limner.measure.search.sizes import parsed_size
from limner.measure.search.vectors import ClusteredVectors
from limner.measure.search.workload import Opened, open_workload

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


def captioned_options(description: str | None, split: str) -> argparse.ArgumentParser:
    """The same for a bench of captioned pictures."""
    parser = options(description)
    parser.add_argument("--data", type=Path, required=True, metavar="PAIRS", help="pictures with several captions each")
    parser.add_argument("--split", default=split, help=f"which of them ({split})")
    return parser


@contextmanager
def captions_indexed(arguments: argparse.Namespace) -> Iterator[tuple[Collection, list[Item]]]:
    """A collection of the pictures of the split, each with its first caption alone; and the items as they are."""
    items = list(open_dataset(arguments.data, arguments.split).items)
    with workplace(arguments.keep) as folder, Collection(folder / "c.limner", model=arguments.model) as collection:
        collection.add([Item(item.uri, item.id, texts=item.texts[:1]) for item in items])
        yield collection, items


def clustered_vectors(size: str, seed: int) -> Opened:
    """The vectors that `limner bench search` measures on, made where they are not kept yet."""
    cache = user_data_dir() / "bench"
    cache.mkdir(parents=True, exist_ok=True)
    return open_workload(ClusteredVectors(parsed_size(size), seed), cache)


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
    given = {name: value.name if isinstance(value, Path) else value for name, value in given.items()}
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
