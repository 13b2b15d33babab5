"""What test_launch.py starts in several processes: a toy training without random draws, its weights written down."""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from accelerate import Accelerator
from safetensors.torch import save_file
from train.toy import toy_experiment

from limner.nn.towers.map_transformer import MapTower
from limner.nn.towers.text_transformer import TextTower
from limner.nn.two_towers import Towers
from limner.train.batches import Batches
from limner.train.loop import fit
from limner.train.runs import Place, tokenizer_of
from limner.train.task import Task

EXPERIMENT = toy_experiment(
    model=Towers(MapTower(16, 1, 2, dropout=0.0), TextTower(16, 1, 2, dropout=0.0), dimension=16)
)


def main(folder: Path) -> None:
    corpora = EXPERIMENT.data.load(Place(folder))
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = tokenizer_of(EXPERIMENT, corpora, folder)
    torch.manual_seed(0)
    model = EXPERIMENT.model.build(corpora.train.images.shape[1:], tokenizer.vocabulary_size, tokenizer.context_length)
    accelerator = Accelerator(cpu=True)
    task = Task(model, EXPERIMENT.objectives, EXPERIMENT.optimiser, accelerator=accelerator)
    fit(task, Batches(corpora.train, tokenizer, EXPERIMENT.sampling, seed=0), folder, seed=0, log_every=1)
    save_file(task.model.state_dict(), folder / f"weights-{accelerator.process_index}.safetensors")
    print(f"process {accelerator.process_index} of {accelerator.num_processes}")


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(Path(sys.argv[1]))
