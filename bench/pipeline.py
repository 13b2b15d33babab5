"""Pictures a second through `Collection.add`, against its two halves alone.

    python bench/pipeline.py --pictures 400 --repeats 7 --seed 0

    decode       read_bytes, read_picture and Encoder.prepare in a pool of as many threads as cores
    encode       Encoder.encode on ready arrays, in the batches of indexing, with all cores
    end to end   Collection.add of the folder into a new collection: both, checksums and commits

The three take turns in one process, in an order that rotates; every ratio is formed within one turn,
and its median is shown. Two yardsticks stand beside the result:

    the slower half      what a pipeline reaches where each half has processors of its own; goal 0.8
    shared-core bound    1 / (1/decode + 1/encode): where both halves work on the same cores, as here,
                         their times add up. If each alone keeps all cores busy, no pipeline passes
                         this, and the ratio to it is what the pipeline costs

The photographs are 1280 x 960 with EXIF: parts of the openly licensed ones that scikit-image carries
and drawn scenes, enlarged, with grain as a sensor leaves it, so that a file has the bytes of a real
one. The small pictures are the same at 160 x 120. All files are in the page cache.
"""

from __future__ import annotations

import io
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random

import numpy as np
from harness import options, spread, store, workplace
from PIL import Image

from limner.collection import Collection
from limner.collection.adding import BATCH
from limner.core.runtime import cpu_count
from limner.data.content import read_bytes
from limner.data.demo import write_demo_pictures
from limner.data.pictures import read_picture
from limner.data.world import draw, scene_at
from limner.encode.bundle import DEFAULT_MODEL, Bundle, find_bundle
from limner.encode.onnx import OnnxEncoder

SMALL_FACTOR = 5
"""So many small pictures stand for one photograph, so that no turn is over in an instant."""

GRAIN = 5.0
"""Standard deviation of the noise, of 255."""
WARM_UP = BATCH
"""Other pictures, which a new collection takes in before its turn: libraries and model are loaded then."""

Measured = tuple[float, float]
"""Pictures a second, and the share of all cores' time that was used."""


def originals(folder: Path, seed: int) -> list[Image.Image]:
    """The photographs of scikit-image, and as many drawn scenes."""
    paths = [path for path in write_demo_pictures(folder) if path.parent.name == "photographs"]
    photographs = [Image.open(path).convert("RGB") for path in paths]
    return photographs + [draw(scene_at(seed, index), 640) for index in range(len(photographs))]


def write_photographs(
    folder: Path, pictures: Sequence[Image.Image], count: int, size: tuple[int, int], seed: int
) -> None:
    """`count` JPEG files, each another part of one of `pictures`."""
    folder.mkdir()
    for index in range(count):
        rng = Random(f"{seed}/{index}")
        picture = enlarged(pictures[index % len(pictures)], size, rng)
        (folder / f"photo-{index:05}.jpg").write_bytes(as_jpeg(picture, rng))


def enlarged(original: Image.Image, size: tuple[int, int], rng: Random) -> Image.Image:
    """A part of the picture with the proportions of `size`, brought to that size, with grain."""
    width = min(original.width, original.height * size[0] / size[1]) * rng.uniform(0.6, 1)
    height = width * size[1] / size[0]
    left, top = rng.uniform(0, original.width - width), rng.uniform(0, original.height - height)
    part = original.resize(size, Image.Resampling.BICUBIC, (left, top, left + width, top + height))
    grain = np.random.default_rng(rng.randrange(2**32)).normal(0, GRAIN, (size[1], size[0], 1))
    return Image.fromarray((np.asarray(part) + grain).clip(0, 255).astype(np.uint8))


def as_jpeg(picture: Image.Image, rng: Random) -> bytes:
    """The file that a camera would write; one in four was held upright."""
    exif = Image.Exif()
    exif[0x0112] = rng.choice((1, 1, 1, 6))
    exif[0x010F], exif[0x0110] = "Maker", f"Camera {rng.randrange(5)}"
    exif.get_ifd(0x8769)[0x9003] = f"{rng.randrange(2000, 2025)}:{rng.randrange(1, 13):02}:01 12:00:00"
    exif.get_ifd(0x8825).update({1: "N", 2: (float(rng.randrange(90)), 30.0, 0.0), 3: "E", 4: (2.0, 15.0, 0.0)})
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=90, exif=exif)
    return buffer.getvalue()


