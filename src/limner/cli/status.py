"""`limner status`: what a collection holds, and whether it is whole."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Annotated

import typer

from limner.cli.common import CollectionOption, JsonOption, as_json, open_collection, shown, shown_uri

if TYPE_CHECKING:
    from limner.collection import Status


def status(
    collection: CollectionOption = None,
    skipped: Annotated[bool, typer.Option("--skipped", help="List every file that was left out, and why.")] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Read everything and compare checksums; the exit code is 1 if any is wrong.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Tell what the collection holds.

    Items, fields that --where can use, model, size, unfinished runs.
    """
    with open_collection(collection) as photos:
        state = photos.status()
        left_out = photos.skipped() if skipped else []
        problems = photos.check() if check else None
    if json:
        facts = dataclasses.asdict(state)
        if skipped:
            facts["skipped_files"] = [{"uri": one.uri, "reason": one.reason} for one in left_out]
        if problems is not None:
            facts["problems"] = problems
        print(as_json(facts))
    else:
        print(status_text(state))
        for one in left_out:
            print(f"{shown_uri(one.uri)}: {one.reason}")
        if problems is not None:
            print("\n".join(problems) or "check: every checksum fits")
    if problems:
        raise typer.Exit(1)


def status_text(state: Status) -> str:
    items = f"{state.items:,}"
    if state.vanished:
        items += f" (and {state.vanished:,} vanished: limner index --prune forgets them)"
    fields = ", ".join(f"{shown(name)} ({count:,})" for name, count in sorted(state.fields.items()))
    rows = [
        ("collection", shown(str(state.path))),
        ("items", items),
        ("skipped", f"{state.skipped:,}" + (" (limner status --skipped lists them)" if state.skipped else "")),
        ("model", f"{shown_uri(state.model_name)} {state.model_fingerprint[:12]}"),
        ("spaces", ", ".join(state.spaces)),
        ("fields", fields or "none"),
        ("size", f"{state.bytes / 1e6:,.1f} MB in {state.shards:,} shards, schema {state.schema_version}"),
    ]
    if state.server:
        rows.append(("vectors", f"on {shown(state.server)}"))
    for job in state.jobs:
        source = shown(job.source)
        goes_on = {"index": "limner index", "reindex": f"limner reindex --model {source}"}
        command = goes_on.get(job.kind, f"limner {job.kind} {source}")
        rows.append(("unfinished", f"{job.kind} of {source}; to go on: {command}"))
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name:<{width}}  {value}" for name, value in rows)
