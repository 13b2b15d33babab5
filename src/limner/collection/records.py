"""What a collection tells about itself and about its work."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from limner.index.records import Job, Skipped

__all__ = ["AddReport", "OnProgress", "Progress", "Skipped", "Status"]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run has come."""

    done: int
    total: int
    skipped: int
    per_second: float
    """Pictures that were read and encoded, per second so far; those that had not changed do not count."""
    seconds_left: float | None
    """None until there is something to reckon with."""
    uri: str
    """The last item that was dealt with."""


OnProgress: TypeAlias = Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class AddReport:
    """What became of the items of a run."""

    added: int = 0
    updated: int = 0
    unchanged: int = 0
    moved: int = 0
    """Found again at another place by their content, or by the id that their source gives."""
    vanished: int = 0
    """Known at the place of the source and there no more: found no more, until they are back."""
    pruned: int = 0
    skipped: tuple[Skipped, ...] = ()
    """What could not be used, and why. An item that was known before is found no more."""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Status:
    path: Path
    items: int
    """Vanished ones not counted."""
    vanished: int
    skipped: int
    fields: Mapping[str, int]
    """Name -> how many items have it."""
    model_name: str
    """Empty before the first picture."""
    model_fingerprint: str
    spaces: tuple[str, ...]
    bytes: int
    """On disk."""
    shards: int
    server: str
    """The URL of the server that keeps the vectors. Empty: files here do."""
    jobs: tuple[Job, ...]
    """Runs that were begun and not finished and can be taken up again, newest first; a running one, too."""
    schema_version: int
