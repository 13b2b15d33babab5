from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image

from limner.core.errors import InputError
from limner.encode.manifest import ImageInput, Interpolation, Resize
from limner.encode.preprocess import prepare_picture

RESIZES: tuple[Resize, ...] = ("stretch", "crop", "pad")
INTERPOLATIONS: tuple[Interpolation, ...] = ("box", "bilinear", "bicubic", "lanczos")


def wanted(size: int, resize: Resize = "stretch", interpolation: Interpolation = "bilinear") -> ImageInput:
    return ImageInput("image.onnx", size, resize, interpolation)


def stripes(*colours: int, width: int, height: int) -> Image.Image:
    """Upright stripes of grey, from left to right."""
    row = np.repeat(np.array(colours, np.uint8), width // len(colours))
    return Image.fromarray(np.broadcast_to(row[None, :, None], (height, width, 3)).copy())


def close(pixels: np.ndarray, greys: list[list[int]]) -> bool:
    """Equal but for the blur of one source pixel at the edge of a stripe."""
    return bool((abs(pixels.astype(int) - np.array(greys)[:, :, None]) <= 3).all())


@given(
    st.integers(1, 400),
    st.integers(1, 400),
    st.integers(1, 64),
    st.sampled_from(RESIZES),
    st.sampled_from(INTERPOLATIONS),
)
@example(1, 1, 112, "pad", "bicubic")
@example(3000, 20, 112, "pad", "bicubic")
@example(20, 3000, 112, "crop", "bicubic")
@example(3000, 20, 112, "stretch", "box")
def test_any_picture_becomes_the_square(
    width: int, height: int, size: int, resize: Resize, interpolation: Interpolation
) -> None:
    picture = Image.new("RGB", (width, height), (10, 200, 30))
    pixels = prepare_picture(picture, wanted(size, resize, interpolation))
    assert pixels.shape == (size, size, 3)
    assert pixels.dtype == np.uint8
    inside = pixels[(size - 1) // 2, (size - 1) // 2]
    assert inside.tolist() == [10, 200, 30]
    if resize != "pad":
        assert (pixels == inside).all()


def test_stretch_shows_the_whole_picture() -> None:
    pixels = prepare_picture(stripes(0, 80, 160, 240, width=400, height=100), wanted(4, interpolation="box"))
    assert close(pixels, [[0, 80, 160, 240]] * 4)


def test_crop_shows_the_centre() -> None:
    lying = stripes(0, 80, 160, 240, width=400, height=200)
    assert close(prepare_picture(lying, wanted(2, "crop", "box")), [[80, 160]] * 2)
    upright = lying.transpose(Image.Transpose.ROTATE_270)
    assert close(prepare_picture(upright, wanted(2, "crop", "box")), [[80, 80], [160, 160]])


def test_pad_keeps_the_shape_between_black_bars() -> None:
    lying = stripes(100, 200, width=400, height=200)
    pixels = prepare_picture(lying, wanted(4, "pad", "box"))
    assert close(pixels, [[0, 0, 0, 0], [100, 100, 200, 200], [100, 100, 200, 200], [0, 0, 0, 0]])


@pytest.mark.parametrize("resize", RESIZES)
def test_a_picture_of_the_right_size_is_left_as_it_is(resize: Resize) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    assert (prepare_picture(Image.fromarray(pixels), wanted(32, resize, "bicubic")) == pixels).all()


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
def test_shrinking_averages(interpolation: Interpolation) -> None:
    """A fine chessboard becomes even grey: no interpolation may pick single pixels."""
    board = (np.indices((600, 600)).sum(axis=0) % 2 * 255).astype(np.uint8)
    picture = Image.fromarray(np.repeat(board[:, :, None], 3, axis=2))
    pixels = prepare_picture(picture, wanted(20, "stretch", interpolation)).astype(int)
    assert abs(pixels - 127).max() <= 2


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "CMYK", "I;16"])
def test_other_modes_are_refused(mode: str) -> None:
    with pytest.raises(InputError, match=f"mode {mode} cannot be encoded: convert it to RGB"):
        prepare_picture(Image.new(mode, (4, 4)), wanted(8))


def test_an_empty_picture_is_refused() -> None:
    with pytest.raises(InputError, match="0 x 5 pixels"):
        prepare_picture(Image.new("RGB", (0, 5)), wanted(8))
