"""Feed damaged picture files to the reader: each must be read, or refused with a reason.

    python bench/fuzz_pictures.py --count 10000 --seed 0
    python bench/fuzz_pictures.py --count 10000 --keep FOLDER     # leave the files, for `limner index FOLDER`

Makes the files from a handful of generated pictures of all formats (truncated, bits flipped, spliced,
renamed, empty, random, bombs), reads each through `read_bytes` and `read_picture` in a pool of
threads as indexing does, and prints how many ended in which way. The exit status is 1 if one raises
anything but PictureError or is not accounted for, or if memory passes the bound.
"""

from __future__ import annotations

import argparse
import faulthandler
import io
import random
import re
import resource
import sys
import tempfile
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from PIL import Image

from limner.core.errors import PictureError
from limner.data.content import read_bytes
from limner.data.pictures import read_picture

MEMORY_BOUND_MB = 1536
"""One picture at the limit of 200 megapixels is 600 MB as RGB, and its decoder holds as much again for a moment."""
SHORTER_SIDE = 256
SUFFIXES = (".jpg", ".png", ".webp", ".gif", ".bmp", ".tif", ".avif", ".heic")


def templates() -> list[tuple[str, bytes]]:
    """(suffix, content) of whole pictures: each format in the forms that decoders treat differently."""
    noise = Image.effect_noise((96, 64), 60).convert("RGB")
    smooth = Image.merge("RGB", [Image.linear_gradient("L").resize((96, 64)).rotate(angle) for angle in (0, 90, 180)])
    photo = Image.blend(noise, smooth, 0.7)
    alpha = photo.copy()
    alpha.putalpha(Image.radial_gradient("L").resize(photo.size))
    exif = Image.Exif()
    exif[0x0112], exif[0x010F], exif[0x0110] = 6, "Maker", "Camera"
    exif.get_ifd(0x8769)[0x9003] = "2019:05:01 12:00:00"
    exif.get_ifd(0x8825).update({1: "N", 2: (48.0, 30.0, 0.0), 3: "E", 4: (2.0, 15.0, 0.0)})
    frames = {"save_all": True, "append_images": [noise, smooth]}
    forms: list[tuple[Image.Image, str, str, dict[str, object]]] = [
        (photo, "JPEG", ".jpg", {"exif": exif}),
        (photo, "JPEG", ".jpg", {"progressive": True}),
        (photo.convert("CMYK"), "JPEG", ".jpg", {}),
        (photo, "MPO", ".jpg", frames),
        (photo, "PNG", ".png", {"exif": exif}),
        (alpha, "PNG", ".png", {}),
        (photo.quantize(32), "PNG", ".png", {"transparency": 3}),
        (photo.convert("I;16"), "PNG", ".png", {}),
        (photo, "PNG", ".png", frames),
        (photo, "WEBP", ".webp", {"exif": exif}),
        (alpha, "WEBP", ".webp", {"lossless": True}),
        (photo, "WEBP", ".webp", frames),
        (photo.quantize(64), "GIF", ".gif", {}),
        (photo, "GIF", ".gif", frames),
        (photo, "BMP", ".bmp", {}),
        (photo, "TIFF", ".tif", {"exif": exif}),
        *((photo, "TIFF", ".tif", {"compression": name}) for name in ("tiff_lzw", "tiff_deflate", "jpeg")),
        (photo.convert("1"), "TIFF", ".tif", {"compression": "group4"}),
        (photo, "AVIF", ".avif", {"exif": exif}),
    ]
    try:
        import pillow_heif

        pillow_heif.register_heif_opener()
        forms.append((photo, "HEIF", ".heic", {}))
    except ImportError:
        print("pillow-heif is not installed: no HEIC among the files")
    made = []
    for picture, name, suffix, options in forms:
        buffer = io.BytesIO()
        picture.save(buffer, name, **options)
        made.append((suffix, buffer.getvalue()))
    return made


def png(width: int, height: int, chunks: Iterable[tuple[bytes, bytes]], colour: int = 2) -> bytes:
    """A PNG by hand, with a header that may promise anything."""
    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([8, colour, 0, 0, 0])
    parts = [b"\x89PNG\r\n\x1a\n"]
    for kind, data in ((b"IHDR", header), *chunks, (b"IEND", b"")):
        parts += [len(data).to_bytes(4, "big"), kind, data, zlib.crc32(kind + data).to_bytes(4, "big")]
    return b"".join(parts)


def bombs() -> list[tuple[str, bytes]]:
    """Small files that unpack to a lot: by their header, by their pixels, by their text."""
    pixel = zlib.compress(b"\0\0\0\0")
    side = 14_000  # 196 megapixels: just inside the limit, so that these are decoded
    rows = zlib.compress(bytes((side + 1) * side), 9)
    text = zlib.compress(b"a" * 100_000_000, 9)
    bmp = b"BM" + bytes(8) + (54).to_bytes(4, "little") + (40).to_bytes(4, "little")
    bmp += (60_000).to_bytes(4, "little") * 2 + b"\1\0\x18\0" + bytes(24)
    return [
        (".png", png(60_000, 60_000, [(b"IDAT", pixel)])),
        (".png", png(2**31 - 1, 2**31 - 1, [(b"IDAT", pixel)])),
        (".png", png(side, side, [(b"IDAT", pixel)])),
        (".png", png(side, side, [(b"IDAT", rows)], colour=0)),
        (".png", png(1, 1, [(b"zTXt", b"Comment\0\0" + text), (b"IDAT", pixel)])),
        (".png", png(1, 1, [(b"iTXt", b"Comment\0\1\0\0\0" + text), (b"IDAT", pixel)])),
        (".png", png(1, 1, [(b"iCCP", b"profile\0\0" + text), (b"IDAT", pixel)])),
        (".gif", b"GIF89a" + b"\xff\xff" * 2 + b"\0\0\0," + bytes(4) + b"\xff\xff" * 2 + b"\0\2\2\x4c\1\0;"),
        (".bmp", bmp),
    ]


