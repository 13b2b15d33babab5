"""What is in a scene as one serialisable record, and how much of it two scenes share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt

from limner.data.world.scene import Scene, place_of
from limner.data.world.worlds import ATTRIBUTES


def scene_graph(scene: Scene) -> dict[str, Any]:
    """The scene's truth, ready for JSON.

    "objects" (attributes, "box" as left, top, right, bottom, "place" or None), "relations" ([subject, direction,
    other] as positions in "objects"), "counts" (of each shape, colour and coloured shape that occurs),
    "background" (colour, texture) and "word" ("text" and "box", or None).
    """
    counts: Counter[str] = Counter()
    for thing in scene.objects:
        counts.update((thing.shape, thing.colour, f"{thing.colour} {thing.shape}"))
    return {
        "objects": [
            {name: getattr(thing, name) for name in ATTRIBUTES}
            | {"box": [round(edge, 4) for edge in thing.box], "place": place_of(thing)}
            for thing in scene.objects
        ],
        "relations": [[found.subject, found.direction, found.other] for found in scene.relations],
        "counts": dict(sorted(counts.items())),
        "background": {"colour": scene.background.colour, "texture": scene.background.texture},
        "word": scene.word and {"text": scene.word.text, "box": [round(edge, 4) for edge in scene.word.box]},
    }


def similarities(scenes: Sequence[Scene], others: Sequence[Scene]) -> npt.NDArray[np.float32]:
    """(scenes, others): 0 (nothing in common) to 1 (the same content), as truth for picture-to-picture search.

    Each scene is broken into tuples: every attribute of every object, every pair of attributes of one object, every
    relation between coloured shapes, the background's colour and texture, the word; the similarity is the F1 of the
    two bags of tuples (Anderson et al. 2016, SPICE, with exact matches only).
    """
    bags = [_tuples(scene) for scene in (*scenes, *others)]
    columns: dict[Any, int] = {}
    for bag in bags:
        for part in bag:
            columns.setdefault(part, len(columns))
    found = np.zeros((len(bags), len(columns)), np.float32)
    for row, bag in zip(found, bags, strict=True):
        row[[columns[part] for part in bag]] = 1
    first, second = found[: len(scenes)], found[len(scenes) :]
    return np.asarray(2 * (first @ second.T) / (first.sum(1)[:, None] + second.sum(1)[None, :]), np.float32)


def _tuples(scene: Scene) -> list[Any]:
    """The scene's tuples; the second of two equal ones is numbered 2, so that a bag becomes a set."""
    parts: list[Any] = []
    for thing in scene.objects:
        values = [(name, getattr(thing, name)) for name in ATTRIBUTES]
        parts += values + list(combinations(values, 2))
    for found in scene.relations:
        subject, other = scene.objects[found.subject], scene.objects[found.other]
        parts.append((subject.colour, subject.shape, found.direction, other.colour, other.shape))
    parts += [("ground", scene.background.colour), ("texture", scene.background.texture)]
    parts += [("word", scene.word.text)] if scene.word else []
    seen: Counter[Any] = Counter()
    numbered = []
    for part in parts:
        seen[part] += 1
        numbered.append((part, seen[part]))
    return numbered
