"""Pictures for `limner demo`: openly licensed ones that scikit-image carries, and scenes of the procedural world."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

from limner.core.errors import MissingDependency
from limner.data.world.source import write_side_car, write_world, writing_to

CREDITS = {
    "astronaut.png": "Eileen Collins. NASA Great Images database; public domain.",
    "brick.png": "Brick wall. CC0Textures (Bricks25); CC0.",
    "camera.png": "Photographer with camera. Lav Varshney; CC0.",
    "cell.png": "Cell floating in saline, phase image. Paul Müller and others, Optics Express 26(8), 2018; CC0.",
    "chelsea.png": "Chelsea the cat. Stefan van der Walt; CC0.",
    "clock_motion.png": "Wall clock, blurred by motion. Stefan van der Walt; public domain.",
    "coffee.png": "Coffee cup. Rachel Michetti, courtesy of Pikolo Espresso Bar; CC0.",
    "coins.png": "Greek coins from Pompeii. Brooklyn Museum Collection; no known copyright restrictions.",
    "grass.png": "Grass. DeviantArt user linolafett; CC0.",
    "gravel.png": "Gravel. CC0Textures (Gravel04); CC0.",
    "horse.png": "Silhouette of a horse. Andreas Preuss (marauder), openclipart; CC0.",
    "hubble_deep_field.jpg": "Hubble eXtreme Deep Field. NASA; public domain.",
    "ihc.png": "Colonic glands, stained. Center for Microscopy and Molecular Imaging; no known copyright restrictions.",
    "microaneurysms.png": "Detail of a retina. Andreas Maier, High-Resolution Fundus database; CC0.",
    "retina.jpg": "Human retina. Mikael Häggström, Wikimedia Commons; CC0.",
    "rocket.jpg": "Falcon 9 with DSCOVR before launch. SpaceX; public domain.",
    "text.png": "Handwriting on paper. Wikipedia (Corner.png); public domain.",
}
"""Files of scikit-image whose free use its documentation states, with what they show, who made them, the terms."""

_SCENES = 150


def write_demo_pictures(folder: str | Path) -> list[Path]:
    """Fill `folder` with `photographs/` (unchanged copies) and `scenes/` (150, always the same); returns all paths.

    Nothing is downloaded: the copies are those files of CREDITS that lie inside the installed scikit-image, each
    with its credit as a field in a JSON side-car; no caption, so that they are found by what they show.
    Raises MissingDependency where it is not installed, InputError where the folder cannot be written.
    """
    shipped = _skimage_data()
    folder = Path(folder)
    scenes = write_world(folder / "scenes", _SCENES)
    photographs = folder / "photographs"
    copies = [photographs / name for name in CREDITS if (shipped / name).exists()]
    with writing_to(photographs):
        for copy in copies:
            shutil.copyfile(shipped / copy.name, copy)
            write_side_car(copy, {"credit": CREDITS[copy.name]})
    return copies + scenes


def _skimage_data() -> Path:
    spec = importlib.util.find_spec("skimage")  # finds it without the cost of importing it
    if spec is None or spec.origin is None:
        raise MissingDependency("scikit-image", "the demo", "demo")
    return Path(spec.origin).parent / "data"
