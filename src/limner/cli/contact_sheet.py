"""The contact sheet: hits as one HTML page that needs nothing but itself."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from limner.cli.common import shown
from limner.core.errors import PictureError, StorageError

if TYPE_CHECKING:
    from limner.core.types import Hit

THUMBNAIL = 320
"""Longer side of a thumbnail in pixels: sharp at 160 on a dense screen."""

_STYLE = """
:root { color-scheme: light dark; --soft: color-mix(in srgb, currentColor 65%, transparent); }
body { margin: 2rem auto; max-width: 76rem; padding: 0 1rem; font: 1rem/1.5 system-ui, sans-serif; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2.5rem; }
ol { list-style: none; padding: 0; display: grid; gap: 1.25rem;
     grid-template-columns: repeat(auto-fill, minmax(11rem, 1fr)); }
figure { margin: 0; } figcaption { font-size: .85rem; overflow-wrap: anywhere; }
a { display: block; border-radius: .4rem; color: inherit; }
a:focus-visible { outline: 3px solid Highlight; outline-offset: 2px; }
img, .missing { width: 100%; aspect-ratio: 1; border-radius: .4rem; object-fit: contain;
                background: color-mix(in srgb, currentColor 8%, transparent); }
.missing { display: grid; place-items: center; padding: 1rem; box-sizing: border-box; text-align: center; }
.score { font-variant-numeric: tabular-nums; font-weight: 600; }
.part, .empty { color: var(--soft); } .part { display: block; }
"""


@dataclass(frozen=True, slots=True)
class Section:
    """One query with what it found."""

    query: str
    hits: Sequence[Hit]


def write_contact_sheet(path: Path, title: str, sections: Sequence[Section]) -> None:
    """Write the page to `path`, making its folder. StorageError where it cannot be written."""
    page = contact_sheet(title, sections)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(page, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise StorageError(f"{path}: cannot write the page of pictures: {error.strerror or error}") from error


def contact_sheet(title: str, sections: Sequence[Section]) -> str:
    """The page as text: thumbnails embedded, no script, every name escaped."""
    body = "\n".join(_section(section, alone=len(sections) == 1) for section in sections)
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{_safe(title)} – limner</title>\n<style>{_STYLE}</style>\n</head>\n"
        f"<body>\n<main>\n<h1>{_safe(title)}</h1>\n{body}\n</main>\n</body>\n</html>\n"
    )


def _safe(text: str) -> str:
    return escape(shown(text))


def _section(section: Section, *, alone: bool) -> str:
    heading = "" if alone else f"<h2>{_safe(section.query)}</h2>\n"
    if not section.hits:
        return f'<section>\n{heading}<p class="empty">Nothing found.</p>\n</section>'
    figures = "\n".join(_figure(rank, hit) for rank, hit in enumerate(section.hits, 1))
    return f"<section>\n{heading}<ol>\n{figures}\n</ol>\n</section>"


def _figure(rank: int, hit: Hit) -> str:
    name = hit.uri.replace("\\", "/").rsplit("/", 1)[-1]
    # What each term of the query gave; a single one gave it all.
    parts = hit.parts.items() if len(hit.parts) > 1 else ()
    shares = "".join(f'<span class="part">{_safe(part)} {share:+.2f}</span>' for part, share in parts)
    return (
        f"<li><figure>{_picture(hit, name)}\n<figcaption>{rank}. "
        f'<span class="score">{hit.probability:.2f}</span> {_safe(name)}{shares}</figcaption></figure></li>'
    )


def _picture(hit: Hit, name: str) -> str:
    try:
        data = thumbnail(hit.uri)
    except PictureError as error:
        return f'<div class="missing">{_safe(error.reason)}</div>'
    alt = _safe(hit.item.texts[0] if hit.item.texts else name)
    image = f'<img src="data:image/jpeg;base64,{base64.b64encode(data).decode()}" alt="{alt}">'
    link = _link(hit.uri)
    return f'<a href="{escape(link)}" title="{_safe(hit.uri)}">{image}</a>' if link else image


def _link(uri: str) -> str:
    """Where a browser finds the picture; "" for one inside an archive or a table."""
    if uri.startswith("file://"):
        return uri
    path = Path(uri)
    return path.absolute().as_uri() if path.is_file() else ""


def thumbnail(uri: str, longer_side: int = THUMBNAIL) -> bytes:
    """A small JPEG of the picture at `uri`. Raises PictureError."""
    from limner.data.content import read_bytes
    from limner.data.pictures import read_picture

    picture, _ = read_picture(read_bytes(uri), uri, shorter_side=longer_side)
    picture.thumbnail((longer_side, longer_side))
    encoded = io.BytesIO()
    picture.save(encoded, "JPEG", quality=85)
    return encoded.getvalue()
