from __future__ import annotations

import gc
import itertools
import random
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from limner.core.errors import InputError, PictureError
from limner.core.types import Dense
from limner.encode.bundle import Bundle
from limner.encode.onnx import OnnxEncoder
from limner.encode.stream import Encoded, Loaded, encode_stream


@pytest.fixture
def encoder(bundle: Bundle) -> OnnxEncoder:
    return OnnxEncoder(bundle, threads=1)


def picture(number: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(number).integers(0, 256, (9, 9, 3), np.uint8))


def load(number: int) -> Loaded[str]:
    """Every 5th is no picture, every 7th is known, every 11th is of a mode that `prepare` refuses."""
    time.sleep(random.random() / 2000)
    if number % 5 == 0:
        raise PictureError(str(number), "not a picture")
    if number % 7 == 0:
        return Loaded(f"found {number}")
    return Loaded(f"found {number}", picture(number).convert("RGBA" if number % 11 == 0 else "RGB"))


def workers() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("limner-")]


@settings(deadline=None, max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 40), st.integers(1, 12), st.integers(1, 4))
def test_everything_comes_out_once_and_in_order(
    encoder: OnnxEncoder, count: int, batch_size: int, threads: int
) -> None:
    numbers = range(1, count + 1)
    batches = list(encode_stream(encoder, "image", numbers, load, batch_size=batch_size, threads=threads))
    assert len(batches) == -(-count // batch_size)
    for place, batch in enumerate(batches):
        here = numbers[place * batch_size : (place + 1) * batch_size]
        failed = [number for number in here if number % 5 == 0 or (number % 7 and number % 11 == 0)]
        known = [number for number in here if number % 5 and number % 7 == 0]
        encoded = [number for number in here if number not in failed + known]
        assert [number for number, _ in batch.failed] == failed
        assert batch.known == [(number, f"found {number}") for number in known]
        assert batch.encoded == [(number, f"found {number}") for number in encoded]
        if encoded:
            expected = encoder.encode("image", [encoder.prepare("image", picture(number)) for number in encoded])
            assert_same(batch, expected["dense"])
        else:
            assert batch.features == {}
    assert workers() == []


def assert_same(batch: Encoded[int, str], expected: object) -> None:
    got = batch.features["dense"]
    assert isinstance(got, Dense)
    assert isinstance(expected, Dense)
    np.testing.assert_allclose(got.values, expected.values, rtol=1e-5, atol=1e-6)


def test_failures_say_why(encoder: OnnxEncoder) -> None:
    batch = next(encode_stream(encoder, "image", [5, 11], load))
    assert [str(error) for _, error in batch.failed] == [
        "5: not a picture",
        "a picture in mode RGBA cannot be encoded: convert it to RGB",
    ]


def test_texts_too(encoder: OnnxEncoder) -> None:
    texts = ["dog", "dog " * 40, "a girl reads"]
    (batch,) = encode_stream(encoder, "text", texts, lambda text: Loaded(len(text), text))
    assert batch.encoded == [("dog", 3), ("a girl reads", 12)]
    assert [(text, type(error)) for text, error in batch.failed] == [(texts[1], InputError)]
    assert len(batch.features["dense"]) == 2


def test_the_source_is_read_a_few_batches_ahead_only(encoder: OnnxEncoder) -> None:
    taken = 0

    def endless() -> Iterator[int]:
        nonlocal taken
        for number in itertools.count(1):
            taken += 1
            yield number

    stream = encode_stream(encoder, "image", endless(), load, batch_size=4, threads=2)
    assert taken == 0, "nothing starts before the first result is asked for"
    for count in range(1, 30):
        next(stream)
        assert taken <= 4 * (count + 2)
    stream.close()
    assert workers() == []


def test_closing_does_not_wait_for_what_has_not_begun(encoder: OnnxEncoder) -> None:
    begun: list[int] = []
    gate = threading.Event()

    def slow(number: int) -> Loaded[None]:
        begun.append(number)
        if number > 8:
            gate.wait(30)
        return Loaded(None, picture(number))

    stream = encode_stream(encoder, "image", itertools.count(1), slow, batch_size=8, threads=2)
    next(stream)
    while len(begun) < 10:
        time.sleep(0.001)
    threading.Timer(0.05, gate.set).start()
    stream.close()
    assert workers() == []
    assert max(begun) <= 12, "what was waiting in the queue was dropped"


@pytest.mark.parametrize("where", ["load", "source"])
def test_other_errors_end_the_stream(encoder: OnnxEncoder, where: str) -> None:
    def source() -> Iterator[int]:
        for number in range(1, 100):
            if where == "source" and number == 50:
                raise OSError("the disk is gone")
            yield number

    def failing(number: int) -> Loaded[str]:
        if where == "load" and number == 50:
            raise OSError("the disk is gone")
        return load(number)

    batches: list[Encoded[int, str]] = []
    with pytest.raises(OSError, match="the disk is gone"):
        batches.extend(encode_stream(encoder, "image", source(), failing, batch_size=10, threads=2))
    assert len(batches) <= 4, "the fifth batch holds the item that failed"
    assert workers() == []


def test_an_error_of_the_reader_stops_the_threads(encoder: OnnxEncoder) -> None:
    def read() -> None:
        for _ in encode_stream(encoder, "image", itertools.count(1), load, batch_size=4):
            raise RuntimeError("the reader")

    with pytest.raises(RuntimeError, match="the reader"):
        read()
    gc.collect()
    assert workers() == []


def test_a_failure_does_not_keep_the_content_alive(encoder: OnnxEncoder) -> None:
    contents: list[weakref.ref[np.ndarray]] = []

    def broken(number: int) -> Loaded[None]:
        content = np.zeros(10)
        contents.append(weakref.ref(content))
        try:
            raise ValueError("from a library")
        except ValueError as error:
            raise PictureError(str(number), "broken") from error

    (batch,) = encode_stream(encoder, "image", range(3), broken)
    assert len(batch.failed) == len(contents) == 3
    assert [content() for content in contents] == [None] * 3


def test_a_batch_needs_a_size(encoder: OnnxEncoder) -> None:
    with pytest.raises(InputError, match="batch_size must be 1 or more, not 0"):
        next(encode_stream(encoder, "image", [1], load, batch_size=0))


MEMORY = """
import sys
import psutil
from PIL import Image
from limner.encode.bundle import Bundle
from limner.encode.onnx import OnnxEncoder
from limner.encode.stream import Loaded, encode_stream

encoder = OnnxEncoder(Bundle.load(sys.argv[1]))
process = psutil.Process()

def load(number):
    return Loaded(number, Image.new("RGB", (8, 8), (number % 256, number // 256, 0)))

count, early, peak = 0, 0, 0
for batch in encode_stream(encoder, "image", iter(range(50_000)), load, batch_size=32):
    count += len(batch.encoded)
    if count % 3200 == 0:
        peak = max(peak, process.memory_info().rss)
        early = early or peak
print(count, peak // 2**20, (peak - early) // 2**20)
"""


def test_memory_is_bounded_whatever_the_number_of_pictures(bundle: Bundle) -> None:
    """50,000 pictures: their pixels alone would be 9 MiB, futures and vectors kept for each 100 MiB and more."""
    done = subprocess.run([sys.executable, "-c", MEMORY, bundle.path], capture_output=True, text=True, check=True)
    count, peak, growth = map(int, done.stdout.split())
    assert count == 50_000
    assert peak < 500
    assert growth < 25
