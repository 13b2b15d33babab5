from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from limner.core.errors import BundleError, InputError
from limner.core.protocols import Encoder
from limner.core.types import Dense, Space, Sparse, Tokens
from limner.encode.bundle import Bundle
from limner.encode.manifest import Calibration
from limner.encode.onnx import OnnxEncoder
from limner.encode.tokenizer import Tokenizer, train_tokenizer

BundleMaker = Callable[..., Bundle]
GraphMaker = Callable[..., bytes]

# ONNX in text form; `weight` is added to it.
HEAD = '<ir_version: 9, opset_import: ["": 17]>\n'
IMAGE = """image (uint8[n, 8, 8, 3] image) => (float[n, 16] dense) {
    pixels = Cast<to = 1>(image)
    row = Flatten(pixels)
    dense = MatMul(row, weight)
}"""


@pytest.fixture
def encoder(bundle: Bundle) -> OnnxEncoder:
    return OnnxEncoder(bundle, threads=1)


def pictures(count: int) -> list[Image.Image]:
    random = np.random.default_rng(count)
    return [Image.fromarray(random.integers(0, 256, (20, 30, 3), np.uint8)) for _ in range(count)]


def dense(encoder: OnnxEncoder, modality: str, contents: list) -> np.ndarray:  # type: ignore[type-arg]
    features = encoder.encode(modality, [encoder.prepare(modality, content) for content in contents])  # type: ignore[arg-type]
    assert features.keys() == {"dense"}
    assert isinstance(features["dense"], Dense)
    return features["dense"].values


def test_it_is_an_encoder(encoder: OnnxEncoder, bundle: Bundle) -> None:
    assert isinstance(encoder, Encoder)
    assert encoder.fingerprint == bundle.fingerprint
    assert encoder.spaces == {"dense": Space("dense", "dense", 16, "cosine")}
    assert encoder.modalities == {"image", "text"}
    assert encoder.picture_side == 16


def test_vectors_are_the_graphs_own_and_of_length_one(encoder: OnnxEncoder, bundle: Bundle) -> None:
    import onnx

    graph = onnx.load(bundle.path / "image.onnx")
    weight = onnx.numpy_helper.to_array(graph.graph.initializer[0])
    some = pictures(3)
    rows = np.stack([encoder.prepare("image", picture) for picture in some]).reshape(3, -1).astype(np.float32)
    expected = rows @ weight
    values = dense(encoder, "image", some)
    assert values.dtype == np.float32
    np.testing.assert_allclose(values, expected / np.linalg.norm(expected, axis=1, keepdims=True), rtol=1e-4, atol=1e-6)


