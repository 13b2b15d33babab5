"""What a timing depends on: the machine, the packages, the commit; and what a process takes of it."""

from __future__ import annotations

import platform
import subprocess
import sys
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from limner import __version__
from limner.core.runtime import cpu_count

_ROOT = Path(__file__).parents[3]
"""Of the checkout, where the package runs from one."""


def machine(packages: Iterable[str] = ("numpy", "limner")) -> dict[str, object]:
    """Nothing by which the machine could be told from another of its kind."""
    return {
        "processor": _processor(),
        "cores": cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "packages": {name: version_of(name) for name in packages},
    }


def version_of(package: str) -> str | None:
    """The version of a package that is installed; limner's own also where it runs from a source tree."""
    if package == "limner":
        return __version__
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def commit() -> str:
    """The commit that is checked out, with a "+" where files differ from it; empty outside of a clone."""
    try:
        head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=_ROOT, capture_output=True, text=True, check=True)
        changes = subprocess.run(
            ["git", "status", "--porcelain", "--", "src", "bench/*.py"],
            cwd=_ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return ""
    return head.stdout.strip() + ("+" if changes.stdout else "")


def resident_bytes() -> int | None:
    """Memory that this process holds now, mapped files that it has touched included; None where it cannot be told."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    kilobytes = next((line.split()[1] for line in lines if line.startswith("VmRSS:")), None)
    return None if kilobytes is None else 1024 * int(kilobytes)


def peak_bytes() -> int | None:
    """The most that this process has held so far; None where it cannot be told."""
    if sys.platform == "win32":
        return None
    import resource

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else 1024 * most


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()
