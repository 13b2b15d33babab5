"""`limner search` from the start of the process to the printed answer, on a collection of 10,000 pictures.

    python bench/cold_start.py --pictures 10000 --repeats 10 --seed 0

The pictures are small ones (96 x 64, EXIF, a caption beside each); `limner index` takes them in, so
the collection is as it would be anywhere. Then take turns, each a new process:

    limner search    the command as a person types it, words -> 10 hits
    floor            python -c "import numpy, onnxruntime": what any search with such a model pays
    rclip            a peer, where it is on the path: rclip --no-indexing in the folder of pictures (its
                     index is made before, in its own data folder; its model is a larger one)

Shown are wall time, peak memory and the ratio of limner's time to the others' in the same turn. The
parts of a search are measured in further processes, with timers around limner's functions. All files
are in the page cache: the first search after a start of the machine waits for the disk too.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from random import Random

from harness import options, spread, store, workplace
from PIL import Image

QUERY = "a brown dog running on the beach"
COLOURS = ("red", "green", "blue", "brown", "grey", "white", "black", "yellow")
THINGS = ("dog", "cat", "car", "house", "tree", "boat", "bird", "person")

PARTS = r"""
import json, sys, time
started, spawned, arguments = time.time(), float(sys.argv[1]), sys.argv[2:]
parts = {"start of Python": started - spawned}

def timed(owner, name, part):
    original = getattr(owner, name)
    def wrapper(*args, **kwargs):
        begun = time.perf_counter()
        parts.setdefault("read the command line", begun - running)
        try:
            return original(*args, **kwargs)
        finally:
            parts[part] = parts.get(part, 0.0) + time.perf_counter() - begun
    setattr(owner, name, wrapper)

def imported(part, *modules):
    begun = time.perf_counter()
    for module in modules:
        __import__(module)
    parts[part] = time.perf_counter() - begun

