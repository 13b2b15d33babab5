"""Frozen encoders: their states computed once, what a step of training keeps, likeness against what is reached."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from train.toy import Toy, toy_experiment

from limner.core.errors import InputError
from limner.eval.cka import cka
from limner.nn.adapters.linear_probe import LinearProbe
from limner.nn.adapters.lora import Lora
from limner.nn.adapters.projectors import Projectors
from limner.nn.adapters.side_network import SideNetwork
from limner.nn.blocks.transformer import masked_mean
from limner.nn.towers.map_transformer import MapTower
from limner.nn.towers.stored_maps import StoredTower
from limner.nn.towers.text_transformer import TextTower
from limner.nn.two_towers import Towers
from limner.train.corpora.encoded import Encoded
from limner.train.evaluations.alignment import Alignment, pooled_features
from limner.train.evaluations.retrieval import Retrieval
from limner.train.evaluations.training_cost import TrainingCost, saved_bytes
from limner.train.experiment import Start
from limner.train.runs import Place, train

TOWERS = Towers(MapTower(32, depth=3, heads=2, dropout=0.0), TextTower(32, 3, 2, dropout=0.0), dimension=16)


def inputs(pairs: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(pairs, 9, 12, generator=generator), torch.randint(1, 50, (pairs, 7), generator=generator)


def kept(adapter: object, pairs: int = 8) -> int:
    model = TOWERS.build((9, 12), 50, 24)
    if adapter:
        adapter.attach(model)  # type: ignore[attr-defined]
    return saved_bytes(model.train(), *inputs(pairs))


def test_what_is_kept_grows_with_the_batch_and_not_with_the_parameters() -> None:
    assert kept(None, 32) == pytest.approx(4 * kept(None, 8), rel=0.1)
    wide = dataclasses.replace(TOWERS, text=TextTower(32, 3, 2, 0.0)).build((9, 12), 5000, 24)
    assert saved_bytes(wide.train(), *inputs(8)) == pytest.approx(kept(None), rel=0.01)


def test_no_gradient_through_the_trunk_keeps_little() -> None:
    whole, lora, side, probe = map(kept, (None, Lora(rank=2), SideNetwork(reduction=4), LinearProbe()))
    assert probe < side < lora / 2
    assert lora <= 1.1 * whole


def test_one_linear_layer_by_hand() -> None:
    """Of the probe, autograd keeps what the two projections, pooling and normalising read: no map, no states."""
    model = TOWERS.build((9, 12), 50, 24)
    model.requires_grad_(False)
    assert saved_bytes(model, *inputs(8)) == 0
    model.text.project.bias.requires_grad_(True)
    few = saved_bytes(model, *inputs(8))
    assert 0 < few < 8 * 16 * 4 * 8


def test_cost_of_an_experiment(tmp_path) -> None:
    trained = train(toy_experiment(), 0, Place(tmp_path))
    found = TrainingCost(TOWERS, LinearProbe(), pairs=16)(trained)
    # Of the picture: attention 32 + 1, projection 64 * 16 + 16; of the text: 32 * 16 + 16.
    assert found["trained parameters"].mean == 33 + 1040 + 528
    assert found["kept for the way back, MiB"].mean < TrainingCost(TOWERS)(trained)["kept for the way back, MiB"].mean


def encoded(tmp_path) -> tuple[Encoded, Place]:
    return Encoded(Toy(), toy_experiment()), Place(tmp_path)


def test_states_are_those_of_the_tower_and_made_once(tmp_path) -> None:
    data, place = encoded(tmp_path)
    corpora, plain = data.load(place), Toy().load(place)
    tower = train(toy_experiment(), 0, place).model.image.tower
    with torch.no_grad():
        wanted = tower(torch.from_numpy(plain.test.images).float()).numpy()
    np.testing.assert_allclose(corpora.test.images, wanted, atol=1e-2)
    assert corpora.train.texts == plain.train.texts
    files = sorted(place.cache.glob("states-*"))
    times = [file.stat().st_mtime_ns for file in files]
    data.load(place)
    assert len(files) == 3
    assert [file.stat().st_mtime_ns for file in files] == times


def test_likeness_of_the_encoders_is_that_before_the_projectors(tmp_path) -> None:
    data, place = encoded(tmp_path)
    reader = toy_experiment()
    pairs = tuple(
        reader.replace(
            name=f"{steps} steps",
            data=data,
            model=Towers(StoredTower(16), TextTower(16, 1, 2), dimension=16),
            start=Start(reader, ("text",)),
            adapter=Projectors(),
            optimiser=dataclasses.replace(reader.optimiser, steps=steps),
        )
        for steps in (2, 12, 30)
    )
    trained = train(pairs[0], 0, place)
    found = Alignment(pairs)(trained)
    start = train(reader, 0, place)
    texts = start.encode_texts([some[0].text for some in trained.corpora.validation.texts])
    pictures = trained.corpora.validation.images.astype(np.float32).mean(1)
    wanted = cka(pictures, masked_mean(texts.states, texts.mask).numpy())
    for pair in pairs:
        assert found[f"{pair.name}: CKA"].mean == pytest.approx(wanted, abs=1e-4)
        own = Retrieval()(train(pair, 0, place))["text-to-image recall@1"]
        np.testing.assert_array_equal(found[f"{pair.name}: recall@1"].values, own.values)
    assert repr(Alignment(pairs)) == f"Alignment({', '.join(pair.fingerprint for pair in pairs)})"
    assert pooled_features(trained, trained.corpora.test)[0].shape == (24, 16)


def test_maps_of_other_channels_are_refused() -> None:
    with pytest.raises(InputError, match="12 channels"):
        StoredTower(16).build((9, 12))
