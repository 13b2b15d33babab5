"""The recipe of the bundled model, whole, at a size of seconds: data, two stages, export, bundle, card."""

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

from limner.core.errors import InputError
from limner.data.world import render_batch
from limner.encode.onnx import OnnxEncoder
from limner.recipes.small import recipe
from limner.train.bundling import export_run
from limner.train.runs import Place, Run, measured
from limner.train.starting import open_run

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


@pytest.fixture(scope="module")
def stages(data, tmp_path_factory) -> tuple[Run, Run]:
    """Words and sight."""
    place, method = Place(tmp_path_factory.mktemp("runs"), data), recipe("debug").method
    return measured(method.start.experiment, 0, place), measured(method, 0, place)


def test_sight_is_taught_by_words_that_stand_still(stages):
    words, sight = stages
    log = [json.loads(line) for line in (sight.folder / "log.jsonl").read_text().splitlines()]
    assert {"contrast", "land", "see"} <= log[-1].keys()
    before, after = open_run(words.folder).model, open_run(sight.folder).model
    for name, value in before.text.state_dict().items():
        torch.testing.assert_close(after.text.state_dict()[name], value)
    assert after.log_scale != before.log_scale


def test_a_run_becomes_a_bundle(stages, data, tmp_path):
    bundle = export_run(stages[1].folder, tmp_path / "mine", data / "flickr8k")
    assert bundle.manifest.name == "mine"
    assert bundle.manifest.recipe.fingerprint == recipe("debug").method.fingerprint
    assert "text-to-image recall@10" in bundle.manifest.metrics
    assert "research" in bundle.card
    encoder = OnnxEncoder(bundle)
    prepared = [encoder.prepare("image", Image.new("RGB", (50, 30), colour)) for colour in ("red", "blue")]
    vectors = encoder.encode("image", prepared)["dense"].values
    assert vectors.shape == (2, 256)
    assert np.abs(vectors[0] - vectors[1]).max() > 1e-4


def test_the_first_stage_reads_no_pictures(stages, data, tmp_path):
    with pytest.raises(InputError, match="reads maps of a frozen backbone"):
        export_run(stages[0].folder, tmp_path / "words", data / "flickr8k")
