"""Many scenes at once: as arrays for training, as files that a folder source reads like any person's pictures."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from random import Random

import numpy as np
import numpy.typing as npt

from limner.core.errors import InputError
from limner.data.world.captions import captions
from limner.data.world.draw import check_size, draw
from limner.data.world.sampling import scene_at
from limner.data.world.scene import Scene
from limner.data.world.worlds import WORLD_A, World


def caption_rng(seed: int, index: int) -> Random:
    """The generator that captions scene `index` of sequence `seed`, apart from the one that made the scene."""
    return Random(f"captions {seed}/{index}")


def render_scenes(
    seed: int, start: int, count: int, size: int = 160, world: World = WORLD_A
) -> tuple[npt.NDArray[np.uint8], list[Scene]]:
    """Pictures (count, size, size, 3) and the scenes `start` to `start + count` of sequence `seed`.

    Captions, masks and labels come from the scenes when they are wanted.
    """
    if start < 0 or count < 0:
        raise InputError(f"scenes {start} to {start + count}: numbers of scenes begin at 0, a batch has 0 or more")
    scenes = [scene_at(seed, index, world) for index in range(start, start + count)]
    return render(scenes, size), scenes


def render(scenes: Sequence[Scene], size: int = 160) -> npt.NDArray[np.uint8]:
    """Pictures (scenes, size, size, 3)."""
    check_size(size)
    pictures = np.empty((len(scenes), size, size, 3), np.uint8)
    for row, scene in enumerate(scenes):
        pictures[row] = np.asarray(draw(scene, size))
    return pictures


def render_batch(
    seed: int, start: int, count: int, size: int = 160, *, captions_each: int = 5
) -> tuple[npt.NDArray[np.uint8], list[list[str]]]:
    """Pictures (count, size, size, 3) and English captions of the scenes `start` to `start + count`."""
    pictures, scenes = render_scenes(seed, start, count, size)
    return pictures, [
        captions(scene, caption_rng(seed, index), captions_each) for index, scene in enumerate(scenes, start)
    ]


def write_world(folder: str | Path, count: int, seed: int = 0, *, size: int = 160) -> list[Path]:
    """Write `scene-0000.png` ... with a side-car `scene-0000.json` each; returns the pictures' paths.

    The side-car holds "captions" (five true ones), "regions" (the box and a label of each object), "objects"
    (their number) and "background" (its colour). The same arguments give the same bytes (for one version of
    Pillow). The folder is made where it is missing; files of these names in it are replaced. Raises InputError
    for a count or size out of bounds, and for a folder that cannot be written.
    """
    if not 1 <= count <= 1_000_000:
        raise InputError(f"{count} scenes: choose 1 to 1000000")
    folder = Path(folder)
    paths = []
    with writing_to(folder):
        for index in range(count):
            scene = scene_at(seed, index)
            path = folder / f"scene-{index:04d}.png"
            draw(scene, size).save(path)
            write_side_car(path, _side_car(scene, captions(scene, caption_rng(seed, index))))
            paths.append(path)
    return paths


@contextmanager
def writing_to(folder: Path) -> Iterator[None]:
    """Make the folder where it is missing; whatever the system refuses is an InputError that names the folder."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise InputError(f"{folder}: cannot write here ({error.strerror or error}); choose another folder") from error


def write_side_car(picture: Path, record: Mapping[str, object]) -> None:
    """What is known about a picture, as JSON beside it."""
    text = json.dumps(record, ensure_ascii=False, indent=1) + "\n"
    picture.with_suffix(".json").write_text(text, "utf-8", newline="\n")


def _side_car(scene: Scene, texts: list[str]) -> dict[str, object]:
    return {
        "captions": texts,
        "regions": [
            {"box": [round(edge, 4) for edge in thing.box], "label": f"{thing.colour} {thing.shape}"}
            for thing in scene.objects
        ],
        "objects": len(scene.objects),
        "background": scene.background.colour,
    }