class Bench:
    """The three ways over one folder of pictures."""

    def __init__(self, folder: Path, warm_up: Path, scratch: Path, bundle: Bundle) -> None:
        self._folder, self._warm_up, self._scratch, self._bundle = folder, warm_up, scratch, bundle
        self._uris = [str(path) for path in sorted(folder.iterdir())]
        self._encoder = OnnxEncoder(bundle)
        self._ready = self._decode()
        self._encode(self._ready[:BATCH])

    def turn(self, first: int) -> dict[str, Measured]:
        """Each of the three once, beginning with the one of this number."""
        with Collection(self._scratch, model=self._bundle.path) as photos:
            photos.add(self._warm_up)
            ways: list[tuple[str, Callable[[], object]]] = [
                ("decode", self._decode),
                ("encode", lambda: self._encode(self._ready)),
                ("end to end", lambda: photos.add(self._folder)),
            ]
            measured = {name: self._timed(way) for name, way in ways[first % 3 :] + ways[: first % 3]}
            added = len(photos) - len(list(self._warm_up.iterdir()))
        shutil.rmtree(self._scratch)
        if added != len(self._uris):
            sys.exit(f"{added} of {len(self._uris)} pictures were added")
        return measured

    def _timed(self, way: Callable[[], object]) -> Measured:
        wall, processor = time.perf_counter(), time.process_time()
        way()
        wall, processor = time.perf_counter() - wall, time.process_time() - processor
        return len(self._uris) / wall, processor / (wall * cpu_count())

    def _decode(self) -> list[np.ndarray]:
        def decode(uri: str) -> np.ndarray:
            picture, _ = read_picture(read_bytes(uri), uri, shorter_side=self._encoder.picture_side)
            pixels: np.ndarray = self._encoder.prepare("image", picture)
            return pixels

        with ThreadPoolExecutor(cpu_count()) as pool:
            return list(pool.map(decode, self._uris))

    def _encode(self, ready: Sequence[np.ndarray]) -> None:
        for start in range(0, len(ready), BATCH):
            self._encoder.encode("image", ready[start : start + BATCH])


def evaluate(turns: Sequence[dict[str, Measured]]) -> dict[str, dict[str, float]]:
    """Rates and ratios of all turns, each as median, least and most."""
    rates = {name: [turn[name][0] for turn in turns] for name in turns[0]}
    halves = list(zip(rates["decode"], rates["encode"], rates["end to end"], strict=True))
    return {
        **{f"{name}, pictures/s": spread(values) for name, values in rates.items()},
        **{f"{name}, processors used": spread([turn[name][1] for turn in turns]) for name in turns[0]},
        "end to end / slower half": spread([whole / min(decode, encode) for decode, encode, whole in halves]),
        "end to end / shared-core bound": spread(
            [whole * (1 / decode + 1 / encode) for decode, encode, whole in halves]
        ),
        "shared-core bound / slower half": spread(
            [1 / (1 / decode + 1 / encode) / min(decode, encode) for decode, encode, _ in halves]
        ),
    }


def print_table(title: str, table: dict[str, dict[str, float]]) -> None:
    print(f"\n{title:44} {'median':>9} {'least':>9} {'most':>9}")
    for name, values in table.items():
        digits = 1 if name.endswith("pictures/s") else 2
        print(f"{name:44} " + " ".join(f"{value:9,.{digits}f}" for value in values.values()))


def main() -> int:
    parser = options(__doc__)
    parser.add_argument("--pictures", type=int, default=400, help="photographs; of small pictures five times as many")
    parser.add_argument("--repeats", type=int, default=7)
    arguments = parser.parse_args()
    if arguments.pictures < 1 or arguments.repeats < 1:
        parser.error("needs 1 picture and 1 repeat at least")
    bundle = Bundle.load(find_bundle(arguments.model or DEFAULT_MODEL))
    result: dict[str, object] = {}
    with workplace(arguments.keep) as place:
        pictures = originals(place / "originals", arguments.seed)
        for name, size, count in (
            ("photographs", (1280, 960), arguments.pictures),
            ("small", (160, 120), SMALL_FACTOR * arguments.pictures),
        ):
            folder, warm_up = place / name, place / f"{name}-warm-up"
            write_photographs(folder, pictures, count, size, arguments.seed)
            write_photographs(warm_up, pictures, WARM_UP, size, arguments.seed + 1)
            mean = sum(path.stat().st_size for path in folder.iterdir()) / count
            bench = Bench(folder, warm_up, place / "collection.limner", bundle)
            table = evaluate([bench.turn(number) for number in range(arguments.repeats)])
            print_table(f"{count:,} pictures {size[0]} x {size[1]}, {mean / 1000:.0f} kB each", table)
            result[name] = {"pictures": count, "width": size[0], "height": size[1], "mean_bytes": mean, **table}
    store(arguments, bundle.fingerprint, result)
    return 0


if __name__ == "__main__":
    sys.exit(main())
