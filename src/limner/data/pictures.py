"""Bytes -> an upright RGB picture and what the file says about itself. The hot path of indexing.

Every failure is a `PictureError` with one of these reasons, whatever the decoder raised:

    not a picture                                   no known picture format starts like this
    truncated or damaged                            the format is known, its content is not whole
    too many pixels (N megapixels, limit 200)       refused by its header; WebP has a limit of 50
    metadata too large                              a text or profile that unpacks without end
    colours not understood (MODE)                   a colour model that Pillow cannot turn into RGB
    HEIC, but pillow-heif is not installed
    not enough memory
"""

from __future__ import annotations

import importlib
import io
import math
import re
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from datetime import datetime
from functools import cache
from typing import Any

import numpy as np
from PIL import Image

from limner.core.errors import PictureError
from limner.core.types import FieldValue

PICTURE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".webp", ".gif", ".bmp", ".dib", ".tif", ".tiff"}
    | {".heic", ".heif", ".hif", ".avif"}
)
MAX_PIXELS = 200_000_000
MAX_WEBP_PIXELS = 50_000_000
"""Lower, since decoding WebP takes four copies of the picture at once, four bytes a pixel each."""
LARGE_PIXELS = 25_000_000
"""Pictures that decode to more than this are decoded one at a time, so that a pool of threads stays small."""
BAND_PIXELS = 4_000_000

