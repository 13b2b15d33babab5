"""Encoding on many processes or machines, with Ray Data: workers read, decode and encode; one writer commits.

Every worker opens the model once and keeps to one processor. A worker that dies is replaced and what it had not
answered is done again; an answer that comes twice is taken once. Pictures and model must lie under the same path on
every machine.
"""

from __future__ import annotations

import hashlib
import logging
import os
import pickle
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt

from limner.core.errors import CollectionError, InputError, MissingDependency
from limner.core.types import FieldValue, Representation
from limner.data.content import read_bytes
from limner.data.pictures import read_picture
from limner.encode.bundle import Bundle
from limner.encode.onnx import OnnxEncoder
from limner.encode.stream import Loaded, encode_stream

LOCAL = "local"
"""The address of a cluster that is started here, for this run alone."""

_WINDOW = 1 << 16
"""So many pictures are handed to Ray at a time: what they are takes memory here until they are done."""

_BATCH, _BATCHES = 32, 4
"""Pictures that go through the model together, and batches that are lost when a worker dies."""

TaskT = TypeVar("TaskT")


@dataclass(frozen=True, slots=True, eq=False)
class Answer(Generic[TaskT]):
    """What a worker made of a picture."""

    task: TaskT
    content_hash: str
    fields: Mapping[str, FieldValue]
    vectors: Mapping[str, Representation]
    """Space -> one row. Empty: the content is known, or there is an error."""
    error: InputError | None


def answers(
    address: str, tasks: Iterable[TaskT], uri_of: Callable[[TaskT], str], bundle: Path, known: Iterable[str]
) -> Iterator[Answer[TaskT]]:
    """What the workers of a cluster make of the pictures, one answer for each, in any order.

    `address`: of a Ray cluster, or LOCAL; one that this process is connected to is used. `known`: content hashes of
    what need not be encoded. Tasks are taken a window at a time, and the cluster is met when the first is there.
    Raises MissingDependency; CollectionError for a cluster that cannot be reached or gives up.
    """
    source = iter(tasks)
    if not (window := list(islice(source, _WINDOW))):
        return
    with _connected(address) as ray:
        hashes = ray.put(np.array(sorted(_short(one) for one in known), np.uint64))
        while window:
            yield from _window(ray, dict(enumerate(window)), uri_of, bundle, hashes)
            window = list(islice(source, _WINDOW))


@contextmanager
def _connected(address: str) -> Iterator[Any]:
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise MissingDependency("ray[data]", "encoding on a cluster", "ray") from error
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    ray.data.DataContext.get_current().enable_progress_bars = False
    if ray.is_initialized():
        yield ray
        return
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    place: Any = {"include_dashboard": False} if address == LOCAL else {"address": address}
    try:
        ray.init(**place, logging_level=logging.ERROR, log_to_driver=False)
    except (ConnectionError, RuntimeError, ValueError, TimeoutError) as error:
        reason = " ".join(str(error).split())[:200]
        raise CollectionError(f"{address}: no Ray cluster ({reason}); give its address, or --ray local") from error
    try:
        yield ray
    finally:
        ray.shutdown()


def _window(
    ray: Any, waiting: dict[int, TaskT], uri_of: Callable[[TaskT], str], bundle: Path, hashes: Any
) -> Iterator[Answer[TaskT]]:
    rows = [{"number": number, "uri": uri_of(task)} for number, task in waiting.items()]
    workers = min(max(1, int(ray.cluster_resources().get("CPU", 1))), -(-len(rows) // _BATCH))
    done = ray.data.from_items(rows, override_num_blocks=-(-len(rows) // (_BATCH * _BATCHES))).map_batches(
        _Worker,
        fn_constructor_args=(str(bundle), [hashes]),
        batch_size=_BATCH,
        num_cpus=1,
        compute=ray.data.ActorPoolStrategy(size=workers),
    )
    for row in done.iter_rows():
        task = waiting.pop(row["number"], None)
        if task is not None:  # else it has been answered already
            yield Answer(task, *pickle.loads(row["answer"]))
    if waiting:
        raise CollectionError(f"the Ray cluster did not answer for {len(waiting)} pictures; run the command again")


class _Worker:
    """One process with the model open."""

    def __init__(self, bundle: str, hashes: list[Any]) -> None:
        """`hashes`: a reference to what is known, in a list, as Ray replaces no reference there by its value."""
        import ray

        self._encoder = OnnxEncoder(Bundle.load(Path(bundle)), threads=1)
        [self._known] = ray.get(hashes)

    def __call__(self, batch: Mapping[str, npt.NDArray[Any]]) -> dict[str, list[Any]]:
        pictures = zip(batch["number"].tolist(), batch["uri"].tolist(), strict=True)
        answered: dict[str, list[Any]] = {"number": [], "answer": []}
        for made in encode_stream(self._encoder, "image", pictures, self._load, batch_size=_BATCH, threads=1):
            for row, ((number, _), found) in enumerate(made.encoded):
                own = {space: every.take(slice(row, row + 1)) for space, every in made.features.items()}
                _answer(answered, number, *found, own, None)
            for (number, _), found in made.known:
                _answer(answered, number, *found, {}, None)
            for (number, _), error in made.failed:
                _answer(answered, number, "", {}, {}, error)
        return answered

    def _load(self, picture: tuple[int, str]) -> Loaded[tuple[str, Mapping[str, FieldValue]]]:
        content = read_bytes(picture[1])
        content_hash = hashlib.sha256(content).hexdigest()
        pixels, fields = read_picture(content, picture[1], shorter_side=self._encoder.picture_side)
        return Loaded((content_hash, fields), None if self._knows(content_hash) else pixels)

    def _knows(self, content_hash: str) -> bool:
        short = _short(content_hash)
        place = int(np.searchsorted(self._known, short))
        return place < len(self._known) and bool(self._known[place] == short)


def _answer(answered: dict[str, list[Any]], number: int, *answer: object) -> None:
    answered["number"].append(number)
    answered["answer"].append(pickle.dumps(answer))


def _short(content_hash: str) -> np.uint64:
    """Eight bytes of a hash: enough to say what may be known; the writer compares it whole."""
    return np.uint64(int(content_hash[:16], 16))
