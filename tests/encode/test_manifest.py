from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limner.core.errors import BundleError
from limner.encode.manifest import Manifest, print_manifest, read_manifest

FILES = {"image.onnx": "aa", "text.onnx": "bb", "tokenizer.json": "cc"}


def changed(manifest: Manifest, path: str, value: Any) -> bytes:
    """`bundle.json` with one field set (None: removed)."""
    record = json.loads(print_manifest(manifest, FILES))
    *parents, last = path.split(".")
    place: Any = record
    for key in parents:
        place = place[int(key) if key.isdigit() else key]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return json.dumps(record).encode()


def test_read_gives_back_what_print_wrote(manifest: Manifest) -> None:
    assert read_manifest(print_manifest(manifest, FILES)) == (manifest, FILES)


def test_the_version_before_is_read(manifest: Manifest) -> None:
    for version in (1, 2):
        assert read_manifest(changed(manifest, "format", version)) == (manifest, FILES)


def test_the_architecture_is_kept_as_it_is(manifest: Manifest) -> None:
    told = dataclasses.replace(manifest, architecture={"shape": [3, 8, 8], "towers": {"": "Towers", "tokens": False}})
    assert read_manifest(print_manifest(told, FILES)) == (told, FILES)


def test_optional_parts_may_be_left_out(manifest: Manifest) -> None:
    record = json.loads(print_manifest(manifest, FILES))
    del record["text"], record["recipe"], record["metrics"], record["calibration"]["dense"]["text"]
    read, _ = read_manifest(json.dumps(record).encode())
    assert (read.text, read.recipe, read.metrics, read.modalities) == (None, None, {}, {"image"})


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("name", None, "name is missing"),
        ("name", "../up", "name '../up' must be letters, digits"),
        ("licence", 3, "licence must be a text, not 3"),
        ("image", {}, "image.graph is missing"),
        ("image", [], "image must be an object, not []"),
        ("image.size", "112", 'image.size must be a whole number, not "112"'),
        ("image.size", 112.5, "image.size must be a whole number, not 112.5"),
        ("image.size", True, "image.size must be a whole number, not true"),
        ("image.size", 0, "image.size must be above 0, not 0"),
        ("image.resize", "squash", 'image.resize must be one of stretch, crop, pad, not "squash"'),
        ("image.interpolatoin", "box", "image.interpolatoin is not a field of bundle format 3"),
        ("image.graph", "../image.onnx", "file name '../image.onnx' is not allowed"),
        ("image.graph", "/etc/passwd", "file name '/etc/passwd' is not allowed"),
        ("image.graph", "C:image.onnx", "file name 'C:image.onnx' is not allowed"),
        ("image.graph", "bundle.json", "file name 'bundle.json' is not allowed"),
        ("image.graph", "text.onnx", "graphs and tokenizer share a file"),
        ("text.context_length", -1, "text.context_length must be above 0, not -1"),
        ("files", {"..": "00"}, "file name '..' is not allowed"),
        ("files", {"card.md": 5}, "files.card.md must be a text, not 5"),
        ("spaces", [], "spaces must be at least one"),
        ("spaces", {}, "spaces must be a list, not {}"),
        ("spaces.0.name", "Dense Space", "space name 'Dense Space' must be lower-case"),
        ("spaces.0.kind", "vector", 'spaces[0].kind must be one of dense, sparse, tokens, not "vector"'),
        ("spaces.0.size", 0, "size of space dense must be above 0, not 0"),
        ("logit_scale", float("nan"), "logit_scale must be a number, not NaN"),
        ("logit_scale", 10**400, "logit_scale must be a number, not 1000"),
        ("calibration.dense.text", None, "calibration.dense.text is missing"),
        ("calibration.other", {"text": {"slope": 1, "offset": 0}}, "calibration.other.text belongs to no space"),
        ("calibration.dense.smell", {"slope": 1, "offset": 0}, "calibration.dense must be one of image, text, video"),
        ("calibration.dense.text.slope", -2, "calibration.dense.text.slope must be above 0"),
        ("recipe.seed", "seven", 'recipe.seed must be a whole number, not "seven"'),
        ("format", 4, "bundle format 4 is unknown (this limner reads 1 and 2 and 3): update limner"),
        ("grid", [6], "grid must be two numbers above 0, rows and columns, not [6]"),
        ("grid", [6, 0], "grid must be two numbers above 0, rows and columns, not [6, 0]"),
        ("architecture", [], "architecture must be an object, not []"),
        ("format", "1", "bundle format '1' is unknown"),
        ("format", True, "bundle format True is unknown"),
        ("format", None, "bundle format None is unknown"),
    ],
)
def test_a_wrong_field_is_named(manifest: Manifest, path: str, value: Any, message: str) -> None:
    with pytest.raises(BundleError) as caught:
        read_manifest(changed(manifest, path, value))
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_a_bundle_needs_a_graph(manifest: Manifest) -> None:
    record = json.loads(print_manifest(manifest, FILES))
    del record["image"], record["text"]
    with pytest.raises(BundleError, match="neither an image nor a text graph"):
        read_manifest(json.dumps(record).encode())


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"\xff\xfe", b"null", b"[" * 100_000, b'{"format": ' + b"9" * 5000 + b"}"]
)
def test_what_is_no_json_object_is_refused(content: bytes) -> None:
    with pytest.raises(BundleError):
        read_manifest(content)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda part: st.lists(part, max_size=3) | st.dictionaries(st.text(max_size=5), part, max_size=3),
    max_leaves=5,
)


@given(field=st.sampled_from(["spaces", "calibration", "image", "text", "recipe", "metrics", "files"]), value=JSON)
def test_any_json_is_read_or_refused(manifest: Manifest, field: str, value: Any) -> None:
    record = json.loads(print_manifest(manifest, FILES)) | {field: value}
    try:
        read, files = read_manifest(json.dumps(record).encode())
    except BundleError as error:
        assert "\n" not in str(error)  # noqa: PT017
    else:
        assert read_manifest(print_manifest(read, files)) == (read, files)