_OPENERS = {
    "jpeg": ("PIL.JpegImagePlugin", "jpeg_factory"),
    "png": ("PIL.PngImagePlugin", "PngImageFile"),
    "webp": ("PIL.WebPImagePlugin", "WebPImageFile"),
    "gif": ("PIL.GifImagePlugin", "GifImageFile"),
    "bmp": ("PIL.BmpImagePlugin", "BmpImageFile"),
    "tiff": ("PIL.TiffImagePlugin", "TiffImageFile"),
    "avif": ("PIL.AvifImagePlugin", "AvifImageFile"),
    "heic": ("pillow_heif", "HeifImageFile"),
}
_STARTS = (
    (b"\xff\xd8\xff", "jpeg"),
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
    (b"II*\0", "tiff"),
    (b"MM\0*", "tiff"),
    (b"II+\0", "tiff"),
    (b"MM\0+", "tiff"),
)
_BMP_HEADER_SIZES = (12, 40, 52, 56, 64, 108, 124)
_HEIC_BRANDS = frozenset((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"))

_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

_large = threading.Lock()


def read_picture(
    content: bytes, uri: str, *, shorter_side: int | None = None
) -> tuple[Image.Image, dict[str, FieldValue]]:
    """Decode one picture file: RGB, upright, transparency on white, the first frame of many.

    With `shorter_side` (pixels) the picture may come back smaller than it is, but never with a
    shorter side below that: JPEG is decoded at 1/2, 1/4 or 1/8, very large pictures are averaged
    down by a whole factor.

    The fields, where the file has them: `format`, `width`, `height` (pixels, upright, of the whole
    picture), `taken` (ISO 8601), `year`, `camera`, `maker`, `latitude`, `longitude` (degrees).
    Raises PictureError.
    """
    try:
        with _pillow_settings():
            return _read(content, uri, shorter_side)
    except PictureError:
        raise
    except MemoryError as error:
        raise PictureError(uri, "not enough memory", temporary=True) from error
    except Exception as error:  # decoders raise all kinds: SyntaxError, struct.error, OverflowError ...
        raise PictureError(uri, _reason(error)) from error


def sniff(start: bytes) -> str | None:
    """The format that a file's first bytes (32 or more) announce, or None if it is no picture."""
    for magic, name in _STARTS:
        if start.startswith(magic):
            return name
    if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
        return "webp"
    if start[:2] == b"BM" and int.from_bytes(start[14:18], "little") in _BMP_HEADER_SIZES:
        return "bmp"
    if start[4:8] == b"ftyp":
        length = min(int.from_bytes(start[:4], "big"), 64)
        brands = {start[8:12], *(start[at : at + 4] for at in range(16, length, 4))}
        if brands & {b"avif", b"avis"}:
            return "avif"
        if brands & _HEIC_BRANDS:
            return "heic"
    return None


def _read(content: bytes, uri: str, shorter_side: int | None) -> tuple[Image.Image, dict[str, FieldValue]]:
    name = sniff(content[:64])
    if name is None:
        raise PictureError(uri, "not a picture")
    if name == "jpeg" and not _jpeg_ends(content):
        raise PictureError(uri, "truncated or damaged")
    with _opener(name, uri)(io.BytesIO(content)) as picture:
        width, height = picture.size
        limit = MAX_WEBP_PIXELS if name == "webp" else MAX_PIXELS
        if width * height > limit:
            raise PictureError(uri, _too_many_pixels(width * height, limit))
        if shorter_side is not None:
            picture.draft(None, (shorter_side, shorter_side))  # only JPEG can; the others ignore it
        with _large if picture.width * picture.height > LARGE_PIXELS else nullcontext():
            picture.load()
            orientation, facts = _exif(picture)  # after loading: Pillow turns TIFF upright while it does that
            rgb = _to_rgb(picture, uri, shorter_side)
    if orientation in _UPRIGHT:
        rgb = rgb.transpose(_UPRIGHT[orientation])
        rgb.info = {}  # else the old EXIF travels along, and who honours it turns the picture again
    if orientation >= 5:
        width, height = height, width
    return rgb, {"format": name, "width": width, "height": height, **facts}


def _opener(name: str, uri: str) -> Any:
    """The plugin that decodes this format, imported when first needed.

    Called directly, not through Image.open, which would try formats that nobody keeps photographs
    in (some run other programs) and guard pixels by another limit.
    """
    module, attribute = _OPENERS[name]
    if name == "tiff":
        _quiet_tiff()
    try:
        return getattr(importlib.import_module(module), attribute)
    except ImportError as error:
        if name == "heic":
            raise PictureError(uri, "HEIC, but pillow-heif is not installed", temporary=True) from error
        raise PictureError(uri, f"{name.upper()}, but this build of Pillow cannot decode it", temporary=True) from error


@cache
def _quiet_tiff() -> None:
    """Keep each fault of a TIFF off the process's stderr, where the progress line is.

    libtiff writes there itself, and Pillow logs there where logging is not configured; both faults
    also come as exceptions. Pillow has no switch for the first. Where libtiff is linked in another
    way than in Pillow's wheels, it stays as loud as it was.
    """
    import ctypes
    import logging

    logging.getLogger("PIL").addHandler(logging.NullHandler())
    with suppress(OSError, AttributeError):
        set_handler = ctypes.CDLL(importlib.import_module("PIL._imaging").__file__).TIFFSetErrorHandler
        set_handler.argtypes, set_handler.restype = [ctypes.c_void_p], ctypes.c_void_p
        set_handler(None)


def _reason(error: Exception) -> str:
    text = str(error)
    if isinstance(error, Image.DecompressionBombError):
        pixels = re.search(r"\((\d+) pixels\)", text)
        return _too_many_pixels(int(pixels[1]) if pixels else MAX_PIXELS, MAX_PIXELS)
    if isinstance(error, ValueError) and "too large" in text and "MAX_TEXT" in text:
        return "metadata too large"
    return "truncated or damaged"


def _too_many_pixels(pixels: int, limit: int) -> str:
    return f"too many pixels ({pixels // 1_000_000} megapixels, limit {limit // 1_000_000})"


def _jpeg_ends(content: bytes) -> bool:
    """Whether the picture's own end mark is there: libjpeg fills a missing part with grey and says nothing.

    Segments are skipped by their lengths up to the first scan, since an embedded thumbnail has an
    end mark of its own; after that, FF D9 can only be the end mark (data bytes FF are stuffed).
    """
    at = 2
    while at + 4 <= len(content) and content[at] == 0xFF:
        marker = content[at + 1]
        if marker == 0xFF:  # a fill byte
            at += 1
        elif marker == 0x01 or 0xD0 <= marker <= 0xD8:  # marks without a length
            at += 2
        elif marker == 0xDA:  # start of scan
            return content.rfind(b"\xff\xd9", at) >= 0
        else:
            at += 2 + int.from_bytes(content[at + 2 : at + 4], "big")
    return content.rfind(b"\xff\xd9", at) >= 0


def _value_range(picture: Image.Image) -> tuple[float, float] | None:
    """What becomes black and white in a picture with more than 8 bits a value; None for all others.

    Zero and the smallest usual maximum (1 for floats, 8, 12 or 16 bits) that holds all values; data
    that no usual range holds (elevations, say) are stretched from their least to their largest.
    """
    if picture.mode != "F" and not picture.mode.startswith("I"):
        return None
    low, high = (float(value) for value in picture.getextrema())  # type: ignore[arg-type]
    if not (math.isfinite(low) and math.isfinite(high)):
        values = np.asarray(picture)
        finite = values[np.isfinite(values)]
        low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    if low >= 0:
        usual = (1.0, 255.0, 4095.0, 65535.0) if picture.mode == "F" else (255.0, 4095.0, 65535.0)
        return 0.0, next((limit for limit in usual if high <= limit), high)
    return low, high


def _to_rgb(picture: Image.Image, uri: str, shorter_side: int | None) -> Image.Image:
    if picture.mode == "I;16B":  # little of Pillow works on the other byte order
        picture = picture.convert("I")
    value_range = _value_range(picture)
    factor = min(picture.size) // shorter_side if shorter_side is not None else 1
    if factor < 2 or picture.width * picture.height <= LARGE_PIXELS:
        return _convert(picture, uri, value_range)
    # A converted copy of the whole can take a gigabyte: convert and average it in bands.
    width, height = picture.size
    small = Image.new("RGB", (math.ceil(width / factor), math.ceil(height / factor)))
    band = factor * max(1, BAND_PIXELS // (width * factor))
    for top in range(0, height, band):
        part = picture.crop((0, top, width, min(top + band, height)))
        small.paste(_convert(part, uri, value_range).reduce(factor), (0, top // factor))
    return small


def _convert(picture: Image.Image, uri: str, value_range: tuple[float, float] | None) -> Image.Image:
    if value_range is not None:
        low, high = value_range
        values = np.array(picture, dtype=np.float32)
        np.nan_to_num(values, copy=False, nan=low, posinf=high, neginf=low)
        values -= low
        values *= 255 / max(high - low, 1e-30)
        values += 0.5
        return Image.fromarray(np.clip(values, 0, 255, out=values).astype(np.uint8)).convert("RGB")
    try:
        return flattened(picture)
    except ValueError as error:
        raise PictureError(uri, f"colours not understood ({picture.mode})") from error


def flattened(picture: Image.Image) -> Image.Image:
    """RGB, transparency on white. Raises ValueError for a colour model that Pillow cannot turn into RGB."""
    if not picture.has_transparency_data:
        return picture if picture.mode == "RGB" else picture.convert("RGB")
    layer = picture.convert("RGBA")
    white = Image.new("RGB", picture.size, "white")
    white.paste(layer, mask=layer.getchannel("A"))
    return white


def _exif(picture: Image.Image) -> tuple[int, dict[str, FieldValue]]:
    """The orientation (1 to 8) and the facts; what is malformed is left out, each on its own."""
    orientation, facts = 1, dict[str, FieldValue]()
    try:
        exif = picture.getexif()
    except Exception:  # EXIF is written by anyone: parsing fails in every way
        return orientation, facts
    if not len(exif):
        return orientation, facts
    with suppress(Exception):
        orientation = int(exif[0x0112])
    for name, tag in (("camera", 0x0110), ("maker", 0x010F)):
        with suppress(Exception):
            if text := _words(exif[tag]):
                facts[name] = text
    with suppress(Exception):
        details = exif.get_ifd(0x8769)
        written = [details.get(0x9003), details.get(0x9004), exif.get(0x0132)]  # taken, digitised, changed
        taken = next(filter(None, map(_date, written)))
        facts |= {"taken": taken.isoformat(timespec="seconds"), "year": taken.year}
    with suppress(Exception):
        place = exif.get_ifd(0x8825)
        latitude = _degrees(place[2], place[1], "S", 90)
        longitude = _degrees(place[4], place[3], "W", 180)
        facts |= {"latitude": latitude, "longitude": longitude}
    return orientation if orientation in _UPRIGHT else 1, facts


def _words(value: Any) -> str:
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    text = text.split("\0")[0].encode("utf-8", "replace").decode("utf-8")
    return " ".join(text.split())[:200]


def _date(value: Any) -> datetime | None:
    """EXIF writes 2019:05:01 12:00:00; some programs write dashes, or zeros for "unknown"."""
    parts = re.match(r"\s*(\d{4})[:\-/.](\d\d)[:\-/.](\d\d)(?:[ T](\d\d):(\d\d)(?::(\d\d))?)?", _words(value or ""))
    if parts is None:
        return None
    year, month, day, hour, minute, second = (int(part or 0) for part in parts.groups())
    try:
        return datetime(year, month, day, hour, minute, second)
    except ValueError:
        return None


def _degrees(parts: Any, side: Any, negative: str, limit: int) -> float:
    degrees, minutes, seconds = (float(part) for part in parts)
    value = degrees + minutes / 60 + seconds / 3600
    if not 0 <= value <= limit:  # also NaN, which 0/0 becomes: "no fix"
        raise ValueError(value)
    return round(-value if _words(side).upper().startswith(negative) else value, 7)


_settings_lock = threading.Lock()
_readers = 0
_settings_before: tuple[warnings.catch_warnings[None], int | None] | None = None


@contextmanager
def _pillow_settings() -> Iterator[None]:
    """While pictures are read: no warnings out of Pillow, and its guard against bombs at our limit.

    Both are settings of the whole process, and `warnings.catch_warnings` is not made for threads:
    the first reader in sets them, the last one out puts back what was there.
    """
    global _readers, _settings_before
    with _settings_lock:
        if _readers == 0:
            caught = warnings.catch_warnings()
            caught.__enter__()
            warnings.filterwarnings("ignore", module=r"(PIL|pillow_heif)\b")
            _settings_before = caught, Image.MAX_IMAGE_PIXELS
            Image.MAX_IMAGE_PIXELS = MAX_PIXELS
        _readers += 1
    try:
        yield
    finally:
        with _settings_lock:
            _readers -= 1
            if _readers == 0 and _settings_before is not None:
                caught, Image.MAX_IMAGE_PIXELS = _settings_before
                caught.__exit__(None, None, None)
