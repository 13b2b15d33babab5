"""Collection: what a person owns. The one place that joins data, encode, index and search.

    catalogue.sqlite    the ledger and the only truth: items, fields, which vectors count
    vectors/            append-only shards of vectors, named by the ledger (unless a server keeps them)

Everything that a search needs can be read while another process writes. What was committed survives
a kill at any moment.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Self, TypeVar

import numpy as np

from limner.collection.ledger import GIVEN
from limner.collection.model import OpenModel, load_bundle
from limner.collection.records import AddReport, OnProgress, Progress, Skipped, Status
from limner.collection.storage import Storage, check_server
from limner.core.errors import BundleError, CollectionError, InputError, ModelMismatch, StorageError
from limner.core.protocols import Source
from limner.core.query import And, Example, Picture, Predicate, Query, Term
from limner.core.types import Hit, Integers, Item
from limner.encode.bundle import DEFAULT_MODEL, Bundle
from limner.encode.words import FINGERPRINT, WORDS
from limner.index.arrays import ArrayFolder
from limner.index.catalogue import Catalogue
from limner.index.records import Job, Model
from limner.index.schema import VERSION
from limner.index.stored import RECALL, check_recall
from limner.search.filter import parse_filter
from limner.search.illustrate import Illustration, illustrate
from limner.search.query import parse_query

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["AddReport", "Collection", "Progress", "Skipped", "Status"]

Answer = TypeVar("Answer")

CATALOGUE, VECTORS = "catalogue.sqlite", "vectors"


class Collection:
    """A folder with a catalogue of pictures and their vectors. Safe to search from several threads.

    `model`: name of a bundle at hand or its folder; only needed when the collection is new (the package's own if not
    given). `vectors`: URL of the server that keeps the vectors of a new collection (see docs/scaling.md); files do if
    not given. `recall`: of the best pictures of a large collection so many are found on average, 1: all (a server keeps
    to its own). Raises CollectionError for a folder that holds something else or is damaged, ModelMismatch when the
    collection was made with another model (see `reindex`), StorageError for a server that does not answer, InputError.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        model: str | Path | None = None,
        vectors: str | None = None,
        recall: float = RECALL,
        create: bool = True,
    ) -> None:
        self.path = Path(path).expanduser().absolute()
        file = self.path / CATALOGUE
        try:
            if self.path.exists() and not file.exists() and (not self.path.is_dir() or any(self.path.iterdir())):
                raise CollectionError(f"{self.path}: exists and is no collection; choose another place for it")
        except OSError as error:
            raise StorageError(f"{self.path}: cannot be opened ({error.strerror}); choose another place") from error
        # Before anything is made: a wrong model or URL must not leave a new folder behind.
        check_recall(recall)
        self._given = load_bundle(model) if model is not None else None
        if vectors is not None and create and not file.exists():
            check_server(vectors)
        self._catalogue = Catalogue(file, create=create)
        self._folder = ArrayFolder(self.path / VECTORS)
        self._storage = Storage(self._catalogue, self._folder, recall)
        self._lock = threading.Lock()
        self._opened: OpenModel | None = None
        try:
            if self._given is not None:
                self._check_model(self._given[0], self._catalogue.model)
            if vectors is not None:
                self._storage.choose(vectors)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __len__(self) -> int:
        return self._catalogue.count()[0]

    def close(self) -> None:
        self._storage.close()
        self._catalogue.close()

    # What is in it

    def add(
        self,
        source: str | Path | Source | Iterable[Item],
        *,
        prune: bool = False,
        ray: str | None = None,
        progress: OnProgress | None = None,
    ) -> AddReport:
        """Read what is new or changed in a folder, table, archive, any other source, or some items.

        Items of a path that are not there any more are marked as vanished and found no more; `prune` forgets all
        vanished ones. Files that cannot be used are in the report, with a reason. A path without a picture is a
        SourceError and changes nothing: so an empty mount point does no harm. `ray`: address of a Ray cluster that
        reads and encodes, "local" for one on this machine (see docs/scaling.md). Raises InputError, CollectionBusy
        (another process writes), StorageError (disk full).
        """
        from limner.collection.adding import Adding
        from limner.collection.sources import as_source

        items, place = as_source(source)
        with self._writing():
            return Adding(self._catalogue, self._model(), progress, ray).run(items, place, prune)

    def remove(
        self,
        ids: Iterable[str] | None = None,
        *,
        where: str | Predicate | None = None,
        under: str | Path | None = None,
    ) -> int:
        """Forget the items that all given conditions fit (files are never touched); returns how many.

        `under`: a file, or the folder, archive or table that they came from. Raises InputError if no condition is
        given.
        """
        if ids is None and where is None and under is None:
            raise InputError("nothing named to remove: give ids, a filter or a path")
        with self._writing(), self._catalogue.transaction():
            chosen = []
            if ids is not None:
                keys = self._catalogue.keys([ids] if isinstance(ids, str) else ids)
                chosen.append(np.array(sorted(keys.values()), np.int64))
            if where is not None:
                chosen.append(self._catalogue.select(_predicate(where)))
            if under is not None:
                chosen.append(self._under(under))
            fitting = chosen[0]
            for more in chosen[1:]:
                fitting = np.intersect1d(fitting, more, assume_unique=True)
            return self._catalogue.remove(fitting)

    def prune(self) -> int:
        """Forget the items whose files have vanished; returns how many."""
        with self._writing(), self._catalogue.transaction():
            return self._catalogue.remove(self._catalogue.vanished())

    def get(self, id: str) -> Item:
        """The item with this id, also a vanished one. Raises InputError if there is none."""
        for item in self._catalogue.get(self._catalogue.keys([id]).values()).values():
            return item
        raise self._no_item(id)

    def items(self, where: str | Predicate | None = None, *, under: str | Path | None = None) -> Iterator[Item]:
        """All items, or those that the conditions of `remove` fit, in the order they came; vanished ones left out."""
        keys = self._catalogue.select(_predicate(where))
        if under is not None:
            keys = np.intersect1d(keys, self._under(under), assume_unique=True)
        return self._catalogue.each(keys)

    def skipped(self) -> list[Skipped]:
        """The files that could not be used, and why."""
        return list(self._catalogue.skipped().values())

    # Finding

    def search(
        self,
        query: str | Query = "",
        *,
        image: str | Path | Image.Image | None = None,
        k: int = 10,
        where: str | Predicate | None = None,
        min_score: float = 0.0,
        explain: bool = False,
        expand: bool = False,
    ) -> list[Hit]:
        """The k best answers, best first, of those that fit `where` and are at least as probable as `min_score`.

        With `explain` the parts of a hit name the single words that it matched, and `hit.regions` tells where in the
        picture, where the model looks at its places one by one. With `expand` what is written about pictures may also
        say it in words like those of the query (see docs/query-language.md).

        `query` in the language of docs/query-language.md, or its tree; `image` joins its terms.
        Raises QueryError (with the place in the text), InputError, PictureError, ModelMismatch.
        """
        tree = query if isinstance(query, Query) else parse_query(query) if query.strip() else Query()
        terms, given = tree.terms, None
        if isinstance(image, str | Path):
            terms = (*terms, Term(Picture(str(image))))
        elif image is not None:
            terms, given = (*terms, Term(Picture(GIVEN))), image
        asked = Query(terms, _both(tree.where, _predicate(where)))

        def ask(model: OpenModel) -> list[Hit]:
            return model.engine(given, expand=expand).search(asked, k, min_probability=min_score, explain=explain)

        return self._answer(ask)

    def similar(
        self, id: str, *, k: int = 10, where: str | Predicate | None = None, min_score: float = 0.0
    ) -> list[Hit]:
        """More like this item: the nearest others to its stored vector. Raises InputError for an unknown id."""
        asked = Query((Term(Example(id)),), _predicate(where))

        def ask(model: OpenModel) -> list[Hit]:
            own = np.array(list(self._catalogue.keys([id]).values()), np.int64)
            return model.engine().search(asked, k, min_probability=min_score, exclude=own)

        return self._answer(ask)

    def illustrate(
        self, text: str, *, k: int = 5, where: str | Predicate | None = None, min_score: float = 0.0
    ) -> list[Illustration]:
        """At most k pictures that together show as much of a long text as they can, the one that shows most first.

        Each comes with the passages that it shows. `where` and `min_score` as in `search`, of each passage. Raises
        InputError for a text without words, QueryError, ModelMismatch.
        """
        asked = _predicate(where)
        return self._answer(lambda model: illustrate(model.engine(), text, k, where=asked, min_probability=min_score))

    # The whole

    def status(self) -> Status:
        """Counts, fields, model and unfinished runs. Needs no model: it also works when that is lost."""
        items, vanished = self._catalogue.count()
        model = self._catalogue.model
        spaces = self._catalogue.shards.spaces()
        size = 0
        for path in self.path.rglob("*"):
            with suppress(FileNotFoundError):  # swept by a writer just now
                size += path.stat().st_size if path.is_file() else 0
        return Status(
            path=self.path,
            items=items,
            vanished=vanished,
            skipped=len(self._catalogue.skipped()),
            fields=self._catalogue.fields(),
            model_name=model.name if model else "",
            model_fingerprint=model.fingerprint if model else "",
            spaces=tuple(space for fingerprint, space in spaces if model and fingerprint == model.fingerprint),
            bytes=size,
            shards=len(self._catalogue.shards.files()),
            server=self._storage.url,
            jobs=tuple(_unfinished(self._catalogue.jobs())),
            schema_version=VERSION,
        )

    def check(self) -> list[str]:
        """Test the catalogue and all vectors; returns a line for each problem. Needs no model."""
        problems = self._catalogue.check()
        if problems:
            return problems
        shards, model = self._catalogue.shards, self._catalogue.model
        problems = self._storage.check()
        if model is not None:
            spaces = [(print_, space) for print_, space in shards.spaces() if print_ == model.fingerprint]
            wanted = [*(spaces or [(model.fingerprint, "")]), (FINGERPRINT, WORDS.name)]
            bare = np.unique(np.concatenate([shards.missing(*one) for one in wanted]))
            if len(bare):
                problems.append(f"{self.path}: {len(bare):,} items have no vector; make it with: limner reindex")
        return problems

    def reindex(self, model: str | Path | None = None, *, progress: OnProgress | None = None) -> AddReport:
        """Encode every item with another model, beside the old vectors, and change over at the end.

        Until then searches use the old ones. A run that was interrupted goes on. Without `model`:
        the collection's own, which makes damaged or missing vectors again. Raises InputError, and
        changes nothing, if none of the pictures can be read.
        """
        from limner.collection.reindexing import Reindexing

        with self._writing():
            if model is not None:
                bundle, name = load_bundle(model)
            else:
                own = self._catalogue.model
                bundle, name = self._given_as(own) or load_bundle(own.name if own else DEFAULT_MODEL)
            opened = OpenModel.open(bundle, name, self._catalogue, self._storage)
            report = Reindexing(self._catalogue, opened, progress).run()
            with self._lock:
                self._given, self._opened = (bundle, name), opened
            self._storage.sweep()
            return report

    def export_vectors(self, path: str | Path, *, space: str = "dense") -> int:
        """Write vectors and items as .npy (with a .jsonl beside it) or .parquet; returns how many."""
        from limner.collection.transfer import export_vectors

        model = self._model()
        if space not in model.stores:
            raise InputError(f"the model has no space {space!r}: it has {', '.join(model.stores)}")
        store, _ = self._storage.open(model.record.fingerprint, model.encoder.spaces[space])
        return export_vectors(self._catalogue, model, store, Path(path))

    def import_vectors(self, path: str | Path) -> AddReport:
        """Take in what `export_vectors` wrote, here or elsewhere. Raises ModelMismatch for vectors of another model."""
        from limner.collection.transfer import import_vectors

        with self._writing():
            return import_vectors(self._catalogue, self._model(), Path(path))

    # Inside

    @contextmanager
    def _writing(self) -> Iterator[None]:
        with self._catalogue.writing():
            self._folder.sweep(self._catalogue.shards.files())  # what a killed writer left
            yield

    def _no_item(self, id: str) -> InputError:
        return InputError(f"no item {id!r} in {self.path}: limner search --json shows ids")

    def _under(self, path: str | Path) -> Integers:
        from limner.collection.sources import absolute, spellings

        first, second = (self._catalogue.under(place) for place in spellings(absolute(path)))
        return np.union1d(first, second)

    def _answer(self, ask: Callable[[OpenModel], Answer]) -> Answer:
        while True:
            model = self._model()
            try:
                answer = ask(model)
            except InputError:
                if model.is_current():
                    raise
                continue
            if model.is_current():  # else a writer changed over meanwhile, and the vectors went during the search
                return answer

    def _model(self) -> OpenModel:
        """The collection's model, opened when first needed and again when a writer has changed over to another."""
        with self._lock:
            while self._opened is None or not self._opened.is_current():
                self._opened = OpenModel.open(*self._bundle(self._catalogue.model), self._catalogue, self._storage)
            return self._opened

    def _bundle(self, model: Model | None) -> tuple[Bundle, str]:
        """The bundle of the catalogue's model, and its name. Raises BundleError, ModelMismatch."""
        if given := self._given_as(model):
            return given
        if model is None:
            return load_bundle(DEFAULT_MODEL)
        try:
            bundle, name = load_bundle(model.name)
        except BundleError as error:
            raise BundleError(f"{error}; if it has moved: limner reindex -c {self.path} --model FOLDER") from error
        self._check_model(bundle, model)
        return bundle, name

    def _given_as(self, model: Model | None) -> tuple[Bundle, str] | None:
        """The bundle that the collection was opened with, if it is this model, or there is none yet."""
        fits = self._given is not None and (model is None or self._given[0].fingerprint == model.fingerprint)
        return self._given if fits else None

    def _check_model(self, bundle: Bundle, model: Model | None) -> None:
        if model is not None and model.fingerprint != bundle.fingerprint:
            raise ModelMismatch(
                f"{self.path}: its vectors are of model {model.name} ({model.fingerprint[:12]}), not of "
                f"{bundle.manifest.name} ({bundle.fingerprint[:12]}); "
                f"to change over: limner reindex --model {bundle.path}"
            )


def _unfinished(jobs: Iterable[Job]) -> Iterator[Job]:
    """Of jobs, newest first, those that can be taken up: the last of its kind for its source, and not done."""
    later: set[tuple[str, str]] = set()
    for job in jobs:
        # A collection has one model: whatever reindexing came last stands for all before it.
        what = (job.kind, "" if job.kind == "reindex" else job.source)
        if what not in later and job.state != "done" and job.source:
            yield job
        later.add(what)


def _predicate(where: str | Predicate | None) -> Predicate | None:
    return parse_filter(where) if isinstance(where, str) else where


def _both(left: Predicate | None, right: Predicate | None) -> Predicate | None:
    return And((left, right)) if left is not None and right is not None else left if left is not None else right
