"""The house keeps its shape: imports point down only, the start is light, files and functions stay readable."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import limner

PACKAGE = Path(limner.__file__).parent
FLOORS = {
    "core": 1,
    **dict.fromkeys(["data", "encode", "index", "search", "eval", "nn", "objectives"], 2),
    **dict.fromkeys(["collection", "measure", "train", "curate", "robust", "generate"], 3),
    **dict.fromkeys(["serve", "cli", "recipes"], 4),
}
SIDEWAYS = {("objectives", "nn.blocks"), ("train", "measure")}
"""The two arrows that stay on their floor: a loss may use a block, and training ends with a measurement."""
LIGHT = {"core", "data", "encode", "index", "search", "eval", "collection", "measure", "serve", "cli"}
"""Rooms that never import torch at module level: a search or a server must not pay for training."""
FILE_LINES, FUNCTION_LINES = 400, 60


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def room(path: Path) -> str:
    """The room that a file stands in; "" for the entrance (`limner/__init__.py`, `limner/__main__.py`)."""
    first = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    return "" if first.startswith("__") else first


def imported(tree: ast.AST, path: Path) -> Iterator[str]:
    """Every module that these statements import, at any depth, as a full dotted name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                package = ("limner", *path.relative_to(PACKAGE).parts[: -node.level])
                base = ".".join([*package, base]).rstrip(".")
            yield from (f"{base}.{name.name}" for name in node.names)


def at_module_level(tree: ast.Module) -> ast.Module:
    """The statements that run when the module is imported: no function bodies, nothing under `if TYPE_CHECKING`."""

    class Prune(ast.NodeTransformer):
        def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
            return None

        def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
            return None

        def visit_If(self, node: ast.If) -> ast.AST | None:
            return None if "TYPE_CHECKING" in ast.unparse(node.test) else self.generic_visit(node)

    return Prune().visit(tree)


def arrow_is_allowed(source: str, target: str) -> bool:
    """Whether a file of room `source` may import `target`, a dotted name inside limner."""
    other = target.split(".")[1]
    if other == source or other not in FLOORS:
        return True  # its own room, or the entrance (`from limner import __version__`)
    if source == "":
        return FLOORS[other] < 4 or other == "cli"
    if any(source == room and f"{target}.".startswith(f"limner.{part}.") for room, part in SIDEWAYS):
        return True
    return FLOORS[other] < FLOORS[source]


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_arrows_point_down(path: Path) -> None:
    assert room(path) == "" or room(path) in FLOORS, f"{path}: a new room needs a floor in FLOORS"
    wrong = [
        target
        for target in imported(ast.parse(path.read_text()), path)
        if target.startswith("limner.") and not arrow_is_allowed(room(path), target)
    ]
    assert not wrong, f"{path.relative_to(PACKAGE)} imports {wrong}"


@pytest.mark.parametrize(
    ("source", "target", "allowed"),
    [
        ("index", "limner.core.types.Item", True),
        ("core", "limner.index.catalogue.Catalogue", False),
        ("search", "limner.encode.onnx.OnnxEncoder", False),
        ("data", "limner.eval.report.table", False),
        ("objectives", "limner.nn.blocks.transformer.Block", True),
        ("objectives", "limner.nn.towers.vit.Vit", False),
        ("collection", "limner.search.engine.Engine", True),
        ("collection", "limner.measure.model.measure", False),
        ("cli", "limner.collection.Collection", True),
        ("train", "limner.recipes.first.recipe", False),
        ("train", "limner.measure.model.measure", True),
        ("measure", "limner.train.loop.run", False),
        ("cli", "limner.recipes.first.recipe", False),
        ("cli", "limner.__version__", True),
    ],
)
def test_the_rule_itself(source: str, target: str, allowed: bool) -> None:
    assert arrow_is_allowed(source, target) == allowed


@pytest.mark.parametrize(
    "path", [path for path in modules() if room(path) in LIGHT], ids=lambda path: str(path.relative_to(PACKAGE))
)
def test_no_torch_at_module_level(path: Path) -> None:
    names = imported(at_module_level(ast.parse(path.read_text())), path)
    assert not [name for name in names if name.split(".")[0] in {"torch", "torchvision", "accelerate"}]


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_files_and_functions_stay_short(path: Path) -> None:
    text = path.read_text()
    assert text.count("\n") <= FILE_LINES, f"{path.relative_to(PACKAGE)} is longer than {FILE_LINES} lines: split it"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            assert lines <= FUNCTION_LINES, f"{path.relative_to(PACKAGE)}: {node.name} has {lines} lines: split it"


def loaded_by(statement: str) -> set[str]:
    """Top-level packages that a fresh interpreter has loaded after this statement."""
    code = f"{statement}\nimport sys; print(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


def test_import_limner_loads_nothing_heavy() -> None:
    assert not loaded_by("import limner") & {"numpy", "torch", "onnxruntime", "PIL", "typer", "rich"}


def test_help_loads_nothing_heavy() -> None:
    loaded = loaded_by("from limner.cli import run; run(['--help']); run(['search', '--help'])")
    assert "typer" in loaded
    assert not loaded & {"numpy", "torch", "onnxruntime", "tokenizers", "PIL", "pyarrow", "rich"}


def test_serving_rooms_load_no_torch() -> None:
    loaded = loaded_by("import limner; limner.Collection; import limner.measure.model")
    assert "numpy" in loaded
    assert "torch" not in loaded
