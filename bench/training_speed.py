"""Training speed beside open_clip's trainer: the same towers, batch, pictures and machine, one after the other.

Both train a small CLIP (vision transformer of 4 layers over 64 px pictures, text transformer of 4 layers, width 192,
a vocabulary of 49,408) on the same drawn pictures with captions, in batches of 256, with two threads. Each is a
process of its own; counted are pictures a second after the first quarter of the steps, and the largest resident
memory of the process with its loaders. open_clip runs as its users start it (`python -m open_clip_train.main`), with
0, 1 and 2 loading processes, of which the quickest counts. They take turns, `--repeats` times.

Needs `pip install --group bench` (used by this bench alone).
"""

from __future__ import annotations

import contextlib
import csv
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
from harness import options, spread, store, workplace
from PIL import Image

SIZE, BATCH, WIDTH, DEPTH, HEADS, WORDS, DIMENSION, VOCABULARY = 64, 256, 192, 4, 3, 32, 128, 49_408
THEIRS = {
    "embed_dim": DIMENSION,
    "vision_cfg": {"image_size": SIZE, "layers": DEPTH, "width": WIDTH, "head_width": 64, "patch_size": 16},
    "text_cfg": {
        "context_length": WORDS,
        "vocab_size": VOCABULARY,
        "width": WIDTH,
        "heads": HEADS,
        "layers": DEPTH,
    },
}
LOADERS = (0, 1, 2)
TORCHVISION = """
import torch
try:
    import torchvision
except RuntimeError:  # built for another torch: its operators do not load, and none is used here
    for name in ("nms", "qnms"):
        torch.library.define(f"torchvision::{name}", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
"""


@dataclass(frozen=True)
class Timed:
    pictures_a_second: float
    peak_megabytes: float


def write_pairs(folder: Path, count: int, seed: int) -> None:
    """PNG files, and pairs.csv as open_clip reads it."""
    from limner.data.world import render_batch

    pictures, captions = render_batch(seed, 0, count, SIZE)
    with (folder / "pairs.csv").open("w", newline="") as file:
        table = csv.writer(file, delimiter="\t")
        table.writerow(["filepath", "title"])
        for row, (picture, texts) in enumerate(zip(pictures, captions, strict=True)):
            path = folder / f"{row}.png"
            Image.fromarray(picture).save(path)
            table.writerow([path, texts[row % len(texts)]])


