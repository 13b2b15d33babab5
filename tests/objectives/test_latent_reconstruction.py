"""Reconstruction of latents (card 55): what it asks, of what, and that targets learn nothing."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from objectives.features import make_features, make_model
from torch import Tensor

from limner.core.errors import InputError
from limner.core.features import Encoded, Features
from limner.nn.blocks.similarity import CosineSimilarity
from limner.objectives.latent_reconstruction import LatentDecoders, LatentReconstruction


def nothing_known(decoders: LatentDecoders) -> LatentDecoders:
    """Decoders that give the mean of every latent, which is 0."""
    for name, parameter in decoders.named_parameters():
        if ".2." in name:
            torch.nn.init.zeros_(parameter)
    return decoders


@pytest.mark.parametrize(("own", "terms"), [(True, 4), (False, 2)])
def test_each_term_costs_one_where_nothing_is_known(own: bool, terms: int):
    objective = LatentReconstruction(own=own, hidden=16)
    head = nothing_known(objective.head(make_model()))
    features = make_features(roles=("caption",))
    assert objective(features, head).item() == pytest.approx(terms, rel=1e-3)


def test_the_scale_of_latents_does_not_matter():
    objective = LatentReconstruction(hidden=16)
    head, features = objective.head(make_model()), make_features()
    loss = objective(features, head)
    moved = dataclasses.replace(features.text, latent=1000 * features.text.latent + 5)
    torch.testing.assert_close(objective(features.replace(text=moved), head), loss, rtol=1e-3, atol=1e-4)


def test_vectors_and_decoders_learn_and_latents_do_not():
    objective = LatentReconstruction(hidden=16)
    head, features = objective.head(make_model()), make_features()
    objective(features, head).backward()
    assert features.image.vectors.grad.abs().sum() > 0
    assert features.text.vectors.grad.abs().sum() > 0
    assert features.image.latent.grad is None
    assert features.text.latent.grad is None
    assert all(parameter.grad is not None for parameter in head.parameters())


def test_each_text_goes_with_the_picture_it_was_written_for():
    """Whatever the order of the texts, the loss is the same; with wrong owners it is another."""
    objective = LatentReconstruction(hidden=16)
    head, features = objective.head(make_model()).eval(), make_features()
    order = torch.randperm(18, generator=torch.Generator().manual_seed(1))
    shuffled = features.replace(text=features.text.take(order), owner=features.owner[order])
    torch.testing.assert_close(objective(shuffled, head), objective(features, head))
    wrong = features.replace(owner=features.owner.roll(1))
    assert not torch.allclose(objective(wrong, head), objective(features, head), rtol=1e-4)


def linear_world(seed: int, mixer: Tensor, n: int = 64) -> Features:
    """Pictures and texts that share what their vectors hold; latents are a fixed mixture of it."""
    known = torch.randn(n, 8, generator=torch.Generator().manual_seed(seed))
    vectors, number = torch.nn.functional.normalize(known, dim=1), torch.arange(n)
    image = Encoded(vectors, number, latent=vectors @ mixer)
    text = Encoded(vectors, number, latent=vectors @ mixer[:, :12])
    return Features(image, text, torch.tensor(1.0), CosineSimilarity(), owner=number, rows=number)


def test_decoders_find_the_latent_of_the_right_text():
    """Trained on some pairs, the decoded vector of a new picture is nearest to the latent of its own text."""
    model = make_model()
    mixer = torch.randn(8, model.image.latent_width, generator=torch.Generator().manual_seed(0))
    objective = LatentReconstruction(hidden=32)
    head = objective.head(model)
    optimiser = torch.optim.Adam(head.parameters(), 1e-2)
    for step in range(150):
        optimiser.zero_grad()
        objective(linear_world(step + 1, mixer), head).backward()
        optimiser.step()
    new = linear_world(0, mixer)
    decoded = head.eval().image_to_text(new.image.vectors)
    found = torch.cdist(decoded, head.text_scale(new.text.latent)).argmin(1)
    assert (found == torch.arange(64)).float().mean() > 0.9


def test_what_is_missing():
    objective = LatentReconstruction(hidden=16)
    head, features = objective.head(make_model()), make_features()
    with pytest.raises(InputError, match="needs the latents"):
        objective(features.replace(image=dataclasses.replace(features.image, latent=None)), head)
    with pytest.raises(InputError, match="2 pictures a batch"):
        objective(make_features(1), head)
