"""The procedural world: seeded scenes whose truth is known, their pictures and their captions.

scene.py     what is in a scene, where; sampled from a seed
draw.py      scene -> picture, masks
facts.py     statements about a scene and their truth
captions.py  true captions, and captions that are wrong in one fact
source.py    many scenes: as files for people and folders, as arrays for training
"""

from limner.data.world.captions import Caption, WrongCaption, captions, full_captions, wrong_caption
from limner.data.world.draw import draw, masks
from limner.data.world.scene import Background, Object, Relation, Scene, sample_scene, scene_at
from limner.data.world.source import caption_rng, render_batch, write_world

__all__ = [
    "Background", "Caption", "Object", "Relation", "Scene", "WrongCaption", "caption_rng", "captions", "draw",
    "full_captions", "masks", "render_batch", "sample_scene", "scene_at", "write_world", "wrong_caption",
]  # fmt: skip
