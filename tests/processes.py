"""Run a function in several processes that talk through gloo, and get what each of them returns."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.multiprocessing


def run_in_processes(function: Callable[..., Any], count: int, *arguments: Any) -> list[Any]:
    """`function(*arguments)` in each of `count` new processes, a group of torch.distributed; what they return, by rank.

    The function must be one of a module that a new interpreter can import: a `workers.py`, not a test file. It
    returns tensors, numbers, strings, or dicts and lists of them.
    """
    with tempfile.TemporaryDirectory() as folder:
        torch.multiprocessing.spawn(_one, (function, count, folder, arguments), nprocs=count)
        return [torch.load(Path(folder, f"{rank}.pt"), weights_only=True) for rank in range(count)]


def _one(rank: int, function: Callable[..., Any], count: int, folder: str, arguments: tuple[Any, ...]) -> None:
    torch.set_num_threads(1)
    if sys.platform == "linux":
        os.environ["GLOO_SOCKET_IFNAME"] = "lo"  # the machine's own name need not resolve
    dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=count)
    try:
        torch.save(function(*arguments), Path(folder, f"{rank}.pt"))
        dist.barrier()  # one that leaves while another still meets it would end with an abort
    finally:
        dist.destroy_process_group()
