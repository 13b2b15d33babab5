from __future__ import annotations

import dataclasses
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from limner.core.errors import BundleError, InputError
from limner.core.types import Space
from limner.encode.bundle import Bundle, bundled_models, default_bundle, find_bundle, write_bundle
from limner.encode.manifest import Calibration, ImageInput, Manifest, TextInput


def refuses(folder: Path, *words: str) -> None:
    with pytest.raises(BundleError) as caught:
        Bundle.load(folder)
    message = str(caught.value)
    assert "\n" not in message
    for word in (str(folder), *words):
        assert word in message


def test_what_was_written_is_loaded(bundle: Bundle, manifest: Manifest, files: dict[str, bytes]) -> None:
    loaded = Bundle.load(str(bundle.path))
    assert loaded == bundle
    assert loaded.manifest == manifest
    assert loaded.files.keys() == files.keys()
    assert loaded.card == files["card.md"].decode()
    assert loaded.size == sum(path.stat().st_size for path in bundle.path.iterdir())


def test_files_may_be_copied_from_elsewhere(tmp_path: Path, manifest: Manifest, files: dict[str, bytes]) -> None:
    graph = tmp_path / "exported.onnx"
    graph.write_bytes(files["image.onnx"])
    written = write_bundle(tmp_path / "copy", manifest, files | {"image.onnx": graph})
    assert (written.path / "image.onnx").read_bytes() == files["image.onnx"]
    assert graph.exists()


def test_the_card_is_optional(tmp_path: Path, manifest: Manifest, files: dict[str, bytes]) -> None:
    without = {name: content for name, content in files.items() if name != "card.md"}
    assert write_bundle(tmp_path / "bare", manifest, without).card == ""


def test_no_bundle_at_all(tmp_path: Path) -> None:
    refuses(tmp_path / "nowhere", "not a model bundle", "bundle.json")
    refuses(tmp_path, "not a model bundle")
    (tmp_path / "image.onnx").write_bytes(b"a graph alone")
    refuses(tmp_path / "image.onnx", "not a model bundle")
    (tmp_path / "bundle.json").mkdir()
    refuses(tmp_path, "bundle.json cannot be read (Is a directory)")


@pytest.mark.parametrize("name", ["image.onnx", "text.onnx", "tokenizer.json", "card.md"])
def test_half_a_bundle_is_refused(bundle: Bundle, name: str) -> None:
    (bundle.path / name).unlink()
    refuses(bundle.path, f"{name} is missing: copy the whole folder again")


