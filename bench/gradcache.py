"""Large batches in small memory: what one training step holds, with and without chunks and blocks, and what it sends.

One step of two small towers (dimension 256) is taken in a process of its own for each batch size and way:

    plain       the whole batch through the towers, `Contrast`
    blockwise   the whole batch through the towers, `BlockwiseContrast`
    chunks      `cached_backward` over chunks of the batch, `Contrast`
    both        `cached_backward` over chunks of the batch, `BlockwiseContrast`

Memory is what the step adds to the most memory that the process had resident before it. All ways must give the loss
and the gradient of the plain one: the exit code is 1 where one does not, to 1e-4 of the gradient's length.

Then several processes share one batch of vectors, and the bytes that each sends for the loss and its gradient are
counted: both sides gathered, or the blockwise loss's own exchange.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import torch
import torch.distributed as dist
import torch.multiprocessing
import torch.nn.functional as F
from harness import store
from torch import Tensor

from limner.core.features import Encoded, Features
from limner.nn.blocks.similarity import CosineSimilarity
from limner.nn.towers.map_transformer import MapTower
from limner.nn.towers.text_transformer import TextTower
from limner.nn.two_towers import Towers
from limner.objectives.blockwise import BlockwiseContrast, blockwise_contrast
from limner.objectives.contrast import Contrast
from limner.objectives.peers import Peers
from limner.train.gradcache import cached_backward
from limner.train.joining import join_features
from limner.train.processes import gather_features

DIMENSION, PLACES, CHANNELS, WORDS, VOCABULARY = 256, 4, 32, 8, 1000
WAYS = ("plain", "blockwise", "chunks", "both")
MEBIBYTE = 2**20


def step(way: str, batch: int, chunk: int, block: int, seed: int) -> dict[str, float]:
    """One step in this process: its memory in MiB, its time, its loss and the gradient's length and direction."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    towers = Towers(MapTower(64, dropout=0.0), TextTower(64, depth=1, heads=2, dropout=0.0), DIMENSION)
    model = towers.build((PLACES, CHANNELS), VOCABULARY, WORDS)
    maps, ids = torch.randn(batch, PLACES, CHANNELS), torch.randint(1, VOCABULARY, (batch, WORDS))
    objective = BlockwiseContrast(block) if way in ("blockwise", "both") else Contrast()
    every = torch.arange(batch)

    def encode(rows: Tensor) -> Features:
        image, text = model.encode_image(maps[rows], rows), model.encode_text(ids[rows], rows)
        return Features(image, text, model.scale(), model.similarity, torch.arange(len(rows)), rows)

    def losses(features: Features) -> dict[str, Tensor]:
        return {"loss": objective(features)}

    losses(encode(every[:8]))["loss"].backward()  # what a first call allocates for good is not the step's
    model.zero_grad(set_to_none=True)
    before, began = peak(), time.perf_counter()
    if way in ("chunks", "both"):
        named = cached_backward(encode, every.split(chunk), join_features, losses, Tensor.backward)
    else:
        named = losses(encode(every))
        named["loss"].backward()
    seconds, after = time.perf_counter() - began, peak()
    gradient = torch.cat([parameter.grad.flatten() for parameter in model.parameters() if parameter.grad is not None])
    probe = torch.randn(len(gradient), generator=torch.Generator().manual_seed(seed))
    return {
        "mebibytes": (after - before) / MEBIBYTE,
        "seconds": seconds,
        "loss": float(named["loss"].detach()),
        "length": float(gradient.norm()),
        "probe": float(gradient @ probe),
    }