def truncated(content: bytes, chance: random.Random) -> bytes:
    return content[: chance.randrange(1, len(content))]


def flipped(content: bytes, chance: random.Random) -> bytes:
    """Some bits changed: half of the time anywhere, else in the header, where they do more."""
    damaged = bytearray(content)
    reach = len(content) if chance.random() < 0.5 else min(len(content), 128)
    for _ in range(chance.choice((1, 2, 8, 64))):
        damaged[chance.randrange(reach)] ^= 1 << chance.randrange(8)
    return bytes(damaged)


def blanked(content: bytes, chance: random.Random) -> bytes:
    """A stretch of zeros or random bytes, as a broken disk or copy leaves it."""
    start = chance.randrange(len(content))
    length = chance.randrange(1, len(content) - start + 1)
    filling = bytes(length) if chance.random() < 0.5 else chance.randbytes(length)
    return content[:start] + filling + content[start + length :]


def spliced(content: bytes, chance: random.Random) -> bytes:
    """A stretch taken out, or put in twice."""
    start, end = sorted(chance.randrange(len(content)) for _ in range(2))
    return content[:start] + content[end:] if chance.random() < 0.5 else content[:end] + content[start:]


def fuzzed_file(
    index: int, seed: int, wholes: list[tuple[str, bytes]], bombs: list[tuple[str, bytes]]
) -> tuple[str, bytes]:
    """(file name, content) of file `index`: the same for the same seed."""
    chance = random.Random(f"{seed}/{index}")
    suffix, content = chance.choice(wholes)
    damages: dict[str, Callable[[bytes, random.Random], bytes]] = {
        "truncated": truncated,
        "flipped": flipped,
        "blanked": blanked,
        "spliced": spliced,
    }
    kind = chance.choices(
        ("truncated", "flipped", "blanked", "spliced", "whole", "renamed", "empty", "random", "headed", "bomb"),
        (20, 30, 10, 10, 5, 5, 2, 5, 10, 3),
    )[0]
    if kind in damages:
        content = damages[kind](content, chance)
    elif kind == "renamed":
        suffix = chance.choice(SUFFIXES)
    elif kind == "empty":
        content = b""
    elif kind == "random":
        content = chance.randbytes(chance.randrange(1, 5000))
    elif kind == "headed":
        content = content[:32] + chance.randbytes(chance.randrange(1, 5000))
    elif kind == "bomb":
        suffix, content = chance.choice(bombs)
    return f"{index:06}-{kind}{suffix}", content


def outcome(path: Path) -> tuple[str, float]:
    """How reading the file ended, and the seconds that it took."""
    started = time.perf_counter()
    try:
        picture, _ = read_picture(read_bytes(str(path)), str(path), shorter_side=SHORTER_SIDE)
        ending = "read" if picture.mode == "RGB" else f"RAISED: mode {picture.mode}"
    except PictureError as error:
        ending = re.sub(r"\d+ megapixels", "N megapixels", error.reason)
    except BaseException as error:
        ending = f"RAISED: {error!r} for {path.name}"
    return ending, time.perf_counter() - started


def fuzz(folder: Path, count: int, seed: int, threads: int) -> int:
    wholes, heavy = templates(), bombs()
    paths = []
    for index in range(count):
        name, content = fuzzed_file(index, seed, wholes, heavy)
        path = folder / name
        path.write_bytes(content)
        paths.append(path)
    with ThreadPoolExecutor(threads) as pool:
        results = list(pool.map(outcome, paths))
    endings = Counter(ending for ending, _ in results)
    for ending, number in endings.most_common():
        print(f"{number:8,}  {ending}")
    total, foreign = endings.total(), sum(n for ending, n in endings.items() if ending.startswith("RAISED"))
    slowest = max(range(count), key=lambda index: results[index][1])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
    print(f"{total:8,}  in all; {foreign} raised something else")
    print(f"peak memory {peak:.0f} MB (bound {MEMORY_BOUND_MB})")
    print(f"slowest {results[slowest][1]:.2f} s, waiting for its turn included: {paths[slowest].name}")
    return 0 if total == count and not foreign and peak <= MEMORY_BOUND_MB else 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=4)
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="write the files here and leave them")
    arguments = parser.parse_args()
    faulthandler.enable()  # a crash inside a decoder should at least say where
    if arguments.keep is not None:
        arguments.keep.mkdir(parents=True, exist_ok=True)
        return fuzz(arguments.keep, arguments.count, arguments.seed, arguments.threads)
    with tempfile.TemporaryDirectory() as folder:
        return fuzz(Path(folder), arguments.count, arguments.seed, arguments.threads)


if __name__ == "__main__":
    sys.exit(main())
