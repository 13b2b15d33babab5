"""The recipe of the bundled model, whole, at a size of seconds: data, two stages, export, bundle, card."""

import dataclasses
import io
import json
import tarfile
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from limner.data.world import render_batch
from limner.encode.bundle import Bundle
from limner.encode.onnx import OnnxEncoder
from limner.recipes.small import Small, make
from limner.train.task import Optimiser

COUNT = 24


def write_set(folder: Path, seed: int, splits: tuple[str, ...]) -> None:
    """Scenes in the layout of a data set: images.tar and captions.jsonl."""
    folder.mkdir(parents=True)
    pictures, captions = render_batch(seed, 0, COUNT * len(splits), 48)
    with tarfile.open(folder / "images.tar", "w") as archive, (folder / "captions.jsonl").open("w") as lines:
        for row, (pixels, texts) in enumerate(zip(pictures, captions, strict=True)):
            file = io.BytesIO()
            Image.fromarray(pixels).save(file, "PNG")
            member = tarfile.TarInfo(f"{row}.png")
            member.size = file.tell()
            archive.addfile(member, io.BytesIO(file.getvalue()))
            labels = ["shape"] if row % 2 else []
            split = splits[row % len(splits)]
            lines.write(json.dumps({"image": f"{row}.png", "captions": texts, "labels": labels, "split": split}) + "\n")


def write_teacher(path: Path) -> None:
    """A graph with the teacher's contract: colours averaged over 7 x 7 places, 8 channels."""
    weights = np.random.default_rng(0).normal(size=(8, 3, 1, 1)).astype(np.float32)
    nodes = [
        helper.make_node("AveragePool", ["image"], ["small"], kernel_shape=[32, 32], strides=[32, 32]),
        helper.make_node("Conv", ["small", "weights"], ["map"]),
    ]
    graph = helper.make_graph(
        nodes,
        "teacher",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, 224, 224])],
        [helper.make_tensor_value_info("map", TensorProto.FLOAT, ["n", 8, 7, 7])],
        [numpy_helper.from_array(weights, "weights")],
    )
    path.parent.mkdir(parents=True)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_set(folder / "flickr8k", 0, ("train", "val", "test"))
    write_set(folder / "photo-pool", 1, ("train",))
    write_teacher(folder / "teachers" / "imagenet-backbone.onnx")
    return folder


def tiny(steps: int) -> Small:
    optimiser = Optimiser(rate=1e-3, steps=steps, warmup=1)
    return dataclasses.replace(
        Small(), vocabulary=700, channels=6, scenes=16, words=optimiser, words_batch=16, sight=optimiser, sight_batch=12
    )


# Tracing fixes the sizes that are constants of the model, and says so.
@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning", "ignore::DeprecationWarning")
def test_the_whole_recipe(data, tmp_path):
    bundle = Bundle.load(make(tiny(3), data, tmp_path))
    assert bundle.manifest.name == "small"
    assert bundle.size < 15e6
    assert "text-to-image recall@10" in bundle.manifest.metrics
    assert "research" in bundle.card
    encoder = OnnxEncoder(bundle)
    prepared = [encoder.prepare("image", Image.new("RGB", (50, 30), colour)) for colour in ("red", "blue")]
    vectors = encoder.encode("image", prepared)["dense"].values
    assert vectors.shape == (2, 256)
    assert np.abs(vectors[0] - vectors[1]).max() > 1e-4
    # The same again takes everything from where it was kept, and ends in the same vectors.
    again = Bundle.load(make(tiny(3), data, tmp_path))
    assert again.fingerprint == bundle.fingerprint
    assert torch.load(tmp_path / "sight" / "checkpoint.pt", weights_only=True)["step"] == 3
