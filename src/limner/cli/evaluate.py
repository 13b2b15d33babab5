"""`limner evaluate`: measure a model on pictures with captions."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from limner.cli.common import JsonOption


def evaluate(
    dataset: Annotated[
        Path,
        typer.Argument(
            metavar="DATA",
            help="Captioned pictures: a Flickr8k folder, Karpathy's or COCO's .json, images.tar with captions.jsonl, "
            "or anything that limner index reads.",
        ),
    ],
    split: Annotated[
        str | None, typer.Option("--split", metavar="NAME", help="Which part [default: test, where there are parts].")
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", metavar="NAME|FOLDER", help="The model [default: the bundled one].")
    ] = None,
    images: Annotated[
        Path | None, typer.Option("--images", metavar="PATH", help="Where the pictures are, if not near the captions.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", metavar="N", help="Only the first N pictures: quick, not comparable.")
    ] = None,
    json: JsonOption = False,
    trec: Annotated[
        Path | None, typer.Option("--trec", metavar="FOLDER", help="Write runs and qrels for trec_eval there.")
    ] = None,
) -> None:
    """Measure a model on captioned pictures.

    Each caption is searched among all pictures and each picture among all captions: recall, ranks and
    precision with their intervals.
    """
    from limner.data.datasets import open_dataset
    from limner.encode.bundle import Bundle, default_bundle, find_bundle
    from limner.encode.onnx import OnnxEncoder
    from limner.measure.model import measure

    data = open_dataset(dataset, split, images=images)
    bundle = Bundle.load(find_bundle(model) if model else default_bundle())
    report = measure(OnnxEncoder(bundle), data, name=bundle.manifest.name, limit=limit, trec=trec)
    print(report.json() if json else report.text())
