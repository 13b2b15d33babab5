"""The extension API of limner: implement one of these and it takes its place beside ours.

Every implementation in the repository passes the contract tests of its protocol
(`tests/contract/`); no implementation may accept an argument that it ignores.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from limner.core.features import Features
from limner.core.query import Query
from limner.core.selection import Selection
from limner.core.types import Hit, Integers, Item, Modality, Qrels, Representation, Representations, Run, Space


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

    def encode(self, modality: Modality, prepared: Sequence[Any]) -> Representations: ...

    def word(self, space: str, term: int) -> str:
        """What a dimension of a sparse space is called, for explanations."""
        ...

    def pieces(self, text: str) -> list[str]:
        """What part of a text each of its vectors stands for, in a space with one for each; for explanations."""
        ...

    @property
    def grid(self) -> tuple[int, ...] | None:
        """(rows, columns) of equal places of the whole picture whose vectors, row by row, are its tokens.

        None: its tokens are no places, or there are none.
        """
        ...

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

    def search(self, queries: Representation, k: int, among: Selection | None = None) -> list[tuple[Integers, Any]]:
        """The k best of each query (fewer only if fewer exist), best first, ties by smaller id.

        `among`: only these ids. Returns (ids, float32 scores) for each query. k < 1: InputError.
        """
        ...

    def refresh(self) -> bool:
        """Make searching quick again after many changes; returns whether there was anything to do.

        May take minutes for a million items. Searches go on meanwhile; what is found does not depend on it.
        """
        ...

    def stats(self) -> Mapping[str, int | float | str]: ...


@runtime_checkable
class Reranker(Protocol):
    """Scores pairs jointly (cross-encoder, late interaction, language model): a better order for few hits."""

    def rerank(self, query: Query, hits: Sequence[Hit]) -> list[Hit]: ...


@runtime_checkable
class Objective(Protocol):
    """A loss: a frozen dataclass of its settings. The loop adds up `weight` times each objective's loss.

    What it learns or remembers itself (class centres, a decoder, running means) is a module that `head` makes
    once for a model; it is trained and stored with the model and left behind when a bundle is made.
    """

    @property
    def name(self) -> str:
        """Of the curve in the log; no two objectives of an experiment share one."""
        ...

    @property
    def weight(self) -> float: ...

    def head(self, model: Any) -> Any | None: ...

    def __call__(self, features: Features, head: Any) -> Any:
        """A scalar. Raises InputError where the features lack what it needs."""
        ...


@runtime_checkable
class Modifier(Protocol):
    """A hook on the training loop: teacher, queue, curriculum, unfreezing, each on its own.

    A frozen dataclass of its settings; what it remembers lives in `task.memory`, which is stored in the
    checkpoint. Called in the order in which an experiment lists them.
    """

    def start(self, task: Any) -> None:
        """Once, when the task is made (before a checkpoint is read)."""
        ...

    def batch(self, task: Any, step: int, batch: Any) -> Any:
        """May change the batch of a step."""
        ...

    def features(self, task: Any, batch: Any, features: Features) -> Features:
        """May add to what the model made of it."""
        ...

    def after_step(self, task: Any, step: int, features: Features) -> None:
        """After the update; `features` are without gradient."""
        ...


@runtime_checkable
class Metric(Protocol):
    """One number a query. The name says the definition and the cut-off (`recall@10`)."""

    @property
    def name(self) -> str: ...

    def __call__(self, run: Run, qrels: Qrels) -> Mapping[str, float]: ...
