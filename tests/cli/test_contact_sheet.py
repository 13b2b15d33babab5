"""The contact sheet: whole in one file, valid, safe whatever a file is called, usable without seeing it."""

from __future__ import annotations

import base64
import io
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image

from limner.cli.contact_sheet import THUMBNAIL, Section, contact_sheet, thumbnail, write_contact_sheet
from limner.core.errors import PictureError, StorageError
from limner.core.types import Hit, Item

VOID = {"meta", "img", "br"}
NASTY = "a<script>alert(1)</script>&\"'\nb.png"


class Page(HTMLParser):
    """Parses strictly enough to notice a tag that is not closed, and keeps what a reader would meet."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


PARTS = {"joint: a <b>": 0.32, "joint: -c": -0.02}


def hit(path: Path, probability: float = 0.75, **facts: object) -> Hit:
    return Hit(Item(str(path), id="1", **facts), score=0.3, probability=probability, parts=PARTS)


def test_a_page_is_whole_in_itself(tmp_path: Path) -> None:
    Image.new("RGB", (900, 600), "teal").save(tmp_path / "sea.png")
    page = Page(contact_sheet("the sea", [Section("the sea", [hit(tmp_path / "sea.png")])]))
    (image,) = page.all("img")
    kind, _, data = str(image["src"]).partition(",")
    assert kind == "data:image/jpeg;base64"
    with Image.open(io.BytesIO(base64.b64decode(data))) as shown:
        assert shown.size == (THUMBNAIL, round(THUMBNAIL * 600 / 900))
    assert image["alt"] == "sea.png"
    assert [link["href"] for link in page.all("a")] == [(tmp_path / "sea.png").as_uri()]
    assert not page.all("script")
    assert not page.all("link")
    text = "".join(page.words)
    assert "0.75" in text
    assert "joint: a <b> +0.32" in text
    assert "joint: -c -0.02" in text


def test_a_caption_says_what_the_picture_shows(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "x.png")
    page = Page(contact_sheet("q", [Section("q", [hit(tmp_path / "x.png", texts=('a "dark" square',))])]))
    assert page.all("img")[0]["alt"] == 'a "dark" square'


def test_names_cannot_break_out(tmp_path: Path) -> None:
    path = tmp_path / NASTY.replace("/", "\N{FRACTION SLASH}")
    Image.new("RGB", (8, 8)).save(path)
    sections = [Section(NASTY, [hit(path)]), Section("</title><script>", [])]
    page = Page(contact_sheet(NASTY, sections))
    assert not page.all("script")
    assert "Nothing found." in page.words
    assert path.name.replace("\n", "\\n") in "".join(page.words)


def test_a_picture_that_has_gone_keeps_its_place(tmp_path: Path) -> None:
    page = Page(contact_sheet("q", [Section("q", [hit(tmp_path / "gone.png"), hit(tmp_path / "gone too.png")])]))
    assert not page.all("img")
    assert len(page.all("figure")) == 2
    with pytest.raises(PictureError):
        thumbnail(str(tmp_path / "gone.png"))


def test_where_it_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match="file"):
        write_contact_sheet(tmp_path / "file" / "page.html", "q", [])


def test_broken_unicode_is_written_as_escapes(tmp_path: Path) -> None:
    write_contact_sheet(tmp_path / "new" / "page.html", "caf\udce9", [Section("q", [hit(tmp_path / "\udcff.png")])])
    assert "caf\\udce9" in (tmp_path / "new" / "page.html").read_text(encoding="utf-8")
