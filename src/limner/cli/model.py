"""`limner model`: the models at hand, what each is, and a trained one as a bundle."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from limner.cli.common import JsonOption, as_json, shown

if TYPE_CHECKING:
    from limner.encode.bundle import Bundle

app = typer.Typer(help="List the models, read what one of them is, or make one.", rich_markup_mode=None)


@app.command("list")
def list_models() -> None:
    """List the models at hand by name.

    The package's own and those in the folder `models` among the user's data.
    """
    from limner.core.errors import BundleError
    from limner.encode.bundle import DEFAULT_MODEL, Bundle, bundled_models

    models = bundled_models()
    width = max(map(len, models), default=0)
    for name, path in models.items():
        try:
            told = _line(Bundle.load(path))
        except BundleError as error:
            told = f"unusable: {error}"
        print(f"{'*' if name == DEFAULT_MODEL else ' '} {name:<{width}}  {told}")
    print("* is the default" if DEFAULT_MODEL in models else "no model at hand: give one with --model FOLDER")


@app.command("inspect")
def inspect(
    model: Annotated[
        str | None,
        typer.Argument(metavar="NAME|FOLDER", help="A model at hand, a bundle's folder; else the default."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Check a model file by file and print its facts and its card."""
    from limner.encode.bundle import Bundle, default_bundle, find_bundle

    bundle = Bundle.load(find_bundle(model) if model else default_bundle())
    print(as_json(_facts(bundle) | {"card": bundle.card}) if json else _page(bundle))


@app.command("export")
def export(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a finished run, as limner train named it.")],
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="The new folder; its name is the model's.")],
    data: Annotated[
        Path,
        typer.Option(
            "--data",
            metavar="PATH",
            help="Captioned pictures, as limner evaluate takes them: val is calibrated on, test is measured on.",
        ),
    ],
) -> None:
    """Make a bundle of a finished run.

    The graphs are compared with the trained model on real pictures, scores are calibrated and the card is written.
    """
    from limner.train.bundling import HEADLINE, export_run

    made = export_run(run.expanduser(), bundle.expanduser(), data.expanduser())
    print(f"{made.path}  {_line(made)}\n{HEADLINE}: {100 * made.manifest.metrics[HEADLINE]:.1f} %")


def _line(bundle: Bundle) -> str:
    spaces = ", ".join(f"{space.name} ({space.kind}, {space.size})" for space in bundle.manifest.spaces)
    return f"{bundle.size / 1e6:.1f} MB  {spaces}  {bundle.fingerprint[:12]}"


def _facts(bundle: Bundle) -> dict[str, object]:
    manifest = bundle.manifest
    return {
        "name": manifest.name,
        "folder": str(bundle.path),
        "fingerprint": bundle.fingerprint,
        "megabytes": round(bundle.size / 1e6, 1),
        "reads": sorted(manifest.modalities),
        "spaces": {space.name: f"{space.kind}, {space.size}, {space.similarity}" for space in manifest.spaces},
        "licence": manifest.licence,
        "training data": manifest.training_data,
        "metrics": dict(manifest.metrics),
    }


def _page(bundle: Bundle) -> str:
    lines = []
    for name, value in _facts(bundle).items():
        if isinstance(value, dict):
            value = ", ".join(f"{key} {one}" for key, one in value.items())
        elif isinstance(value, list):
            value = ", ".join(value)
        lines.append(f"{name + ':':<15}{shown(str(value))}")
    return "\n".join(lines) + (f"\n\n{bundle.card.rstrip()}" if bundle.card else "")
