"""From files to a report: an encoder of colours, whose answers are known, on pictures that are drawn here."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from limner.core.errors import InputError
from limner.core.protocols import Encoder
from limner.core.types import Dense, Modality, Representations, Space
from limner.data.datasets import Dataset, open_dataset
from limner.eval.metrics import Recall, Success
from limner.eval.report import RSUM, evaluate_run
from limner.eval.trec import read_qrels, read_run
from limner.measure.model import measure

COLOURS = {
    "red": (255, 0, 0),
    "green": (0, 128, 0),
    "blue": (0, 0, 255),
    "yellow": (255, 255, 0),
    "pink": (255, 192, 203),
}


class ColourEncoder:
    """A picture is its mean colour, a caption the colour that it names; three words are its whole context."""

    fingerprint = "c0104e" * 8
    modalities: frozenset[Modality] = frozenset({"image", "text"})
    picture_side = 1

    def __init__(self, spaces: Sequence[str] = ("colour",)) -> None:
        self.spaces: Mapping[str, Space] = {name: Space(name, "dense", 3, "cosine") for name in spaces}

    def prepare(self, modality: Modality, content: Any) -> Any:
        if modality == "image":
            return np.asarray(content).mean(axis=(0, 1))
        words = content.split()
        if len(words) > 3:
            raise InputError(f"the text has {len(words)} words, the model takes 3: shorten it")
        return np.array(next(COLOURS[word] for word in words if word in COLOURS), np.float64)

    def encode(self, modality: Modality, prepared: Sequence[Any]) -> Representations:
        return {name: Dense(np.array(prepared, np.float32)) for name in self.spaces}

    def word(self, space: str, term: int) -> str:
        raise NotImplementedError("no space of this model is sparse")

    grid = None

    def pieces(self, text: str) -> list[str]:
        return text.split()

    def calibrate(self, space: str, question: Modality, scores: Any) -> Any:
        return scores


def make_dataset(folder: Path, extra: Sequence[Mapping[str, object]] = ()) -> Dataset:
    rows = [{"image": f"{name}.png", "captions": [name, f"something {name}"], "split": "test"} for name in COLOURS]
    for name, colour in COLOURS.items():
        Image.new("RGB", (6, 6), colour).save(folder / f"{name}.png")
    (folder / "colours.jsonl").write_text("".join(json.dumps(row) + "\n" for row in (*rows, *extra)))
    return open_dataset(folder / "colours.jsonl")


def test_an_encoder_that_sees_all_is_perfect(tmp_path: Path) -> None:
    encoder = ColourEncoder()
    assert isinstance(encoder, Encoder)
    report = measure(encoder, make_dataset(tmp_path), name="colours", batch_size=3, threads=2)
    assert report.title == "colours test: 5 images, 10 captions, each searched in the whole pool of the other kind"
    assert report["text-to-image recall@1"].value == 1.0
    assert report["image-to-text success@1 (any of 2 captions)"].value == 1.0
    assert report[RSUM].value == pytest.approx(600.0)
    assert report.facts["model"] == "colours"
    assert report.facts["model fingerprint"] == encoder.fingerprint
    assert (report.facts["images in the split"], report.facts["captions in the split"]) == (5, 10)
    assert report.notes == ()


def test_what_cannot_be_used_is_counted_and_named(tmp_path: Path) -> None:
    extra = [
        {"image": "gone.png", "captions": ["red"], "split": "test"},
        {"image": "red2.png", "captions": ["a thing that is red", "a red"], "split": "test"},
    ]
    Image.new("RGB", (6, 6), "darkred").save(tmp_path / "red2.png")
    report = measure(ColourEncoder(), make_dataset(tmp_path, extra), batch_size=4, threads=1)
    assert report.title.startswith("colours test: 6 images, 11 captions")
    assert report.facts["images in the split"] == 7
    assert report.facts["captions in the split"] == 13
    assert report.notes == (
        f"Images left out, with their captions: 1; the first: {tmp_path}/gone.png: vanished.",
        "Captions left out: 1; the first: red2.png#0: the text has 5 words, the model takes 3: shorten it.",
    )
    assert "Captions left out" in report.text()


def test_a_limit_and_folds_are_said(tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path)
    report = measure(ColourEncoder(), dataset, batch_size=2, threads=1, limit=4, fold_size=2)
    assert "Only the first 4 of 5 images" in report.notes[0]
    assert "in 2 folds, each searched in its own pool of 2 images" in report.title
    with pytest.raises(InputError, match="folds of 3 images"):
        measure(ColourEncoder(), dataset, batch_size=2, threads=1, fold_size=3)


def test_trec_files_give_the_same_numbers(tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path)
    report = measure(ColourEncoder(), dataset, batch_size=2, threads=1, trec=tmp_path / "out")
    for direction, metric in (("text-to-image", Recall(1)), ("image-to-text", Success(1))):
        run, qrels = read_run(tmp_path / f"out/{direction}.run"), read_qrels(tmp_path / f"out/{direction}.qrels")
        again = evaluate_run(run, qrels, title=direction, metrics=[metric])
        row = next(row for row in report.rows if row.name.startswith(f"{direction} {metric.name}"))
        assert again.rows[0].value == row.value
        assert again.rows[0].queries == row.queries


def test_nothing_left_and_a_space_to_choose(tmp_path: Path) -> None:
    dataset = make_dataset(tmp_path)
    for name in COLOURS:
        (tmp_path / f"{name}.png").unlink()
    with pytest.raises(InputError, match=r"no caption is left to measure with\. Images left out, .* 5;"):
        measure(ColourEncoder(), dataset, batch_size=2, threads=1)
    dataset = make_dataset(tmp_path)
    two = ColourEncoder(spaces=("colour", "tint"))
    with pytest.raises(InputError, match="the dense ones of this model are colour, tint"):
        measure(two, dataset, batch_size=2, threads=1)
    assert "tint" in str(measure(two, dataset, batch_size=2, threads=1, space="tint").facts["space"])
