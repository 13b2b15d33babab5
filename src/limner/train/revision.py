"""Which commit made a number."""

from __future__ import annotations

import subprocess
from pathlib import Path


def commit() -> str:
    """The commit of the checkout that this package runs from; empty for an installed package."""
    try:
        asked = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, cwd=Path(__file__).parent)
    except OSError:
        return ""
    return asked.stdout.strip() if asked.returncode == 0 else ""