@pytest.mark.parametrize("name", ["image.onnx", "text.onnx", "tokenizer.json", "card.md"])
def test_a_cut_or_changed_file_is_refused(bundle: Bundle, name: str) -> None:
    content = (bundle.path / name).read_bytes()
    (bundle.path / name).write_bytes(content[: len(content) // 2])
    refuses(bundle.path, name, "sha256 differs")
    (bundle.path / name).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    refuses(bundle.path, name, "sha256 differs")
    (bundle.path / name).write_bytes(content)
    Bundle.load(bundle.path)


def test_swapped_files_are_refused(bundle: Bundle) -> None:
    image, text = bundle.path / "image.onnx", bundle.path / "text.onnx"
    image.rename(bundle.path / "aside")
    text.rename(image)
    (bundle.path / "aside").rename(text)
    refuses(bundle.path, "image.onnx", "sha256 differs")


def test_a_folder_in_place_of_a_file_is_refused(bundle: Bundle) -> None:
    (bundle.path / "card.md").unlink()
    (bundle.path / "card.md").mkdir()
    refuses(bundle.path, "card.md is missing")


def test_a_file_too_many_is_refused_unless_hidden(bundle: Bundle) -> None:
    (bundle.path / ".DS_Store").write_bytes(b"left by a file manager")
    Bundle.load(bundle.path)
    (bundle.path / "image.onnx.data").write_bytes(b"weights outside of the graph")
    refuses(bundle.path, "image.onnx.data is not listed in bundle.json: remove it")


def edit(bundle: Bundle, change: Callable[[dict], object]) -> None:  # type: ignore[type-arg]
    path = bundle.path / "bundle.json"
    record = json.loads(path.read_bytes())
    change(record)
    path.write_text(json.dumps(record))


def test_files_and_their_use_must_agree(bundle: Bundle) -> None:
    edit(bundle, lambda record: record["files"].update({"extra.bin": "00"}))
    refuses(bundle.path, "extra.bin", "nothing uses it")
    edit(bundle, lambda record: (record["files"].pop("extra.bin"), record["files"].pop("text.onnx")))
    refuses(bundle.path, "text.onnx is named in bundle.json but not among its files")


def test_errors_of_the_manifest_name_the_folder(bundle: Bundle) -> None:
    edit(bundle, lambda record: record.update(format=99))
    refuses(bundle.path, "bundle format 99", "update limner")
    (bundle.path / "bundle.json").write_bytes(b"{half")
    refuses(bundle.path, "not valid JSON")


def test_a_path_out_of_the_folder_is_refused(bundle: Bundle) -> None:
    shutil.copy(bundle.path / "image.onnx", bundle.path.parent / "image.onnx")

    def change(record: dict) -> None:  # type: ignore[type-arg]
        record["image"]["graph"] = "../image.onnx"
        record["files"]["../image.onnx"] = record["files"].pop("image.onnx")

    edit(bundle, change)
    refuses(bundle.path, "../image.onnx", "not allowed")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="permissions do not bind this user")
def test_an_unreadable_file_is_an_error_of_the_bundle(bundle: Bundle) -> None:
    (bundle.path / "image.onnx").chmod(0)
    refuses(bundle.path, "image.onnx", "cannot be read")


def test_writing_is_all_or_nothing(tmp_path: Path, manifest: Manifest, files: dict[str, bytes]) -> None:
    folder = tmp_path / "out"
    with pytest.raises(BundleError, match=r"text\.onnx is named in bundle\.json but not among its files"):
        write_bundle(folder, manifest, {name: files[name] for name in ("image.onnx", "tokenizer.json")})
    with pytest.raises(BundleError, match="nothing uses it"):
        write_bundle(folder, manifest, files | {"../../escaped": b""})
    with pytest.raises(BundleError, match="cannot be written"):
        write_bundle(folder, manifest, files | {"text.onnx": tmp_path / "absent.onnx"})
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten(bundle: Bundle, manifest: Manifest, files: dict[str, bytes]) -> None:
    with pytest.raises(InputError, match="exists already"):
        write_bundle(bundle.path, manifest, files)
    Bundle.load(bundle.path)


def test_fingerprint_changes_with_the_vectors(
    bundle: Bundle, make_bundle: Callable[..., Bundle], files: dict[str, bytes]
) -> None:
    image, text = bundle.manifest.image, bundle.manifest.text
    assert image
    assert text
    others = [
        make_bundle({"image.onnx": files["image.onnx"] + b"\0"}),
        make_bundle({"text.onnx": files["text.onnx"] + b"\0"}),
        make_bundle({"image.onnx": files["text.onnx"], "text.onnx": files["image.onnx"]}),
        make_bundle({"tokenizer.json": files["tokenizer.json"] + b" "}),
        make_bundle(image=dataclasses.replace(image, size=16)),
        make_bundle(image=dataclasses.replace(image, resize="crop")),
        make_bundle(image=dataclasses.replace(image, interpolation="box")),
        make_bundle(text=dataclasses.replace(text, context_length=13)),
        make_bundle(spaces=(Space("dense", "dense", 16, "dot"),)),
    ]
    assert len({bundle.fingerprint, *(other.fingerprint for other in others)}) == 1 + len(others)


def test_fingerprint_stays_when_the_vectors_do(
    bundle: Bundle, make_bundle: Callable[..., Bundle], manifest: Manifest, files: dict[str, bytes], tmp_path: Path
) -> None:
    renamed = dataclasses.replace(
        manifest, image=ImageInput("a.onnx", 8, "stretch", "bilinear"), text=TextInput("b.onnx", "c.json", 12)
    )
    names = {"image.onnx": "a.onnx", "text.onnx": "b.onnx", "tokenizer.json": "c.json", "card.md": "card.md"}
    same = [
        make_bundle({"card.md": b"another card"}),
        make_bundle(name="other", metrics={}, recipe=None, licence="MIT", logit_scale=1.0),
        make_bundle(calibration={"dense": {"image": Calibration(1, 0), "text": Calibration(1, 0)}}),
        write_bundle(tmp_path / "renamed", renamed, {names[name]: content for name, content in files.items()}),
    ]
    assert {other.fingerprint for other in same} == {bundle.fingerprint}


def test_models_are_found_by_name_or_path(bundle: Bundle, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LIMNER_HOME", str(tmp_path))
    (tmp_path / "models" / "not-a-model").mkdir()
    assert bundled_models()["tiny"] == bundle.path
    assert "not-a-model" not in bundled_models()
    assert find_bundle("tiny") == find_bundle(bundle.path) == find_bundle(str(bundle.path)) == bundle.path
    with pytest.raises(BundleError, match=r"no model 'tinny'.*models at hand \(.*tiny"):
        find_bundle("tinny")


def test_every_model_of_the_package_loads(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LIMNER_HOME", str(tmp_path))
    for name, path in bundled_models().items():
        assert Bundle.load(path).manifest.name == name
    if "small" in bundled_models():
        assert default_bundle() == bundled_models()["small"]
    else:
        with pytest.raises(BundleError, match=r"no model 'small'.*\(none\)"):
            default_bundle()
