"""Numbers as text: how a value is written, and rows of text as an aligned table or as markdown."""

from __future__ import annotations

from collections.abc import Sequence


def number(value: float, share: bool) -> str:
    """A share of 1 as per cent, anything else as it is."""
    return f"{100 * value:.1f} %" if share else f"{value:,.1f}"


def span(low: float, high: float, share: bool) -> str:
    scale = 100 if share else 1
    return f"{scale * low:,.1f} to {scale * high:,.1f}"


def aligned(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Plain text: the first column to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    lines = []
    for cells in (header, *rows):
        first, *rest = (cell.rjust(width) for cell, width in zip(cells, widths, strict=True))
        lines.append("  ".join([first.lstrip().ljust(widths[0]), *rest]).rstrip())
    return "\n".join(lines)


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    rule = ["---"] + ["---:"] * (len(header) - 1)
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |" for cells in (header, rule, *rows)
    )
