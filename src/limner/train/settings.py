"""Change a field deep inside an experiment by its path, as the command line's --set does."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from typing import Any, TypeVar

from limner.core.errors import InputError

Value = TypeVar("Value")


def changed(experiment: Value, changes: Sequence[str]) -> Value:
    """`changes` like "optimiser.steps=800" or "objectives.0.weight=2". Raises InputError that names the fields."""
    for change in changes:
        path, equals, value = change.partition("=")
        if not equals:
            raise InputError(f"--set {change}: write FIELD=VALUE, for example optimiser.steps=800")
        experiment = _set(experiment, path.split("."), value, change)
    return experiment


def _set(record: Any, path: Sequence[str], value: str, change: str) -> Any:
    name, *rest = path
    if isinstance(record, tuple):
        if not name.isdigit() or int(name) >= len(record):
            raise InputError(f"--set {change}: {name!r} is no place in a list of {len(record)}")
        place = int(name)
        inner = _set(record[place], rest, value, change) if rest else _read(value, record[place], change)
        return (*record[:place], inner, *record[place + 1 :])
    names = [one.name for one in dataclasses.fields(record)] if dataclasses.is_dataclass(record) else []
    if name not in names:
        raise InputError(f"--set {change}: no field {name!r}; there are: {', '.join(names) or 'none'}")
    now = getattr(record, name)
    return dataclasses.replace(record, **{name: _set(now, rest, value, change) if rest else _read(value, now, change)})


def _read(value: str, now: Any, change: str) -> Any:
    """The text as a value of the kind that stands there now."""
    if isinstance(now, str):
        return value
    try:
        read = json.loads(value.lower() if isinstance(now, bool) else value)
    except json.JSONDecodeError as error:
        raise InputError(f"--set {change}: {value!r} is no {type(now).__name__}") from error
    if isinstance(now, tuple) and isinstance(read, list):
        return tuple(read)
    fits = type(read) is type(now) or (isinstance(now, float) and type(read) is int)
    if not fits:
        raise InputError(f"--set {change}: {value!r} is no {type(now).__name__}, like the {now!r} that is there")
    return type(now)(read)
