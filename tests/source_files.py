"""Files for the tests of sources, and what is asked of the items that come out.

`from source_files import ...` works in every test: pyproject.toml puts this folder on the path.
"""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest
from PIL import Image

from limner.core.errors import PictureError
from limner.core.types import Item
from limner.data.content import read_bytes


def picture(shade: int = 128) -> bytes:
    buffer = io.BytesIO()
    Image.new("L", (8, 6), shade).save(buffer, "PNG")
    return buffer.getvalue()


def write(path: Path, content: bytes | str = b"") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content or picture())
    return path


def write_tar(path: Path, members: dict[str, bytes | str]) -> Path:
    with tarfile.open(path, "w:gz" if path.name.endswith("gz") else "w") as archive:
        for name, content in members.items():
            data = content.encode() if isinstance(content, str) else content
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def names(items: object, root: Path) -> list[str]:
    return [item.uri.removeprefix(f"{root}/") for item in items]  # type: ignore[attr-defined]


def own_fields(item: Item) -> dict[str, object]:
    return {name: value for name, value in item.fields.items() if name not in ("folder", "name")}


def refusal(uri: str) -> str:
    with pytest.raises(PictureError) as caught:
        read_bytes(uri)
    return caught.value.reason