imported("import numpy", "numpy")
imported("import limner", "limner.cli.search", "limner.collection")
imported("import onnxruntime", "onnxruntime")
imported("import tokenizers", "tokenizers")
from limner.cli import run
from limner.encode.bundle import Bundle
from limner.encode.onnx import OnnxEncoder
from limner.index.catalogue import Catalogue
from limner.index.dense import DenseIndex
timed(Catalogue, "__init__", "open the catalogue")
timed(Bundle, "load", "load and verify the bundle")
timed(OnnxEncoder, "prepare", "load the tokenizer, encode the query")
timed(OnnxEncoder, "encode", "load the graph, encode the query")
timed(DenseIndex, "search", "open the vectors, search them")
timed(Catalogue, "get", "read the items of the hits")
running = time.perf_counter()
code = run(arguments)
print(json.dumps([parts, time.time()]), file=sys.stderr)
sys.exit(code)
"""


def write_pictures(folder: Path, count: int, seed: int) -> None:
    """Small JPEG files, each with a caption in a .txt beside it."""
    folder.mkdir()
    for index in range(count):
        rng = Random(f"{seed}/{index}")
        picture = Image.frombytes("RGB", (6, 4), rng.randbytes(72)).resize((96, 64), Image.Resampling.BICUBIC)
        exif = Image.Exif()
        exif[0x0110] = f"Camera {rng.randrange(5)}"
        exif.get_ifd(0x8769)[0x9003] = f"{rng.randrange(2000, 2025)}:{rng.randrange(1, 13):02}:01 12:00:00"
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG", quality=85, exif=exif)
        (folder / f"{index:06}.jpg").write_bytes(buffer.getvalue())
        caption = f"a {rng.choice(COLOURS)} {rng.choice(THINGS)} and a {rng.choice(COLOURS)} {rng.choice(THINGS)}\n"
        (folder / f"{index:06}.txt").write_text(caption, encoding="utf-8")


def measured(command: Sequence[str], folder: Path) -> tuple[float, float]:
    """Seconds from start to end of a process, and its peak memory in MB.

    The system counts the memory of the parent as the child's until that starts its program: so this
    program imports neither numpy nor limner's encoder, and stays smaller than anything it measures.
    """
    started = time.perf_counter()
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{command[0]} ended with {process.returncode}")
    return seconds, usage.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def finish(command: Sequence[str], folder: Path | None = None) -> str:
    """Run a process to its good end; returns what it printed."""
    run = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, text=True)
    if run.returncode:
        sys.exit(f"{' '.join(command)} ended with {run.returncode}")
    return run.stdout


def search_parts(search: Sequence[str]) -> dict[str, float]:
    """Seconds of each part of one search."""
    started = time.time()
    command = [sys.executable, "-c", PARTS, repr(started), *search]
    run = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    ended = time.time()
    if run.returncode:
        sys.exit(f"limner search ended with {run.returncode}: {run.stderr}")
    parts: dict[str, float]
    parts, left = json.loads(run.stderr.splitlines()[-1])
    parts["end of the process"] = ended - left
    return {**parts, "everything else": ended - started - sum(parts.values())}


def make_collection(place: Path, count: int, seed: int, model: str | None) -> tuple[Path, str]:
    """A collection of new pictures; returns its folder and the fingerprint of its model."""
    pictures, collection = place / "pictures", place / "collection.limner"
    write_pictures(pictures, count, seed)
    limner = [sys.executable, "-m", "limner"]
    named = ["--model", model] if model else []
    finish([*limner, "index", str(pictures), "-c", str(collection), *named])
    status = json.loads(finish([*limner, "status", "--json", "-c", str(collection)]))
    if status["items"] != count:
        sys.exit(f"{status['items']} of {count} pictures were indexed")
    return collection, status["model_fingerprint"]


def take_turns(commands: dict[str, list[str]], folder: Path, repeats: int) -> dict[str, list[tuple[float, float]]]:
    """(seconds, MB) of each command in each turn; one turn before the first is not counted."""
    turns: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    for _ in range(repeats + 1):
        for name, command in commands.items():
            turns[name].append(measured(command, folder))
    return {name: values[1:] for name, values in turns.items()}


def evaluate(
    turns: dict[str, list[tuple[float, float]]], parts: Sequence[dict[str, float]]
) -> dict[str, dict[str, dict[str, float]]]:
    """Each number as median, least and most."""
    limner = [seconds for seconds, _ in turns["limner search"]]
    return {
        "seconds": {name: spread([seconds for seconds, _ in values]) for name, values in turns.items()},
        "peak MB": {name: spread([memory for _, memory in values]) for name, values in turns.items()},
        "limner search / it": {
            name: spread([own / seconds for own, (seconds, _) in zip(limner, values, strict=True)])
            for name, values in turns.items()
            if name != "limner search"
        },
        "parts of a search, seconds": {name: spread([part[name] for part in parts]) for name in parts[0]},
    }


def print_result(result: dict[str, dict[str, dict[str, float]]], pictures: int) -> None:
    print(f"{pictures:,} pictures")
    for title, rows in result.items():
        print(f"\n{title:40} {'median':>9} {'least':>9} {'most':>9}")
        digits = 0 if title == "peak MB" else 3
        for name, values in rows.items():
            print(f"{name:40} " + " ".join(f"{value:9,.{digits}f}" for value in values.values()))


def main() -> int:
    parser = options(__doc__)
    parser.add_argument("--pictures", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=10)
    arguments = parser.parse_args()
    if arguments.pictures < 1 or arguments.repeats < 1:
        parser.error("needs 1 picture and 1 repeat at least")
    with workplace(arguments.keep) as place:
        collection, fingerprint = make_collection(place, arguments.pictures, arguments.seed, arguments.model)
        search = ["search", QUERY, "-k", "10", "-c", str(collection)]
        commands = {
            "limner search": [sys.executable, "-m", "limner", *search],
            "floor": [sys.executable, "-c", "import numpy, onnxruntime"],
        }
        if rclip := shutil.which("rclip"):
            finish([rclip, QUERY], place / "pictures")
            commands["rclip"] = [rclip, "--no-indexing", "--top", "10", QUERY]
        else:
            print("rclip is not installed: no peer to compare with")
        turns = take_turns(commands, place / "pictures", arguments.repeats)
        parts = [search_parts(search) for _ in range(arguments.repeats)]
    result = evaluate(turns, parts)
    print_result(result, arguments.pictures)
    store(arguments, fingerprint, {"pictures": arguments.pictures, **result})
    return 0


if __name__ == "__main__":
    sys.exit(main())
