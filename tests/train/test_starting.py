"""A bundle holds all that it takes to go on training: graphs and torch agree, and the weights come back."""

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from limner.core.errors import BundleError, InputError
from limner.data.datasets import open_dataset
from limner.data.world import render_batch
from limner.encode.bundle import Bundle, default_bundle
from limner.encode.manifest import RecipeNote
from limner.encode.onnx import OnnxEncoder
from limner.encode.tokenizer import train_tokenizer
from limner.nn.adapters.layer_norm import LayerNorms
from limner.nn.adapters.lora import Lora
from limner.nn.adapters.projectors import Projectors
from limner.nn.adapters.prompts import Prompts
from limner.nn.adapters.side_network import SideNetwork
from limner.nn.blocks.similarity import FullBilinear
from limner.nn.heads.lexicon import Lexicon
from limner.nn.towers.convolutional_transformer import PictureTower
from limner.nn.towers.map_transformer import MapTower
from limner.nn.towers.text_transformer import TextTower
from limner.nn.two_towers import Towers
from limner.train.architecture import Architecture
from limner.train.bundling import About, bundle
from limner.train.starting import Built, FromBundle, open_run, start_from_bundle, with_lexicon

SIZE, CONTEXT = 32, 80
TOWERS = Towers(PictureTower((8, 8), 16, 1, heads=2), TextTower(16, 1, heads=2), 16)


@pytest.fixture(scope="module")
def pairs(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("pairs")
    pictures, captions = render_batch(3, 0, 24, SIZE, captions_each=2)
    with (folder / "pairs.jsonl").open("w") as lines:
        for row, (pixels, texts) in enumerate(zip(pictures, captions, strict=True)):
            Image.fromarray(pixels).save(folder / f"{row}.png")
            record = {"image": f"{row}.png", "captions": texts, "split": ("val", "test")[row % 2]}
            lines.write(json.dumps(record) + "\n")
    return folder / "pairs.jsonl"


def built(pairs: Path, *adapters, towers: Towers = TOWERS, shape=(3, SIZE, SIZE)) -> Built:
    """New weights, of which many are equal: ones and zeros are where an exporter might merge them."""
    texts = [text for item in open_dataset(pairs, "val").items for text in item.texts]
    tokenizer = train_tokenizer(texts, 300, CONTEXT)
    torch.manual_seed(2)
    architecture = Architecture(towers, shape, tokenizer.vocabulary_size, CONTEXT, adapters)
    model = architecture.build().eval()
    for name, value in model.named_parameters():
        if "lora_B" in name:
            nn.init.normal_(value, std=0.1)
    return Built(model, architecture, tokenizer)


def bundled(one: Built, pairs: Path, folder: Path) -> Bundle:
    splits = [open_dataset(pairs, split) for split in ("val", "test")]
    return bundle(one, About("A test.", "Drawn.", "None."), RecipeNote("test", "0" * 12, 0, ""), *splits, folder)


@pytest.mark.parametrize(
    "adapters",
    [(), (Lora(rank=2),), (LayerNorms(),), (Prompts(2),), (SideNetwork(),), (Projectors(),), (Prompts(2), Lora(2))],
    ids=repr,
)
def test_training_goes_on_where_the_bundle_is(pairs, tmp_path, adapters):
    one = built(pairs, *adapters)
    made = bundled(one, pairs, tmp_path / "mine")
    model, tokenizer = start_from_bundle(made.path)
    assert tokenizer.to_json() == one.tokenizer.to_json()
    ids = torch.tensor([tokenizer.encode("a red circle on blue")])
    pixels = torch.rand(2, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0))
    model.eval()
    # The weights went through half precision.
    torch.testing.assert_close(model.text(ids), one.model.text(ids), atol=2e-3, rtol=0)
    torch.testing.assert_close(model.image(pixels), one.model.image(pixels), atol=2e-3, rtol=0)
    torch.testing.assert_close(model.scale(), one.model.scale())
    # And the graphs compute what the model that came back does.
    dense = OnnxEncoder(made).encode("text", [ids[0].tolist()])["dense"].values
    np.testing.assert_allclose(dense, model.text(ids).detach().numpy(), atol=1e-4)
    assert "Lora" not in json.dumps(made.manifest.architecture)
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_weighted_words_go_through_a_bundle(pairs, tmp_path):
    one = built(pairs, towers=dataclasses.replace(TOWERS, lexicon=Lexicon(text_words=5)))
    made = bundled(one, pairs, tmp_path / "mine")
    assert [(space.name, space.kind) for space in made.manifest.spaces] == [("dense", "dense"), ("lexical", "sparse")]
    assert made.manifest.calibration.keys() == {"dense", "lexical"}
    model, tokenizer = start_from_bundle(made.path)
    assert model.lexicon.text_words == 5
    ids = torch.tensor([tokenizer.encode("a red circle on blue")])
    with torch.no_grad():
        ours, theirs = (each.eval().encode_text(ids, torch.arange(1)).lexicon for each in (one.model, model))
    torch.testing.assert_close(theirs, ours, atol=0.05, rtol=0)  # the weights went through half precision
    encoder = OnnxEncoder(made)
    given = encoder.encode("text", [ids[0].tolist()])["lexical"]
    wanted = model.lexicon.exported_texts(theirs)[0]
    assert given.indices.tolist() == wanted.nonzero()[:, 0].tolist()
    np.testing.assert_allclose(given.values, wanted[wanted > 0].numpy(), atol=1e-4)
    assert encoder.bare_words("a red circle").vocabulary_size == encoder.spaces["lexical"].size


