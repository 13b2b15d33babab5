"""The contract of every encoder: named spaces of the announced kind and size, whatever the batch, from any thread."""

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from colour_model import write_colour_bundle
from lexical_model import write_lexical_bundle
from PIL import Image
from token_model import write_token_bundle

from limner.core.errors import InputError
from limner.core.protocols import Encoder
from limner.core.types import Dense, Modality, Sparse, Tokens
from limner.encode.bundle import Bundle, default_bundle
from limner.encode.onnx import OnnxEncoder
from limner.nn.blocks.token_reducer import TokenReducer

KINDS = {"dense": Dense, "sparse": Sparse, "tokens": Tokens}
PICTURES = [Image.new("RGB", (40, 30), (200, 10 * row, 30)) for row in range(9)]
TEXTS = ["red", "a red thing", "blue", "green and yellow", "grey red blue"]


@pytest.fixture(scope="module", params=["colours", "small", "tokens", "few tokens", "lexical"])
def encoder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    """A model of eight pixels, the one in the package, two that say something of each place (or of two mixtures of
    places) and word, and one with weighted words. The next kind of encoder adds itself here."""
    if request.param == "small":
        return OnnxEncoder(Bundle.load(default_bundle()))
    folder: Path = tmp_path_factory.mktemp("model") / "model"
    if request.param == "colours":
        return OnnxEncoder(Bundle.load(write_colour_bundle(folder)))
    if request.param == "lexical":
        return OnnxEncoder(Bundle.load(write_lexical_bundle(folder)))
    reducer = TokenReducer(2, inner=4) if request.param == "few tokens" else None
    return OnnxEncoder(Bundle.load(write_token_bundle(folder, reducer)))


def encoded(encoder: Encoder, modality: Modality, contents: list[Any]) -> dict[str, list[np.ndarray]]:
    """By space, the vector of each of the contents, or its tokens (t, d)."""
    features = encoder.encode(modality, [encoder.prepare(modality, content) for content in contents])
    return {name: rows(made) for name, made in features.items()}


def rows(made: Any) -> list[np.ndarray]:
    """A representation as rows of numbers, one or several a thing."""
    if isinstance(made, Tokens):
        return np.split(made.values, made.offsets[1:-1])
    if isinstance(made, Dense):
        return list(made.values)
    values = np.zeros((len(made), made.vocabulary_size), np.float32)
    values[np.repeat(np.arange(len(made)), np.diff(made.indptr)), made.indices] = made.values
    return list(values)


def test_is_an_encoder(encoder):
    assert isinstance(encoder, Encoder)
    assert encoder.fingerprint
    assert encoder.picture_side > 0


@pytest.mark.parametrize(("modality", "contents"), [("image", PICTURES), ("text", TEXTS)])
def test_each_space_has_its_kind_and_size(encoder, modality, contents):
    features = encoder.encode(modality, [encoder.prepare(modality, content) for content in contents])
    assert set(features) == set(encoder.spaces)
    for name, space in encoder.spaces.items():
        made = features[name]
        assert isinstance(made, KINDS[space.kind])
        assert len(made) == len(contents)
        if isinstance(made, Dense):
            assert made.values.shape == (len(contents), space.size)
            assert made.values.dtype == np.float32
            if space.similarity == "cosine":
                np.testing.assert_allclose(np.linalg.norm(made.values, axis=1), 1, atol=1e-5)
        if isinstance(made, Tokens):
            assert made.values.shape == (made.offsets[-1], space.size)
            assert (np.diff(made.offsets) > 0).all()
        if isinstance(made, Sparse):
            assert made.vocabulary_size == space.size
            assert made.values.dtype == np.float32
            assert (made.values > 0).all()
            for start, end in pairwise(made.indptr):
                assert end > start
                assert (np.diff(made.indices[start:end]) > 0).all()


@pytest.mark.parametrize(("modality", "contents"), [("image", PICTURES), ("text", TEXTS)])
def test_company_in_a_batch_does_not_matter(encoder, modality, contents):
    together = encoded(encoder, modality, contents)
    for row, content in enumerate(contents):
        for name, values in encoded(encoder, modality, [content]).items():
            assert values[0].shape == together[name][row].shape
            np.testing.assert_allclose(values[0], together[name][row], atol=2e-5)


def test_nothing_gives_nothing(encoder):
    for modality in encoder.modalities:
        assert all(len(made) == 0 for made in encoder.encode(modality, []).values())


def test_threads_get_the_same(encoder):
    wanted = encoded(encoder, "image", PICTURES)
    with ThreadPoolExecutor(4) as pool:
        for made in pool.map(lambda _: encoded(encoder, "image", PICTURES), range(8)):
            for name, values in made.items():
                for one, other in zip(values, wanted[name], strict=True):
                    np.testing.assert_allclose(one, other, atol=1e-6)


def test_probabilities_rise_with_the_score(encoder):
    scores = np.linspace(-1, 1, 21, dtype=np.float32)
    for space in encoder.spaces:
        for question in encoder.modalities:
            probabilities = np.asarray(encoder.calibrate(space, question, scores))
            assert probabilities.shape == scores.shape
            assert (np.diff(probabilities) > 0).all()
            assert probabilities.min() >= 0
            assert probabilities.max() <= 1


def test_a_text_too_long_is_refused_not_cut(encoder):
    with pytest.raises(InputError, match="tokens"):
        encoder.prepare("text", "red " * 5000)


def test_an_unknown_modality_is_refused(encoder):
    with pytest.raises(InputError, match="sound"):
        encoder.prepare("sound", b"")


def test_places_and_pieces_stand_for_the_vectors_of_a_space_of_tokens(encoder):
    pictures, texts = encoded(encoder, "image", PICTURES[:2]), encoded(encoder, "text", TEXTS)
    kinds = {space.kind for space in encoder.spaces.values()}
    assert encoder.grid is None or "tokens" in kinds
    for name, space in encoder.spaces.items():
        if space.kind == "tokens":
            assert [len(own) for own in texts[name]] == [len(encoder.pieces(text)) for text in TEXTS]
            assert encoder.grid is None or all(len(own) == np.prod(encoder.grid) for own in pictures[name])
