"""Many items through a model: a pipeline that keeps its order and its memory bounded.

A pool of threads loads and prepares the items; one more thread runs the model over the batches, so
that reading, encoding and what the caller does with the results happen at the same time.
"""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Any, Generic, TypeAlias, TypeVar

from limner.core.errors import InputError
from limner.core.protocols import Encoder
from limner.core.runtime import cpu_count
from limner.core.types import Modality, Representations

ItemT = TypeVar("ItemT")
Found = TypeVar("Found")

# Batches under way at once: one being encoded, one being prepared, one waiting between the two.
_AHEAD = 3


@dataclass(frozen=True, slots=True)
class Loaded(Generic[Found]):
    """What `load` made of an item."""

    found: Found
    """Whatever it learnt beside the content (checksum, EXIF fields, ...): comes out with the item."""
    content: Any | None = None
    """What `Encoder.prepare` takes. None: nothing is to be encoded (the vectors are known already, say)."""


@dataclass(frozen=True, slots=True)
class Encoded(Generic[ItemT, Found]):
    """What became of `batch_size` consecutive items: each is in one of the three, in the order it came."""

    encoded: list[tuple[ItemT, Found]]
    features: Representations
    """Row i belongs to `encoded[i]`. Empty if nothing was encoded."""
    known: list[tuple[ItemT, Found]]
    """`load` gave no content for these."""
    failed: list[tuple[ItemT, InputError]]
    """These cannot be used, and why."""


_Outcome: TypeAlias = tuple[Found, Any] | InputError


def encode_stream(
    encoder: Encoder,
    modality: Modality,
    items: Iterable[ItemT],
    load: Callable[[ItemT], Loaded[Found]],
    *,
    batch_size: int = 32,
    threads: int | None = None,
) -> Generator[Encoded[ItemT, Found], None, None]:
    """Encode items as they come; yields one `Encoded` for every `batch_size` of them, in order.

    `items` is read lazily, in the thread that reads the results, a few batches ahead at most.
    `load` runs in `threads` threads (the processors of this process if not given). An InputError of
    `load` or `Encoder.prepare` concerns its item only; any other exception ends the stream.
    Closing the stream stops the threads.
    """
    if batch_size < 1:
        raise InputError(f"batch_size must be 1 or more, not {batch_size}")
    source = iter(items)
    pool = ThreadPoolExecutor(threads or cpu_count(), "limner-prepare")
    model = ThreadPoolExecutor(1, "limner-encode")
    under_way: deque[Future[Encoded[ItemT, Found]]] = deque()

    def prepare(item: ItemT) -> _Outcome[Found]:
        try:
            loaded = load(item)
            prepared = None if loaded.content is None else encoder.prepare(modality, loaded.content)
        except InputError as error:
            # What led to it keeps frames alive, and with them the picture's bytes.
            error.__cause__ = error.__context__ = None
            return error.with_traceback(None)
        return loaded.found, prepared

    def encode(batch: Sequence[ItemT], outcomes: Sequence[Future[_Outcome[Found]]]) -> Encoded[ItemT, Found]:
        result: Encoded[ItemT, Found] = Encoded([], {}, [], [])
        ready = []
        for item, future in zip(batch, outcomes, strict=True):
            outcome = future.result()
            if isinstance(outcome, InputError):
                result.failed.append((item, outcome))
            elif outcome[1] is None:
                result.known.append((item, outcome[0]))
            else:
                result.encoded.append((item, outcome[0]))
                ready.append(outcome[1])
        return dataclasses.replace(result, features=encoder.encode(modality, ready)) if ready else result

    try:
        while batch := list(islice(source, batch_size)):
            outcomes = [pool.submit(prepare, item) for item in batch]
            under_way.append(model.submit(encode, batch, outcomes))
            if len(under_way) == _AHEAD:
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()
    finally:
        # The pool first: a batch that waits for a cancelled item then ends at once.
        pool.shutdown(wait=False, cancel_futures=True)
        model.shutdown(cancel_futures=True)
        pool.shutdown()