def peak() -> int:
    """Bytes: the most that this process has had resident."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def measure(way: str, batch: int, arguments: argparse.Namespace) -> dict[str, float]:
    """`step` in a new process, whose memory nothing else has stretched."""
    settings = json.dumps([way, batch, arguments.chunk, arguments.block, arguments.seed])
    # Freed memory goes back at once; else the next tensor finds it, or does not, by chance.
    environment = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, __file__, "--step", settings]
    asked = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return json.loads(asked.stdout.splitlines()[-1])


def exchange(rank: int, count: int, batch: int, block: int, seed: int, folder: str) -> None:
    """Bytes that this process sends for its share of a batch of vectors, both ways."""
    torch.set_num_threads(1)
    if sys.platform == "linux":
        os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=count)
    generator = torch.Generator().manual_seed(seed)
    rows = torch.arange(batch).chunk(count)[rank]
    image, text = (F.normalize(torch.randn(batch, DIMENSION, generator=generator), dim=1)[rows] for _ in range(2))
    features = Features(
        Encoded(image.requires_grad_(), rows),
        Encoded(text.requires_grad_(), rows),
        torch.tensor(20.0),
        CosineSimilarity(),
        torch.arange(len(rows)),
        rows,
    )
    outcome = {}
    for name in ("gathered", "blockwise"):
        peers = Peers(dist.group.WORLD)
        if name == "gathered":
            loss = Contrast()(gather_features(features, peers))
        else:
            loss = blockwise_contrast(features.image, features.text, features.scale, block=block, peers=peers)
        loss.backward()
        outcome[name] = {"bytes": peers.traffic.sent, "loss": float(loss.detach())}
    if rank == 0:
        Path(folder, "outcome.json").write_text(json.dumps(outcome))
    dist.destroy_process_group()


def main() -> int:
    arguments = parse()
    if arguments.step:
        print(json.dumps(step(*json.loads(arguments.step))))
        return 0
    rows, exact = [], True
    print(f"{'batch':>6}  {'way':10} {'MiB':>8} {'of plain':>9} {'time of plain':>14} {'gradient off by':>16}")
    for batch in arguments.batches:
        found = {way: measure(way, batch, arguments) for way in WAYS}
        plain = found["plain"]
        for way, one in found.items():
            off = max(abs(one[name] - plain[name]) / plain["length"] for name in ("length", "probe"))
            exact &= off < 1e-4 and abs(one["loss"] - plain["loss"]) < 1e-4
            ratios = {"memory": one["mebibytes"] / plain["mebibytes"], "time": one["seconds"] / plain["seconds"]}
            rows.append({"batch": batch, "way": way, "mebibytes": one["mebibytes"], **ratios, "gradient_off": off})
            print(
                f"{batch:>6}  {way:10} {one['mebibytes']:>8.1f} {ratios['memory']:>8.2f}x {ratios['time']:>13.2f}x "
                f"{off:>16.1e}"
            )
    with tempfile.TemporaryDirectory() as folder:
        settings = (arguments.processes, arguments.shared, arguments.block, arguments.seed, folder)
        torch.multiprocessing.spawn(exchange, settings, nprocs=arguments.processes)
        sent = json.loads(Path(folder, "outcome.json").read_text())
    exact &= abs(sent["gathered"]["loss"] - sent["blockwise"]["loss"]) < 1e-4
    share = sent["blockwise"]["bytes"] / sent["gathered"]["bytes"]
    print(
        f"{arguments.processes} processes share {arguments.shared} pairs; each sends {sent['gathered']['bytes']:,} "
        f"bytes when both sides are gathered, {sent['blockwise']['bytes']:,} blockwise: {share:.2f}x"
    )
    result = {"steps": rows, "sent": {**sent, "ratio": share}, "exact": exact, "torch": version("torch")}
    arguments.batches = " ".join(map(str, arguments.batches))
    del arguments.step
    store(arguments, "", result)
    return 0 if exact else 1


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batches", type=int, nargs="+", default=[1024, 2048, 4096, 8192], help="pairs of a step")
    parser.add_argument("--chunk", type=int, default=256, help="pairs that are encoded at a time (256)")
    parser.add_argument("--block", type=int, default=1024, help="columns of logits that are held at a time (1024)")
    parser.add_argument("--processes", type=int, default=2, help="that share a batch (2)")
    parser.add_argument("--shared", type=int, default=4096, help="pairs of the batch that they share (4096)")
    parser.add_argument("--seed", type=int, default=0, help="everything drawn by chance follows from it (0)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep the result and the machine's description here")
    parser.add_argument("--step", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
