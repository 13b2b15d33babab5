"""A model as one checked folder: graphs, tokenizer, preprocessing and normalisation that cannot drift apart.

A bundle loads whole or not at all: a file that is missing, changed, half copied or not named by
`bundle.json` is a `BundleError`. The layout is described in `docs/bundle-format.md`.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from limner.core.errors import BundleError, InputError
from limner.core.runtime import user_data_dir
from limner.encode.manifest import CARD, VECTORS_VERSION, Manifest, print_manifest, read_manifest

MANIFEST = "bundle.json"
DEFAULT_MODEL = "small"
_PACKAGED = Path(__file__).parent / "bundles"


@dataclass(frozen=True)
class Bundle:
    """A verified bundle on disk. Made by `Bundle.load`."""

    path: Path
    manifest: Manifest
    files: Mapping[str, str]
    """sha256 (hexadecimal) of each file, by its name."""

    @classmethod
    def load(cls, path: str | Path) -> Bundle:
        """Read and verify the whole folder. Raises BundleError with one line that names the file and the mend."""
        path = Path(path).expanduser()
        try:
            content = (path / MANIFEST).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            raise BundleError(f"{path} is not a model bundle: it has no {MANIFEST}") from None
        except OSError as error:
            raise BundleError(f"{path / MANIFEST} cannot be read ({error.strerror}): check its permissions") from None
        try:
            manifest, files = read_manifest(content)
            _verify(path, manifest, files)
        except BundleError as error:
            raise BundleError(f"model bundle {path}: {error}") from None
        except OSError as error:
            raise BundleError(
                f"model bundle {path}: {error.filename} cannot be read ({error.strerror}): check its permissions"
            ) from None
        return cls(path, manifest, files)

    @cached_property
    def fingerprint(self) -> str:
        """sha256 over all that makes the vectors: graphs, tokenizer, preprocessing, spaces (how they are normalised).

        Name, card, metrics, calibration and the names of files leave it as it is.
        """
        manifest = self.manifest
        record: dict[str, object] = {
            "format": VECTORS_VERSION,
            "spaces": [dataclasses.asdict(space) for space in manifest.spaces],
            "files": {role: self.files[name] for role, name in manifest.parts.items()},
        }
        if manifest.image:
            record["image"] = [manifest.image.size, manifest.image.resize, manifest.image.interpolation]
        if manifest.text:
            record["text"] = [manifest.text.context_length]
        return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()

    @property
    def card(self) -> str:
        """What the authors say about the model, as Markdown; empty if they say nothing."""
        return (self.path / CARD).read_text("utf-8", "replace") if CARD in self.files else ""

    @property
    def size(self) -> int:
        """Bytes of all its files."""
        return sum((self.path / name).stat().st_size for name in (MANIFEST, *self.files))


def write_bundle(folder: str | Path, manifest: Manifest, files: Mapping[str, bytes | Path]) -> Bundle:
    """Write a new bundle folder, at once or not at all, and load it back.

    `files` maps the names that the manifest uses (and `card.md`) to their content or to the file to
    copy. Raises BundleError if files and manifest do not belong together or cannot be written,
    InputError if `folder` exists already.
    """
    folder = Path(folder).expanduser()
    if folder.exists():
        raise InputError(f"{folder} exists already: remove it or choose another folder for the bundle")
    _check_names(manifest, files)
    try:
        _write(folder, manifest, files)
    except OSError as error:
        raise BundleError(f"model bundle {folder} cannot be written: {error}") from error
    return Bundle.load(folder)


def _write(folder: Path, manifest: Manifest, files: Mapping[str, bytes | Path]) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Beside its final place, so that the rename stays on one file system and is atomic.
    draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        for name, source in files.items():
            if isinstance(source, Path):
                shutil.copyfile(source, draft / name)
            else:
                (draft / name).write_bytes(source)
        checksums = {name: _checksum(draft / name) for name in files}
        (draft / MANIFEST).write_bytes(print_manifest(manifest, checksums))
        for path in draft.iterdir():
            _flush(path)
        draft.chmod(0o755)  # mkdtemp makes it private
        draft.rename(folder)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise


def bundled_models() -> dict[str, Path]:
    """The models at hand, by name: the package's own, then those in `user_data_dir()/models`.

    A model of the package is never hidden by one of the same name.
    """
    found: dict[str, Path] = {}
    for home in (_PACKAGED, user_data_dir() / "models"):
        for manifest in sorted(home.glob(f"*/{MANIFEST}")):
            found.setdefault(manifest.parent.name, manifest.parent)
    return found


def default_bundle() -> Path:
    """The folder of the model that is used when none is named."""
    return find_bundle(DEFAULT_MODEL)


def find_bundle(name_or_path: str | Path) -> Path:
    """The folder of a model given by its name or by a path. Raises BundleError that lists the models at hand."""
    models = bundled_models()
    if isinstance(name_or_path, str) and name_or_path in models:
        return models[name_or_path]
    path = Path(name_or_path).expanduser()
    if path.is_dir():
        return path
    at_hand = ", ".join(sorted(models)) or "none"
    raise BundleError(
        f"no model {str(name_or_path)!r}: give a bundle's folder or one of the models at hand ({at_hand})"
    )


def _verify(path: Path, manifest: Manifest, files: Mapping[str, str]) -> None:
    """Every file that the manifest uses is there, as it was written, and nothing else is."""
    _check_names(manifest, files)
    # Hidden files are never read, and file managers leave them everywhere (.DS_Store).
    for entry in sorted(path.iterdir()):
        if entry.name not in files and entry.name != MANIFEST and not entry.name.startswith("."):
            raise BundleError(f"{entry.name} is not listed in {MANIFEST}: remove it")
    for name, checksum in sorted(files.items()):
        if not (path / name).is_file():
            raise BundleError(f"{name} is missing: copy the whole folder again")
        if _checksum(path / name) != checksum:
            raise BundleError(f"{name} is not the file that {MANIFEST} names (sha256 differs): copy the folder again")


def _check_names(manifest: Manifest, files: Mapping[str, object]) -> None:
    used = set(manifest.parts.values())
    for name in sorted(used - files.keys()):
        raise BundleError(f"{name} is named in {MANIFEST} but not among its files: add it, or convert the model again")
    for name in sorted(files.keys() - used - {CARD}):
        raise BundleError(f"{name} is among the files of {MANIFEST} but nothing uses it: take it out")


def _checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _flush(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())
