"""Data sets of drawn scenes in the layout of the real ones, and a teacher with the real one's contract."""

import io
import json
import tarfile
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from limner.data.world import render_batch

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


def write_sets(folder: Path) -> Path:
    """All that the recipe of the bundled model reads at debug size."""
    write_set(folder / "flickr8k", 0, ("train", "val", "test"))
    write_set(folder / "photo-pool", 1, ("train",))
    write_teacher(folder / "teachers" / "imagenet-backbone.onnx")
    return folder
