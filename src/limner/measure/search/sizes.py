"""Numbers of items as people write them."""

from __future__ import annotations

from limner.core.errors import InputError


def size_text(size: int) -> str:
    """1,000,000 -> "1M"; 20,000 -> "20k"."""
    for letter, unit in (("M", 10**6), ("k", 10**3)):
        if size % unit == 0:
            return f"{size // unit}{letter}"
    return str(size)


def parsed_size(text: str) -> int:
    """ "1M", "20k", "2500" -> the number. Raises InputError."""
    number, unit = text[:-1], {"k": 10**3, "m": 10**6}.get(text[-1:].lower())
    digits = number if unit else text
    if not digits.isdecimal():
        raise InputError(f"--size {text}: give a number of items, such as 20k, 1M or 2500")
    return int(digits) * (unit or 1)
