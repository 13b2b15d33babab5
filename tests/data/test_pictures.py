"""read_picture: every format and colour model, upright; and nothing but PictureError for the rest."""

from __future__ import annotations

import io
import threading
import warnings
import zlib
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps
from PIL.TiffImagePlugin import IFDRational

from limner.core.errors import PictureError
from limner.data.pictures import read_picture, sniff

FORMATS = ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "HEIF"]
ORIENTATIONS = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
"""How the upright picture was turned before it was stored with this orientation."""


def encode(picture: Image.Image, name: str, **options: object) -> bytes:
    if name == "HEIF":
        pytest.importorskip("pillow_heif", reason="pillow-heif is not installed").register_heif_opener()
    buffer = io.BytesIO()
    picture.save(buffer, name, **options)
    return buffer.getvalue()


def quarters(width: int = 64, height: int = 48) -> Image.Image:
    """Red, green over blue, grey: no turn or flip of it looks like another."""
    picture = Image.new("RGB", (2, 2))
    picture.putdata([(220, 30, 30), (30, 200, 30), (30, 30, 220), (128, 128, 128)])
    return picture.resize((width, height), Image.Resampling.NEAREST)


def photo() -> Image.Image:
    noise = np.random.default_rng(0).integers(0, 256, (9, 12, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize((120, 90), Image.Resampling.BICUBIC)


def difference(first: Image.Image, second: Image.Image) -> float:
    assert first.size == second.size
    return float(np.abs(np.asarray(first, dtype=float) - np.asarray(second, dtype=float)).mean())


def refusal(content: bytes, **options: int) -> str:
    with pytest.raises(PictureError) as caught:
        read_picture(content, "/x/a.jpg", **options)
    assert caught.value.uri == "/x/a.jpg"
    return caught.value.reason


def png(width: int, height: int, chunks: Iterable[tuple[bytes, bytes]]) -> bytes:
    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([8, 2, 0, 0, 0])
    parts = [b"\x89PNG\r\n\x1a\n"]
    for kind, data in ((b"IHDR", header), *chunks, (b"IEND", b"")):
        parts += [len(data).to_bytes(4, "big"), kind, data, zlib.crc32(kind + data).to_bytes(4, "big")]
    return b"".join(parts)


# Formats


@pytest.mark.parametrize("name", FORMATS)
def test_every_format(name: str) -> None:
    original = quarters()
    picture, fields = read_picture(encode(original, name), "a")
    assert picture.mode == "RGB"
    assert difference(picture, original) < 4
    assert fields == {"format": {"HEIF": "heic"}.get(name, name.lower()), "width": 64, "height": 48}


@pytest.mark.parametrize("name", ["GIF", "WEBP", "PNG", "TIFF", "AVIF", "MPO"])
def test_first_of_many_frames(name: str) -> None:
    content = encode(quarters(), name, save_all=True, append_images=[Image.new("RGB", (64, 48), "white")])
    picture, fields = read_picture(content, "a")
    assert difference(picture, quarters()) < 4
    assert fields["format"] == ("jpeg" if name == "MPO" else name.lower())


@pytest.mark.parametrize(
    "options", [{"compression": name} for name in ("tiff_lzw", "tiff_deflate", "packbits", "jpeg")]
)
def test_compressed_tiff(options: dict[str, str]) -> None:
    picture, _ = read_picture(encode(quarters(), "TIFF", **options), "a")
    assert difference(picture, quarters()) < 4


def test_format_is_told_by_content_not_by_name() -> None:
    _, fields = read_picture(encode(quarters(), "PNG"), "/x/a.jpg")
    assert fields["format"] == "png"


@pytest.mark.parametrize(
    ("brands", "name"),
    [
        (b"heic\0\0\0\0mif1heic", "heic"),
        (b"mif1\0\0\0\0mif1heic", "heic"),
        (b"mif1\0\0\0\0mif1avif", "avif"),
        (b"avis\0\0\0\0avifmsf1", "avif"),
        (b"isom\0\0\0\0isommp41", None),
    ],
)
def test_sniff_tells_heic_from_avif_and_film(brands: bytes, name: str | None) -> None:
    assert sniff((8 + len(brands)).to_bytes(4, "big") + b"ftyp" + brands) == name


# Colour models


def gif_palette(transparency: int | bytes) -> bytes:
    picture = Image.new("P", (4, 4), 1)
    picture.putpalette([10, 20, 30, 200, 100, 50])
    return encode(picture, "PNG", transparency=transparency)


@pytest.mark.parametrize(
    ("content", "colour"),
    [
        pytest.param(encode(Image.new("1", (4, 4), 1), "PNG"), (255, 255, 255), id="1"),
        pytest.param(encode(Image.new("L", (4, 4), 77), "PNG"), (77, 77, 77), id="L"),
        pytest.param(encode(Image.new("L", (4, 4), 77), "PNG", transparency=77), (255, 255, 255), id="L, key"),
        pytest.param(encode(Image.new("LA", (4, 4), (0, 51)), "PNG"), (204, 204, 204), id="LA"),
        pytest.param(encode(Image.new("RGBA", (4, 4), (255, 0, 0, 51)), "PNG"), (255, 204, 204), id="RGBA"),
        pytest.param(encode(Image.new("RGBA", (4, 4), (9, 8, 7, 255)), "PNG"), (9, 8, 7), id="RGBA, opaque"),
        pytest.param(encode(Image.new("RGBA", (4, 4), (9, 8, 7, 0)), "WEBP"), (255, 255, 255), id="WebP, clear"),
        pytest.param(
            encode(Image.new("RGB", (4, 4), (1, 2, 3)), "PNG", transparency=(1, 2, 3)), (255,) * 3, id="RGB, key"
        ),
        pytest.param(gif_palette(1), (255, 255, 255), id="P, clear index"),
        pytest.param(gif_palette(0), (200, 100, 50), id="P, other index clear"),
        pytest.param(gif_palette(bytes([255, 51])), (244, 224, 214), id="P, alpha table"),
        pytest.param(encode(Image.new("PA", (4, 4), (0, 0)), "TIFF"), (255, 255, 255), id="PA"),
        pytest.param(encode(Image.new("CMYK", (4, 4), (0, 255, 255, 0)), "TIFF"), (255, 0, 0), id="CMYK"),
        pytest.param(encode(Image.new("I;16", (4, 4), 65535), "PNG"), (255, 255, 255), id="16 bits"),
        pytest.param(encode(Image.new("I;16", (4, 4), 32896), "TIFF"), (128, 128, 128), id="16 bits, TIFF"),
        pytest.param(encode(Image.new("I;16B", (4, 4), 32896), "TIFF"), (128, 128, 128), id="16 bits, big-endian"),
        pytest.param(encode(Image.new("I;16", (4, 4), 4095), "PNG"), (255, 255, 255), id="12 bits in 16"),
        pytest.param(encode(Image.new("I", (4, 4), 128), "TIFF"), (128, 128, 128), id="8 bits in 32"),
        pytest.param(encode(Image.new("F", (4, 4), 0.5), "TIFF"), (128, 128, 128), id="float, 0 to 1"),
        pytest.param(encode(Image.new("F", (4, 4), 255.0), "TIFF"), (255, 255, 255), id="float, 0 to 255"),
        pytest.param(encode(Image.new("F", (4, 4), float("nan")), "TIFF"), (0, 0, 0), id="float, NaN"),
    ],
)
def test_every_colour_model_becomes_rgb(content: bytes, colour: tuple[int, int, int]) -> None:
    picture, _ = read_picture(content, "a")
    assert picture.mode == "RGB"
    assert np.abs(np.asarray(picture.getpixel((1, 2))) - colour).max() <= 1


@pytest.mark.parametrize(
    ("values", "shades"),
    [
        ([-100.0, 0.0, 100.0], [0, 128, 255]),
        ([0.0, 1000.0, 200000.0], [0, 1, 255]),
        ([float("-inf"), 0.5, float("nan")], [0, 128, 0]),
    ],
)
def test_floats_keep_their_order(values: list[float], shades: list[int]) -> None:
    picture, _ = read_picture(encode(Image.fromarray(np.asarray([values], dtype=np.float32)), "TIFF"), "a")
    assert np.abs(np.asarray(picture)[0, :, 0].astype(int) - shades).max() <= 1


def test_cmyk_jpeg() -> None:
    picture, _ = read_picture(encode(quarters().convert("CMYK"), "JPEG", quality=95), "a")
    assert difference(picture, quarters()) < 12


# Upright


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_orientation(name: str, orientation: int) -> None:
    turn = ORIENTATIONS[orientation]
    stored = quarters() if turn is None else quarters().transpose(turn)
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture, fields = read_picture(encode(stored, name, exif=exif), "a")
    assert difference(picture, quarters()) < 4
    assert (fields["width"], fields["height"]) == (64, 48)
    assert ImageOps.exif_transpose(picture).size == (64, 48), "who honours EXIF again must not turn it again"


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_orientation_out_of_range_is_ignored(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture, _ = read_picture(encode(quarters(), "JPEG", exif=exif), "a")
    assert difference(picture, quarters()) < 4


# EXIF


def full_exif() -> Image.Exif:
    exif = Image.Exif()
    exif[0x010F], exif[0x0110], exif[0x0132] = "FUJIFILM ", "X100\0\0", "2021:01:01 00:00:00"
    exif.get_ifd(0x8769)[0x9003] = "2019:05:01 12:00:00"
    exif.get_ifd(0x8825).update({1: "S", 2: (33.0, 51.0, 30.0), 3: "E", 4: (151.0, 12.0, 36.0)})
    return exif


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIF"])
def test_exif_becomes_fields(name: str) -> None:
    exif = full_exif()
    content = encode(quarters(), name, exif=exif.tobytes())
    _, fields = read_picture(content, "a")
    assert fields == {
        "format": {"HEIF": "heic"}.get(name, name.lower()),
        "width": 64,
        "height": 48,
        "maker": "FUJIFILM",
        "camera": "X100",
        "taken": "2019-05-01T12:00:00",
        "year": 2019,
        "latitude": pytest.approx(-33.858333, abs=1e-6),
        "longitude": pytest.approx(151.21, abs=1e-6),
    }


@pytest.mark.parametrize(
    ("written", "taken"),
    [
        ("2019:05:01 12:00:00", "2019-05-01T12:00:00"),
        ("2019-05-01T07:08", "2019-05-01T07:08:00"),
        ("2019:05:01", "2019-05-01T00:00:00"),
        ("0000:00:00 00:00:00", None),
        ("2019:13:41 12:00:00", None),
        ("    :  :     :  :  ", None),
        ("yesterday", None),
        ("", None),
    ],
)
def test_exif_dates(written: str, taken: str | None) -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9003] = written
    _, fields = read_picture(encode(quarters(), "JPEG", exif=exif), "a")
    assert fields.get("taken") == taken
    assert fields.get("year") == (2019 if taken else None)


def test_date_of_change_stands_in_for_a_missing_date_of_taking() -> None:
    exif = Image.Exif()
    exif[0x0132] = "2021:02:03 04:05:06"
    _, fields = read_picture(encode(quarters(), "JPEG", exif=exif), "a")
    assert fields["taken"] == "2021-02-03T04:05:06"


@pytest.mark.parametrize(
    "place",
    [
        {1: "N", 2: (IFDRational(0, 0),) * 3, 3: "E", 4: (1.0, 2.0, 3.0)},
        {1: "N", 2: (91.0, 0.0, 0.0), 3: "E", 4: (1.0, 2.0, 3.0)},
        {1: "N", 2: (10.0, 0.0, 0.0)},
        {1: "N", 2: (10.0, 0.0), 3: "E", 4: (1.0, 2.0, 3.0)},
    ],
)
def test_impossible_place_is_left_out(place: dict[int, object]) -> None:
    exif = full_exif()
    gps = exif.get_ifd(0x8825)
    gps.clear()
    gps.update(place)
    _, fields = read_picture(encode(quarters(), "JPEG", exif=exif), "a")
    assert "latitude" not in fields
    assert "longitude" not in fields
    assert fields["camera"] == "X100"


@given(noise=st.binary(max_size=300), keep=st.integers(0, 200))
@settings(max_examples=100, deadline=None)
def test_malformed_exif_never_fails_a_picture(noise: bytes, keep: int) -> None:
    exif = full_exif().tobytes()
    picture, fields = read_picture(encode(quarters(), "JPEG", exif=exif[: 6 + keep] + noise), "a")
    assert {picture.size, (fields["width"], fields["height"])} <= {(64, 48), (48, 64)}
    for value in fields.values():
        str(value).encode()


# Size


@pytest.mark.parametrize("size", [(1600, 1200), (1203, 1601), (400, 3000), (130, 90), (64, 48)])
@pytest.mark.parametrize("shorter_side", [1, 100, 160])
def test_jpeg_is_decoded_small_but_never_too_small(size: tuple[int, int], shorter_side: int) -> None:
    content = encode(quarters(*size), "JPEG")
    picture, fields = read_picture(content, "a", shorter_side=shorter_side)
    assert (fields["width"], fields["height"]) == size
    assert min(picture.size) >= min(shorter_side, *size)
    assert min(picture.size) < max(2 * shorter_side, min(size) / 4), "the smallest of the four scales that will do"
    assert difference(picture, quarters(*picture.size)) < 8


def test_other_formats_keep_their_size() -> None:
    picture, _ = read_picture(encode(quarters(800, 600), "PNG"), "a", shorter_side=100)
    assert picture.size == (800, 600)


@pytest.mark.parametrize("mode", ["P", "I;16"])
def test_very_large_pictures_are_averaged_down_in_bands(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("limner.data.pictures.LARGE_PIXELS", 100_000)
    monkeypatch.setattr("limner.data.pictures.BAND_PIXELS", 10_000)
    size = (601, 503)
    if mode == "P":
        small = quarters(6, 5).quantize(4)
        content = encode(small.resize(size, Image.Resampling.NEAREST), "PNG", transparency=0)
    else:
        small = Image.fromarray(np.linspace(0, 65535, 30).reshape(5, 6).astype(np.uint16))
        content = encode(small.resize(size, Image.Resampling.NEAREST), "PNG")
    whole, fields = read_picture(content, "a")
    picture, _ = read_picture(content, "a", shorter_side=50)
    assert whole.size == size == (fields["width"], fields["height"])
    assert picture.size == (61, 51)
    assert difference(picture, whole.reduce(10)) < 0.5


def test_bombs_are_refused_by_their_header() -> None:
    reason = "too many pixels (3600 megapixels, limit 200)"
    pixel = [(b"IDAT", zlib.compress(bytes(4)))]
    assert refusal(png(60_000, 60_000, pixel)) == reason
    assert refusal(png(20_000, 10_001, pixel)) == "too many pixels (200 megapixels, limit 200)"
    gif = b"GIF89a" + b"\x60\xea\x60\xea" + b"\0\0\0," + bytes(4) + b"\x60\xea\x60\xea" + b"\0\2\2\x4c\1\0;"
    assert refusal(gif) == reason
    bmp = b"BM" + bytes(8) + (54).to_bytes(4, "little") + (40).to_bytes(4, "little")
    assert refusal(bmp + (60_000).to_bytes(4, "little") * 2 + b"\1\0\x18\0" + bytes(24)) == reason


def test_our_limit_holds_whatever_the_limit_of_pillow_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    for name in FORMATS[:-1]:
        picture, _ = read_picture(encode(quarters(), name), "a")
        assert picture.size == (64, 48)
    assert Image.MAX_IMAGE_PIXELS == 100


@pytest.mark.parametrize("kind", [b"zTXt", b"iTXt"])
def test_text_bombs(kind: bytes) -> None:
    head = b"Comment\0\0" if kind == b"zTXt" else b"Comment\0\1\0\0\0"
    text = head + zlib.compress(b"a" * 20_000_000)
    assert refusal(png(1, 1, [(kind, text), (b"IDAT", zlib.compress(bytes(4)))])) == "metadata too large"


# What cannot be read


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("part", [0.1, 0.3, 0.5, 0.7, 0.9, 0.97])
def test_half_a_picture_is_none(name: str, part: float) -> None:
    content = encode(photo(), name)
    assert refusal(content[: int(len(content) * part)]) == "truncated or damaged"


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_blocks": 1}])
@pytest.mark.parametrize("filling", [b"", b"\0", b"\xff"])
def test_jpeg_without_its_end(options: dict[str, bool], filling: bytes) -> None:
    thumbnail = Image.Exif()
    thumbnail[0x010E] = "\xff\xd9 of a thumbnail"
    content = encode(photo(), "JPEG", exif=thumbnail.tobytes() + b"\xff\xd8\xff\xd9", **options)
    for part in (0.4, 0.7, 0.95):
        cut = int(len(content) * part)
        assert refusal(content[:cut] + filling * (len(content) - cut)) == "truncated or damaged"
    assert refusal(content[:-2]) == "truncated or damaged"


def test_jpeg_with_something_after_its_end() -> None:
    picture, _ = read_picture(encode(photo(), "JPEG") + b"a film, say" * 1000, "a")
    assert picture.size == (120, 90)


@pytest.mark.parametrize(
    "content", [b"", b"hello", b"%PDF-1.7 ...", b"BMW is a maker of cars and not a picture", b"\0" * 100]
)
def test_not_a_picture(content: bytes) -> None:
    assert refusal(content) == "not a picture"


def test_the_original_exception_is_kept_as_the_cause() -> None:
    with pytest.raises(PictureError) as caught:
        read_picture(encode(photo(), "PNG")[:500], "a")
    assert caught.value.__cause__ is not None


WHOLE = [encode(quarters(24, 18), name) for name in ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")]


@given(content=st.binary(max_size=400), start=st.sampled_from([b"", *(whole[:40] for whole in WHOLE)]))
@settings(max_examples=300, deadline=None)
@example(content=b"\0" * 12, start=b"\xff\xd8\xff")
def test_any_bytes(content: bytes, start: bytes) -> None:
    with suppress(PictureError):
        assert read_picture(start + content, "a")[0].mode == "RGB"


@given(
    whole=st.sampled_from(WHOLE),
    flips=st.lists(st.tuples(st.integers(0, 2**20), st.integers(1, 255)), min_size=1, max_size=6),
    shorter_side=st.sampled_from([None, 8]),
)
@settings(max_examples=300, deadline=None)
def test_any_damage(whole: bytes, flips: list[tuple[int, int]], shorter_side: int | None) -> None:
    damaged = bytearray(whole)
    for position, mask in flips:
        damaged[position % len(damaged)] ^= mask
    with suppress(PictureError):
        assert read_picture(bytes(damaged), "a", shorter_side=shorter_side)[0].mode == "RGB"


def test_threads_leave_the_settings_of_the_process_alone() -> None:
    filters, limit = list(warnings.filters), Image.MAX_IMAGE_PIXELS
    barrier = threading.Barrier(4)

    def read(number: int) -> float:
        if number < 4:
            barrier.wait()
        with pytest.raises(PictureError):
            read_picture(WHOLE[number % 7][:60], "a")
        return difference(read_picture(WHOLE[number % 7], "a")[0], quarters(24, 18))

    with ThreadPoolExecutor(4) as pool:
        assert max(pool.map(read, range(200))) < 16
    assert list(warnings.filters) == filters
    assert limit == Image.MAX_IMAGE_PIXELS