def ours(folder: Path, steps: int, precision: str) -> None:
    """Train in this process; the log tells the speed."""
    import numpy as np
    import torch

    from limner.data.corpus import Corpus, Text
    from limner.data.sources import open_source
    from limner.encode.tokenizer import train_tokenizer
    from limner.nn.towers.patch_transformer import PatchTower
    from limner.nn.towers.text_transformer import TextTower
    from limner.nn.two_towers import Towers
    from limner.objectives.contrast import Contrast
    from limner.train.batches import Augment, Batches, Sampling
    from limner.train.cache import cached_pictures
    from limner.train.loop import fit
    from limner.train.optimiser import Optimiser
    from limner.train.task import Task

    with (folder / "pairs.csv").open(newline="") as file:
        titles = {row["filepath"]: row["title"] for row in csv.DictReader(file, delimiter="\t")}
    items = [item for item in open_source(folder) if item.uri in titles]
    corpus = Corpus(
        "pairs", np.asarray(cached_pictures(items, folder / "cache.npy", SIZE)), [[Text(titles[i.uri])] for i in items]
    )
    tokenizer = train_tokenizer(titles.values(), 1000, WORDS + 32)
    towers = Towers(PatchTower(16, WIDTH, DEPTH, HEADS), TextTower(WIDTH, DEPTH, HEADS, dropout=0.0), DIMENSION)
    model = towers.build((3, SIZE, SIZE), VOCABULARY, WORDS + 32)
    optimiser = Optimiser(rate=1e-3, steps=steps, warmup=10)
    task = Task(model, [Contrast()], optimiser, half=precision == "amp_bf16")
    batches = Batches(corpus, tokenizer, Sampling(augment=Augment(least=0.9)), seed=0)
    torch.set_num_threads(2)
    fit(task, batches, folder / f"run-{time.time_ns()}", seed=0, log_every=max(1, steps // 4), report=_tell)


def _tell(report: object) -> None:
    print(f"{report.pictures_a_second} pictures/s", flush=True)  # type: ignore[attr-defined]


def our_command(folder: Path, steps: int, precision: str) -> list[str]:
    return [sys.executable, __file__, "--ours", str(folder), str(steps), precision]


def their_command(folder: Path, epochs: int, precision: str, loaders: int) -> list[str]:

    config = folder / "limner-bench.json"
    config.write_text(json.dumps(THEIRS))
    start = f"{TORCHVISION}import open_clip, sys; open_clip.add_model_config({str(config)!r}); "
    start += "from open_clip_train.main import main; "
    given = {
        "train-data": folder / "pairs.csv",
        "dataset-type": "csv",
        "model": "limner-bench",
        "batch-size": BATCH,
        "epochs": epochs,
        "workers": loaders,
        "precision": precision,
        "device": "cpu",
        "log-every-n-steps": 1,
        "warmup": 10,
        "logs": folder / "logs",
        "name": f"run-{time.time_ns()}",
        "save-frequency": 0,
        "lr": 1e-3,
    }
    return [sys.executable, "-c", start + "main(sys.argv[1:])", *(f"--{name}={value}" for name, value in given.items())]


def timed(command: list[str], pattern: str) -> Timed:
    """Run it, read its speeds, watch its memory and that of its children."""
    environment = os.environ | {"OMP_NUM_THREADS": "2", "CUDA_VISIBLE_DEVICES": ""}
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=environment)
        peak, watched = 0, psutil.Process(process.pid)
        while process.poll() is None:
            with contextlib.suppress(psutil.NoSuchProcess):
                peak = max(peak, sum(one.memory_info().rss for one in (watched, *watched.children(recursive=True))))
            time.sleep(0.05)
        output.seek(0)
        told = output.read()
    speeds = [float(found) for found in re.findall(pattern, told)]
    if process.returncode or not speeds:
        sys.exit(f"{' '.join(command[:3])} ...: ended with {process.returncode}\n{told[-2000:]}")
    counted = speeds[len(speeds) // 4 :]
    return Timed(len(counted) / sum(1 / speed for speed in counted), peak / 1e6)


def main() -> None:
    if "--ours" in sys.argv:
        _, _, folder, steps, precision = sys.argv
        ours(Path(folder), int(steps), precision)
        return
    parser = options(__doc__)
    parser.add_argument("--pictures", type=int, default=2560, help="drawn pictures (2560)")
    parser.add_argument("--epochs", type=int, default=4, help="over all of them (4)")
    parser.add_argument("--repeats", type=int, default=3, help="turns of each trainer (3)")
    parser.add_argument("--precision", default="fp32", choices=["fp32", "amp_bf16"])
    arguments = parser.parse_args()
    steps = arguments.pictures // BATCH * arguments.epochs
    with workplace(arguments.keep) as folder:
        write_pairs(folder, arguments.pictures, arguments.seed)
        own, peers = [], {loaders: [] for loaders in LOADERS}
        for _ in range(arguments.repeats):
            own.append(timed(our_command(folder, steps, arguments.precision), r"([\d.]+) pictures/s"))
            for loaders in LOADERS:
                command = their_command(folder, arguments.epochs, arguments.precision, loaders)
                peers[loaders].append(timed(command, r"([\d.]+)/s, "))
    speeds = {loaders: spread([one.pictures_a_second for one in turns]) for loaders, turns in peers.items()}
    best = max(LOADERS, key=lambda loaders: speeds[loaders]["median"])
    result = {
        "limner": _summary(own),
        "open_clip": {f"{loaders} loaders": _summary(turns) for loaders, turns in peers.items()},
        "quickest loaders": best,
        "speed ratio": _ratio(own, peers[best], "pictures_a_second"),
        "memory ratio": _ratio(own, peers[best], "peak_megabytes"),
    }
    print(json.dumps(result, indent=1))
    store(arguments, "", result)


def _summary(turns: list[Timed]) -> dict[str, dict[str, float]]:
    return {
        name: spread([round(getattr(turn, name), 1) for turn in turns])
        for name in ("pictures_a_second", "peak_megabytes")
    }


def _ratio(own: list[Timed], theirs: list[Timed], name: str) -> float:
    return round(spread([getattr(a, name) / getattr(b, name) for a, b in zip(own, theirs, strict=True)])["median"], 2)


if __name__ == "__main__":
    main()
