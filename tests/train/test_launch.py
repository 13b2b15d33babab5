"""Started by torchrun in two processes, a training gives the losses and weights of one process."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from train.launched import main

SCRIPT = Path(__file__).with_name("launched.py")


def test_two_processes_train_as_one(tmp_path):
    (tmp_path / "two").mkdir()
    environment = os.environ | {
        "PYTHONPATH": str(Path(__file__).parents[1]),
        "OMP_NUM_THREADS": "1",
        "GLOO_SOCKET_IFNAME": "lo",
    }
    rendezvous = ["--rdzv-backend=c10d", "--rdzv-endpoint=127.0.0.1:0", "--local-addr=127.0.0.1"]
    launch = ["-m", "torch.distributed.run", "--nproc-per-node=2", *rendezvous]
    done = subprocess.run(
        [sys.executable, *launch, str(SCRIPT), str(tmp_path / "two")], capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "process 1 of 2" in done.stdout

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
