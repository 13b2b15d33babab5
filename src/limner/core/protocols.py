"""The extension API of limner: implement one of these and it takes its place beside ours.

Every implementation in the repository passes the contract tests of its protocol
(`tests/contract/`); no implementation may accept an argument that it ignores.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from limner.core.query import Query
from limner.core.types import Features, Hit, Integers, Item, Modality, Qrels, Representation, Run, Space


@runtime_checkable
class Source(Protocol):
    """Where items come from: a folder, a table, an archive. Iterating twice gives the same items in the same order.

    It reads no pixels: what is broken shows when the item is opened.
    """

    def __iter__(self) -> Iterator[Item]: ...


@runtime_checkable
class Encoder(Protocol):
    """A model: content -> one representation in each of its spaces. Safe to call from several threads.

    `prepare` is the cheap part for one thing (decode, resize, tokenise) and runs in a pool of
    threads; `encode` is the model itself over a batch of prepared things of one modality.
    """

    @property
    def fingerprint(self) -> str:
        """Changes whenever the vectors would: a collection refuses vectors of another fingerprint."""
        ...

    @property
    def spaces(self) -> Mapping[str, Space]: ...

    @property
    def modalities(self) -> frozenset[Modality]: ...

    @property
    def picture_side(self) -> int:
        """Pixels of the shorter side from which a picture is as good as whole: decoders may stop there."""
        ...

    def prepare(self, modality: Modality, content: Any) -> Any:
        """`content`: a PIL picture for "image", a str for "text". Raises InputError (text too long, say)."""
        ...

    def encode(self, modality: Modality, prepared: Sequence[Any]) -> Features: ...

    def calibrate(self, space: str, question: Modality, scores: Any) -> Any:
        """Scores of a question of that modality against items -> probabilities (0 to 1), same shape, monotone."""
        ...


@runtime_checkable
class Index(Protocol):
    """Nearest neighbours of one kind of representation: persistent and incremental."""

    @property
    def space(self) -> Space: ...

    def add(self, ids: Integers, vectors: Representation) -> None:
        """Add or replace. `ids` (n,) are unique; visible to `search` when it returns."""
        ...

    def remove(self, ids: Integers) -> int:
        """Forget these; unknown ids are no error. Returns how many were there."""
        ...

    def search(self, queries: Representation, k: int, among: Integers | None = None) -> list[tuple[Integers, Any]]:
        """The k best of each query (fewer only if fewer exist), best first, ties by smaller id.

        `among`: only these ids, sorted. Returns (ids, float32 scores) for each query. k < 1: InputError.
        """
        ...

    def stats(self) -> Mapping[str, int | float | str]: ...


@runtime_checkable
class Reranker(Protocol):
    """Scores pairs jointly (cross-encoder, late interaction, language model): a better order for few hits."""

    def rerank(self, query: Query, hits: Sequence[Hit]) -> list[Hit]: ...


@runtime_checkable
class Objective(Protocol):
    """A loss. `features` is the record of the batch (student, and teacher where one is needed), by name.

    Returns named scalar losses; the loop adds them up by its weights.
    """

    def __call__(self, features: Mapping[str, Any]) -> Mapping[str, Any]: ...


@runtime_checkable
class Modifier(Protocol):
    """A hook on the training loop: EMA, queue, curriculum, teacher, each on its own."""

    def before_step(self, step: int, features: Mapping[str, Any]) -> None: ...

    def after_step(self, step: int) -> None: ...


@runtime_checkable
class Metric(Protocol):
    """One number a query. The name says the definition and the cut-off (`recall@10`)."""

    @property
    def name(self) -> str: ...

    def __call__(self, run: Run, qrels: Qrels) -> Mapping[str, float]: ...
