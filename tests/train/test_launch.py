"""In two processes, as torchrun and accelerate launch start them, a training gives the losses and weights of one."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from train.launched import main

SCRIPT = Path(__file__).with_name("launched.py")


def launch(folder: Path) -> list[str]:
    """Two processes with the environment that torchrun gives them; what each printed."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    common = {"PYTHONPATH": str(SCRIPT.parents[1]), "GLOO_SOCKET_IFNAME": "lo", "WORLD_SIZE": "2"}
    common |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    started = [
        subprocess.Popen(
            [sys.executable, str(SCRIPT), str(folder)],
            env=os.environ | common | {"RANK": rank, "LOCAL_RANK": rank},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank in ("0", "1")
    ]
    told = [process.communicate(timeout=200)[0] for process in started]
    assert [process.returncode for process in started] == [0, 0], told
    return told


def test_two_processes_train_as_one(tmp_path):
    (tmp_path / "two").mkdir()
    assert "process 1 of 2" in launch(tmp_path / "two")[1]
    main(tmp_path / "one")
    logs = [
        [json.loads(line)["contrast"] for line in (tmp_path / name / "log.jsonl").read_text().splitlines()]
        for name in ("one", "two")
    ]
    assert len(logs[0]) == 12
    assert logs[1] == pytest.approx(logs[0], rel=2e-3)  # a wrong gradient would part them within a few steps
    weights = [load_file(tmp_path / "two" / f"weights-{rank}.safetensors") for rank in (0, 1)]
    for name, value in weights[0].items():
        assert torch.equal(value, weights[1][name]), name