def test_a_text_has_the_same_vector_whatever_it_is_batched_with(encoder: OnnxEncoder) -> None:
    texts = ["dog", "a brown dog runs", "two dogs"]
    together = dense(encoder, "text", texts)
    for text, vector in zip(texts, together, strict=True):
        np.testing.assert_allclose(dense(encoder, "text", [text])[0], vector, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("modality", ["image", "text"])
def test_an_empty_batch_is_empty(encoder: OnnxEncoder, modality: str) -> None:
    assert dense(encoder, modality, []).shape == (0, 16)


def test_a_zero_vector_stays_zero(make_bundle: BundleMaker, make_graph: GraphMaker) -> None:
    bundle = make_bundle({"image.onnx": make_graph(HEAD + IMAGE, weight=np.zeros((192, 16)))})
    assert (dense(OnnxEncoder(bundle), "image", pictures(2)) == 0).all()


def test_dot_similarity_keeps_lengths(make_bundle: BundleMaker, make_graph: GraphMaker) -> None:
    graph = make_graph(HEAD + IMAGE, weight=np.full((192, 16), 0.5))
    bundle = make_bundle({"image.onnx": graph}, spaces=(Space("dense", "dense", 16, "dot"),))
    black_but_one = Image.new("RGB", (8, 8))
    black_but_one.putpixel((3, 3), (10, 20, 30))
    assert dense(OnnxEncoder(bundle), "image", [black_but_one]).tolist() == [[30.0] * 16]


def test_inputs_that_cannot_be_used(encoder: OnnxEncoder, make_bundle: BundleMaker) -> None:
    with pytest.raises(InputError, match="13 tokens"):
        encoder.prepare("text", "dog " * 11)
    with pytest.raises(InputError, match="mode RGBA"):
        encoder.prepare("image", Image.new("RGBA", (3, 3)))
    for call in (encoder.prepare, encoder.encode):
        with pytest.raises(InputError, match="model tiny encodes image and text, not sound: use a model that does"):
            call("sound", [])


def test_a_model_of_one_modality(bundle: Bundle) -> None:
    only_text = dataclasses.replace(bundle.manifest, image=None, calibration={"dense": {"text": Calibration(1.0, 0.0)}})
    encoder = OnnxEncoder(Bundle(bundle.path, only_text, bundle.files))
    assert encoder.modalities == {"text"}
    assert dense(encoder, "text", ["dog"]).shape == (1, 16)
    with pytest.raises(InputError, match="model tiny encodes text, not image"):
        encoder.prepare("image", Image.new("RGB", (3, 3)))
    with pytest.raises(InputError, match="not image"):
        _ = encoder.picture_side


def test_calibration_is_the_logistic_function_of_the_manifest(encoder: OnnxEncoder) -> None:
    scores = np.array([-1.0, 0.25, 1.0], np.float32)
    expected = 1 / (1 + np.exp(-(20 * scores - 5)))
    np.testing.assert_allclose(encoder.calibrate("dense", "text", scores), expected, rtol=1e-5)
    assert encoder.calibrate("dense", "text", 0.25) == pytest.approx(0.5)
    assert encoder.calibrate("dense", "image", 0.75) == pytest.approx(0.5)
    extreme = encoder.calibrate("dense", "text", np.array([-1e9, 1e9]))
    assert extreme.tolist() == pytest.approx([0, 1])
    with pytest.raises(InputError, match="model tiny has no lexical scores of text questions"):
        encoder.calibrate("lexical", "text", scores)


def test_several_threads_may_share_it(encoder: OnnxEncoder) -> None:
    """Sessions are made on first use: here by eight threads at once."""
    texts, some = ["dog", "a girl reads", "red ball"], pictures(3)
    with ThreadPoolExecutor(8) as pool:
        text_vectors = [pool.submit(dense, encoder, "text", texts) for _ in range(8)]
        image_vectors = [pool.submit(dense, encoder, "image", some) for _ in range(8)]
    for futures, expected in (
        (text_vectors, dense(encoder, "text", texts)),
        (image_vectors, dense(encoder, "image", some)),
    ):
        for future in futures:
            np.testing.assert_allclose(future.result(), expected, rtol=1e-5, atol=1e-6)


def test_bare_words_are_the_tokens_of_a_text_without_any_graph(bundle: Bundle) -> None:
    encoder = OnnxEncoder(bundle)
    asked = encoder.bare_words("red blue red")
    ids = sorted(set(encoder.prepare("text", "red blue")[1:-1]))
    assert asked.indptr.tolist() == [0, len(ids)]
    assert asked.indices.tolist() == ids
    assert (asked.values == 1).all()
    assert asked.vocabulary_size > max(ids)
    assert not encoder._sessions
    with pytest.raises(InputError, match="empty"):
        encoder.bare_words(" ")


def test_a_text_search_does_not_load_the_image_graph(bundle: Bundle) -> None:
    encoder = OnnxEncoder(bundle)
    (bundle.path / "image.onnx").unlink()
    assert dense(encoder, "text", ["dog"]).shape == (1, 16)
    with pytest.raises(BundleError, match=r"image\.onnx cannot be loaded"):
        dense(encoder, "image", pictures(1))


SPARSE_AND_TOKENS = """
text (int64[n, t] tokens) => (float[n, 5] words, float[n, t, 4] late, bool[n, t] late_mask) {
    vectors = Gather(weight, tokens)
    axis = Constant<value_ints = [1]>()
    summed = ReduceSum<keepdims = 0>(vectors, axis)
    scores = MatMul(summed, vocabulary)
    words = Relu(scores)
    late = MatMul(vectors, projection)
    padding = Constant<value_int = 0>()
    is_padding = Equal(tokens, padding)
    late_mask = Not(is_padding)
}"""


def test_sparse_and_token_spaces(make_bundle: BundleMaker, make_graph: GraphMaker, tokenizer: Tokenizer) -> None:
    random = np.random.default_rng(1)
    embeddings = random.normal(size=(tokenizer.vocabulary_size, 16)).astype(np.float32)
    embeddings[0] = 0
    vocabulary, projection = random.normal(size=(16, 5)), random.normal(size=(16, 4))
    bundle = make_bundle(
        {
            "text.onnx": make_graph(
                HEAD + SPARSE_AND_TOKENS, weight=embeddings, vocabulary=vocabulary, projection=projection
            )
        },
        image=None,
        spaces=(Space("words", "sparse", 5, "dot"), Space("late", "tokens", 4, "maxsim")),
        calibration={name: {"text": Calibration(1.0, 0.0)} for name in ("words", "late")},
    )
    encoder = OnnxEncoder(bundle)
    ids = [encoder.prepare("text", text) for text in ("dog", "a girl reads a book", "ball")]
    features = encoder.encode("text", ids)
    words, late = features["words"], features["late"]
    assert isinstance(words, Sparse)
    assert isinstance(late, Tokens)
    assert [len(words), len(late), words.vocabulary_size] == [3, 3, 5]
    for row, tokens in enumerate(ids):
        vectors = embeddings[tokens]
        np.testing.assert_allclose(late.take(slice(row, row + 1)).values, vectors @ projection, rtol=1e-4, atol=1e-5)
        part = words.take(slice(row, row + 1))
        weights = np.zeros(5)
        weights[part.indices] = part.values
        np.testing.assert_allclose(weights, np.maximum(vectors.sum(axis=0) @ vocabulary, 0), rtol=1e-4, atol=1e-5)
        assert (part.values > 0).all()
    nothing = encoder.encode("text", [])
    assert [len(nothing["words"]), len(nothing["late"])] == [0, 0]


def test_a_mask_that_does_not_fit(make_bundle: BundleMaker, make_graph: GraphMaker, tokenizer: Tokenizer) -> None:
    text = SPARSE_AND_TOKENS.replace("bool[n, t] late_mask", "bool[t, n] late_mask")
    text = text.replace("late_mask = Not(is_padding)", "mask = Not(is_padding)\n    late_mask = Transpose(mask)")
    weights = {"weight": (tokenizer.vocabulary_size, 16), "vocabulary": (16, 5), "projection": (16, 4)}
    bundle = make_bundle(
        {"text.onnx": make_graph(HEAD + text, **{name: np.ones(shape) for name, shape in weights.items()})},
        image=None,
        spaces=(Space("late", "tokens", 4, "maxsim"),),
        calibration={"late": {"text": Calibration(1.0, 0.0)}},
    )
    with pytest.raises(BundleError, match=r"text\.onnx: output late_mask has shape \(3, 1\), not \(1, 3\)"):
        OnnxEncoder(bundle).encode("text", [[1, 5, 2]])


@pytest.mark.parametrize(
    ("declared", "named", "message"),
    [
        (
            "uint8[n, 8, 8, 3] picture",
            "picture",
            r"must have the input image tensor\(uint8\), not picture tensor\(uint8\)",
        ),
        ("float[n, 8, 8, 3] image", "image", r"must have the input image tensor\(uint8\), not image tensor\(float\)"),
        ("uint8[n, 8, 8, 3] image, int64 other", "image", r"not image tensor\(uint8\), other tensor\(int64\)"),
        ("uint8[n, 3, 8, 8] image", "image", "failed: .*invalid dimensions"),
        ("uint8[1, 8, 8, 3] image", "image", "failed: .*invalid dimensions"),
    ],
)
def test_a_graph_with_other_inputs(
    make_bundle: BundleMaker, make_graph: GraphMaker, declared: str, named: str, message: str
) -> None:
    text = IMAGE.replace("uint8[n, 8, 8, 3] image", declared).replace("(image)", f"({named})")
    refuses(make_bundle({"image.onnx": make_graph(HEAD + text, weight=np.ones((192, 16)))}), message)


def test_a_graph_with_other_outputs(make_bundle: BundleMaker, make_graph: GraphMaker) -> None:
    other = IMAGE.replace("dense", "vector")
    refuses(make_bundle({"image.onnx": make_graph(HEAD + other, weight=np.ones((192, 16)))}), "has no output dense")
    short = IMAGE.replace("16", "5")
    bundle = make_bundle({"image.onnx": make_graph(HEAD + short, weight=np.ones((192, 5)))})
    refuses(bundle, r"output dense has shape \(2, 5\), not \(2, 16\)")


def refuses(bundle: Bundle, message: str) -> None:
    with pytest.raises(BundleError, match=rf"image\.onnx.*{message}.*: convert the model again$") as caught:
        dense(OnnxEncoder(bundle), "image", pictures(2))
    assert "\n" not in str(caught.value)


def test_numbers_that_are_not_finite_are_refused(make_bundle: BundleMaker, make_graph: GraphMaker) -> None:
    bundle = make_bundle({"image.onnx": make_graph(HEAD + IMAGE, weight=np.full((192, 16), np.nan))})
    refuses(bundle, "output dense holds numbers that are not finite")


@pytest.mark.parametrize("part", [0, 0.5, 0.99])
def test_a_cut_graph_with_the_right_checksum(make_bundle: BundleMaker, files: dict[str, bytes], part: float) -> None:
    content = files["image.onnx"]
    refuses(make_bundle({"image.onnx": content[: int(part * len(content))]}), "cannot be loaded: ")


def test_a_tokenizer_of_another_model(make_bundle: BundleMaker) -> None:
    other = train_tokenizer([f"word{number} otherword{number}" for number in range(200)] * 2, 600, 12)
    encoder = OnnxEncoder(make_bundle({"tokenizer.json": other.to_json()}))
    with pytest.raises(BundleError, match=r"text\.onnx failed: .*indices"):
        dense(encoder, "text", ["word199 otherword199"])


def test_nothing_is_printed_and_torch_is_not_loaded(bundle: Bundle) -> None:
    program = (
        "import sys; from limner.encode.bundle import Bundle; from limner.encode.onnx import OnnxEncoder;"
        "assert 'onnxruntime' not in sys.modules and 'tokenizers' not in sys.modules;"
        "encoder = OnnxEncoder(Bundle.load(sys.argv[1]));"
        "encoder.encode('text', [encoder.prepare('text', 'dog')]);"
        "assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", program, bundle.path], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
