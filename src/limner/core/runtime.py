"""What limner asks of the machine: how many threads, and where a person's data live."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def cpu_count() -> int:
    """Processors that this process may use (not those that the machine has)."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0)) or 1
    return os.cpu_count() or 1


def user_data_dir() -> Path:
    """The folder for collections and models that were given no place: the system's own convention."""
    if override := os.environ.get("LIMNER_HOME"):
        return Path(override).expanduser()
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "limner"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local")) / "limner"
    return Path(os.environ.get("XDG_DATA_HOME", Path.home() / ".local" / "share")) / "limner"
