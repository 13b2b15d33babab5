"""Whether wordings of the same lie together, and whether a latent is rebuilt, against models that are known to."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from train.known import known, vectors_of

from limner.core.errors import InputError
from limner.data.corpus import Corpus, Text
from limner.data.world import caption_rng, describe, scene_at
from limner.objectives.latent_reconstruction import LatentReconstruction
from limner.train.evaluations.paraphrases import Paraphrases
from limner.train.evaluations.rebuilt_latents import RebuiltLatents
from limner.train.trained import Trained


@pytest.fixture
def trained(tmp_path) -> Trained:
    scenes = [scene_at(5, index) for index in range(30)]
    texts = [[Text(describe(scene, caption_rng(5, row), "full").text)] for row, scene in enumerate(scenes)]
    images = vectors_of(np.random.default_rng(0).standard_normal((30, 8)))
    return known(Corpus("known", images, texts, truth=scenes), tmp_path)


def test_paraphrases_of_a_tower_that_reads_no_order(trained):
    """An untrained tower without attention or positions is near to a bag of words: like words, like vectors."""
    outcome = Paraphrases()(trained)
    same, above = (outcome[f"paraphrases: cosine{name}"] for name in ("", " above that of others"))
    assert len(same.values) == 30
    assert above.mean > 0
    assert outcome["paraphrases: success@1"].mean > 2 / 30


def test_a_collapsed_tower_has_near_paraphrases_but_finds_none(trained):
    nn.init.zeros_(trained.model.text.project.weight)
    outcome = Paraphrases()(trained)
    assert outcome["paraphrases: cosine"].mean == pytest.approx(1, abs=1e-5)
    assert outcome["paraphrases: cosine above that of others"].mean == pytest.approx(0, abs=1e-5)
    assert outcome["paraphrases: success@1"].mean < 0.3


def with_decoder(trained: Trained, right: bool) -> Trained:
    """Pictures whose vectors are directions of their own, and a decoder fitted to their texts or to others'."""
    head = LatentReconstruction(hidden=64).head(trained.model.eval())
    latents = trained.encode_texts([some[0].text for some in trained.corpora.test.texts]).latent
    head.text_scale.running_mean.copy_(latents.mean(0))
    head.text_scale.running_var.copy_(latents.var(0))
    head.eval()
    vectors = trained.encode_images(trained.corpora.test).vectors
    wanted = head.text_scale(latents)
    wanted = wanted if right else wanted.roll(1, 0)
    optimiser = torch.optim.Adam(head.image_to_text.parameters(), 0.02)
    for _ in range(200):
        optimiser.zero_grad()
        (head.image_to_text(vectors) - wanted).square().mean().backward()
        optimiser.step()
    return Trained(
        trained.model, nn.ModuleDict({"latent_reconstruction": head}), trained.memory, trained.tokenizer,
        trained.corpora, 0, trained.folder,
    )  # fmt: skip


def test_a_latent_that_is_rebuilt_is_found(trained):
    with pytest.raises(InputError, match="LatentReconstruction"):
        RebuiltLatents()(trained)
    found = RebuiltLatents()(with_decoder(trained, right=True))
    assert found["text latent rebuilt recall@1"].mean > 0.9
    assert found["text latent by chance recall@10"].mean == pytest.approx(10 / 30)
    wrong = RebuiltLatents()(with_decoder(trained, right=False))
    assert wrong["text latent rebuilt recall@1"].mean < 0.2
