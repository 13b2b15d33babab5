"""limner: find pictures with words.

>>> photos = limner.Collection("photos.limner")
>>> photos.add("~/photos")
>>> for hit in photos.search("a dog on a beach", k=5):
...     print(hit.probability, hit.uri)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["Collection", "Hit", "Item", "LimnerError", "Query"]

if TYPE_CHECKING:
    from limner.collection import Collection
    from limner.core.errors import LimnerError
    from limner.core.query import Query
    from limner.core.types import Hit, Item

_HOME = {
    "Collection": "limner.collection",
    "Hit": "limner.core.types",
    "Item": "limner.core.types",
    "LimnerError": "limner.core.errors",
    "Query": "limner.core.query",
}


def __getattr__(name: str) -> Any:
    # Loaded on first use, so that `import limner` costs nothing (no numpy, no onnxruntime).
    if name in _HOME:
        import importlib

        return getattr(importlib.import_module(_HOME[name]), name)
    raise AttributeError(f"module 'limner' has no attribute {name!r}")