def test_a_bundle_without_weighted_words_can_get_some(pairs, tmp_path):
    made = bundled(built(pairs), pairs, tmp_path / "mine")
    plain = FromBundle.at(str(made.path)).open()
    assert with_lexicon(plain, None) is plain
    given = with_lexicon(plain, Lexicon(4))
    assert given.architecture.towers == dataclasses.replace(TOWERS, lexicon=Lexicon(4))
    assert given.model.encode_text(torch.tensor([[1, 9, 2]]), torch.arange(1)).lexicon.shape == (1, 300)
    assert with_lexicon(given, Lexicon(4)) is given


def test_the_bundled_model_can_go_on():
    model, tokenizer = start_from_bundle(default_bundle())
    encoder = OnnxEncoder(Bundle.load(default_bundle()))
    picture = Image.linear_gradient("L").convert("RGB")
    pixels = torch.from_numpy(np.array(encoder.prepare("image", picture))[None]).permute(0, 3, 1, 2).float() / 255
    ids = [tokenizer.encode("two dogs run on the beach")]
    with torch.no_grad():
        for name, mine, prepared in (
            ("image", model.eval().image(pixels), [encoder.prepare("image", picture)]),
            ("text", model.text(torch.tensor(ids)), ids),
        ):
            given = encoder.encode(name, prepared)["dense"].values
            np.testing.assert_allclose(mine.numpy(), given, atol=1e-3)


def changed(made: Bundle, folder: Path, change) -> Path:
    """A copy of the bundle whose manifest says something else."""
    shutil.copytree(made.path, folder)
    record = json.loads((folder / "bundle.json").read_text())
    change(record)
    (folder / "bundle.json").write_text(json.dumps(record))
    return folder


def test_what_does_not_fit_is_said(pairs, tmp_path):
    made = bundled(built(pairs), pairs, tmp_path / "mine")
    silent = changed(made, tmp_path / "silent", lambda record: record.pop("architecture"))
    with pytest.raises(BundleError, match="does not say its architecture"):
        start_from_bundle(silent)
    unknown = changed(
        made, tmp_path / "unknown", lambda record: record["architecture"]["towers"].update({"": "System"})
    )
    with pytest.raises(BundleError, match="names 'System', which this limner does not have"):
        start_from_bundle(unknown)
    deeper = changed(made, tmp_path / "deep", lambda record: record["architecture"]["towers"]["text"].update(depth=2))
    with pytest.raises(BundleError, match=r"not of its architecture \(text\.tower\.blocks\.1"):
        start_from_bundle(deeper)
    wider = changed(made, tmp_path / "wide", lambda record: record["architecture"]["towers"].update(dimension=8))
    with pytest.raises(BundleError, match="not of its architecture"):
        start_from_bundle(wider)
    start = FromBundle.at(str(made.path))
    assert start.open().architecture == built(pairs).architecture
    with pytest.raises(BundleError, match="is not the bundle that the experiment begins at"):
        dataclasses.replace(start, fingerprint="0" * 64).open()


def test_what_no_bundle_can_hold_is_refused(pairs, tmp_path):
    with pytest.raises(InputError, match="reads maps of a frozen backbone"):
        bundled(built(pairs, towers=Towers(MapTower(16), TOWERS.text, 16), shape=(4, 6)), pairs, tmp_path / "maps")
    with pytest.raises(InputError, match="compared by cosine"):
        bundled(built(pairs, towers=dataclasses.replace(TOWERS, similarity=FullBilinear())), pairs, tmp_path / "other")
    with pytest.raises(InputError, match="not the folder of a finished run"):
        open_run(tmp_path)
