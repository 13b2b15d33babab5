"""The procedural world: seeded scenes whose truth is known, their pictures and their captions.

worlds.py      what a world is made of: palette, shapes, patterns, textures, how many objects, writing
outlines.py    the shapes
scene.py       what is in a scene, where; relations and places from the geometry
sampling.py    scenes from seeds
draw.py        scene -> picture;  glyphs.py the letters of written words
masks.py       scene -> masks, patches
facts.py       statements about a scene, their truth, the objects they name
planning.py    what to say, by style of caption
languages/     facts -> words: English, German, French, Chinese
captions.py    captions as records; long descriptions, translations, paraphrases
wrong.py       captions that are wrong in one fact
noise.py       mismatched, vague, incomplete, wrong and distracted captions, with the truth
twins.py       scenes that differ in one fact; different scenes with one description
complexity.py  texts that tell a chosen number of attributes
graph.py       a scene's truth as one record; how much two scenes share
labels.py      objects as class numbers
instances.py   one thing in many views;  products.py things as a shop lists them
leaves.py      leaves with signs of disease: few concepts, many pictures
source.py      many scenes: as files for people and folders, as arrays for training
examples.py    a sheet of pictures of all of these
"""

from limner.data.world.captions import (
    Caption,
    captions,
    describe,
    full_captions,
    long_description,
    parallel,
    paraphrases,
    say,
    sentences_of,
    translate,
)
from limner.data.world.draw import draw
from limner.data.world.graph import scene_graph, similarities
from limner.data.world.labels import label_ids, label_names, label_vectors
from limner.data.world.masks import masks, patch_shares
from limner.data.world.noise import Noise, NoisyCaption, add_noise, mismatch
from limner.data.world.sampling import sample_scene, scene_at
from limner.data.world.scene import Background, Object, Relation, Scene, Word
from limner.data.world.source import caption_rng, render, render_batch, render_scenes, write_world
from limner.data.world.twins import Twin, near_duplicates, twin
from limner.data.world.worlds import WORLD_A, WORLD_B, World
from limner.data.world.wrong import WrongCaption, falsify, wrong_caption

__all__ = [
    "WORLD_A", "WORLD_B", "Background", "Caption", "Noise", "NoisyCaption", "Object", "Relation", "Scene", "Twin",
    "Word", "World", "WrongCaption", "add_noise", "caption_rng", "captions", "describe", "draw", "falsify",
    "full_captions", "label_ids", "label_names", "label_vectors", "long_description", "masks", "mismatch",
    "near_duplicates", "parallel", "paraphrases", "patch_shares", "render", "render_batch", "render_scenes",
    "sample_scene", "say", "scene_at", "scene_graph", "sentences_of", "similarities", "translate", "twin",
    "write_world", "wrong_caption",
]  # fmt: skip
