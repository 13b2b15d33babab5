"""What each way to adapt the bundled model costs: parameters trained, memory of a step, time of a step.

One training step (forward, backward, AdamW) on the same batch of drawn noise, in a process of its own for each way.
Memory is what the step adds to the most memory that the process had resident before it; "states" gives the projectors
what the frozen image tower said of each place before, as the recipe `finetune` does.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

import torch
from harness import store
from torch import Tensor, nn

from limner.encode.bundle import Bundle, find_bundle
from limner.nn.adapters.layer_norm import LayerNorms
from limner.nn.adapters.lora import Lora
from limner.nn.adapters.projectors import Projectors
from limner.nn.adapters.prompts import Prompts
from limner.nn.adapters.side_network import SideNetwork
from limner.nn.two_towers import TwoTowers
from limner.train.starting import start_from_bundle

MODEL = "small"
ADAPTERS = {
    "all weights": None,
    "lora": Lora(),
    "prompts": Prompts(),
    "layer norms": LayerNorms(),
    "side network": SideNetwork(),
    "projectors": Projectors(),
    "projectors, states": Projectors(),
}
SIZE, WORDS = 112, 12
MEBIBYTE = 2**20


def step(way: str, batch: int, seed: int) -> dict[str, float]:
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    model, tokenizer = start_from_bundle(find_bundle(MODEL))
    if adapter := ADAPTERS[way]:
        adapter.attach(model)
    model.train()
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    pictures, ids = torch.rand(batch, 3, SIZE, SIZE), torch.randint(3, tokenizer.vocabulary_size, (batch, WORDS))
    if way == "projectors, states":
        with torch.no_grad():
            pictures = torch.cat([model.image.tower.trunk(part) for part in pictures.split(8)])
    update(model, trained, pictures[:4], ids[:4])  # what a first call allocates for good is not the step's
    before, began = peak(), time.perf_counter()
    update(model, trained, pictures, ids)
    return {
        "trained": sum(parameter.numel() for parameter in trained),
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "mebibytes": (peak() - before) / MEBIBYTE,
        "seconds": time.perf_counter() - began,
    }


def update(model: TwoTowers, trained: list[nn.Parameter], pictures: Tensor, ids: Tensor) -> None:
    group = torch.arange(len(ids))
    optimiser = torch.optim.AdamW(trained, 1e-4)
    image, text = model.encode_image(pictures, group), model.encode_text(ids, group)
    nn.functional.cross_entropy(model.scale() * model.similarity(image, text), group).backward()
    optimiser.step()
    optimiser.zero_grad(set_to_none=True)


def peak() -> int:
    """Bytes: the most that this process has had resident."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def measure(way: str, arguments: argparse.Namespace) -> dict[str, float]:
    """`step` in a new process, whose memory nothing else has stretched."""
    # Freed memory goes back at once; else the next tensor finds it, or does not, by chance.
    environment = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, __file__, "--step", json.dumps([way, arguments.batch, arguments.seed])]
    asked = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return json.loads(asked.stdout.splitlines()[-1])


def main() -> None:
    arguments = parse()
    if arguments.step:
        print(json.dumps(step(*json.loads(arguments.step))))
        return
    rows: list[dict[str, object]] = []
    print(f"{'':20} {'trained':>11} {'share':>7} {'MiB a step':>11} {'of all':>7} {'time of all':>12}")
    found = {way: measure(way, arguments) for way in ADAPTERS}
    whole = found["all weights"]
    for way, one in found.items():
        row = {
            "way": way,
            "trained": int(one["trained"]),
            "share": one["trained"] / one["parameters"],
            "mebibytes": one["mebibytes"],
            "memory": one["mebibytes"] / whole["mebibytes"],
            "time": one["seconds"] / whole["seconds"],
        }
        rows.append(row)
        print(
            f"{way:20} {row['trained']:>11,} {row['share']:>7.1%} {row['mebibytes']:>11.1f} {row['memory']:>6.2f}x "
            f"{row['time']:>11.2f}x"
        )
    del arguments.step
    store(arguments, Bundle.load(find_bundle(MODEL)).fingerprint, {"ways": rows, "torch": version("torch")})


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=64, help="pairs of a step (64)")
    parser.add_argument("--seed", type=int, default=0, help="everything drawn by chance follows from it (0)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep the result and the machine's description here")
    parser.add_argument("--step", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
