"""Collection: what a person owns. The one place that joins data, encode, index and search.

    catalogue.sqlite    the ledger and the only truth: items, fields, which vectors count
    vectors/            append-only shards of vectors, named by the ledger

Everything that a search needs can be read while another process writes. What was committed survives
a kill at any moment.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np

from limner.collection.records import AddReport, Progress, Report, Skipped, Status
from limner.core.errors import CollectionError, InputError, ModelMismatch, PictureError
from limner.core.protocols import Source
from limner.core.query import And, Picture, Predicate, Query, Term
from limner.core.types import Hit, Integers, Item, Region
from limner.encode.bundle import DEFAULT_MODEL, Bundle, bundled_models, find_bundle
from limner.encode.onnx import OnnxEncoder
from limner.index.catalogue import Catalogue
from limner.index.dense import DenseIndex
from limner.index.records import Model
from limner.index.schema import VERSION
from limner.index.shards import ShardFolder
from limner.index.vectors import VectorStore
from limner.search.engine import Engine
from limner.search.filter import parse_filter
from limner.search.query import parse_query

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["AddReport", "Collection", "Progress", "Skipped", "Status"]

CATALOGUE, VECTORS = "catalogue.sqlite", "vectors"


class Collection:
    """A folder with a catalogue of pictures and their vectors. Safe to search from several threads.

    `model`: name of a bundle at hand or its folder; only needed when the collection is new (the
    package's own if not given). Raises CollectionError for a folder that holds something else or is
    damaged, ModelMismatch when the collection was made with another model (see `reindex`).
    """

    def __init__(self, path: str | Path, *, model: str | Path | None = None, create: bool = True) -> None:
        self.path = Path(path).expanduser().absolute()
        file = self.path / CATALOGUE
        if self.path.exists() and not file.exists() and (not self.path.is_dir() or any(self.path.iterdir())):
            raise CollectionError(f"{self.path}: exists and is no collection; choose another place for it")
        bundle = _load(model) if model is not None else None  # a wrong model must not leave a new folder behind
        self._catalogue = Catalogue(file, create=create)
        self._wanted = bundle
        self._folder = ShardFolder(self.path / VECTORS)
        self._encoder: OnnxEncoder | None = None
        self._ledger = _Ledger(self._catalogue)
        self._opened: dict[str, dict[str, VectorStore]] = {}
        if bundle is not None:
            self._check_model(bundle[0])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __len__(self) -> int:
        return self._catalogue.count()[0]

    def close(self) -> None:
        self._catalogue.close()

    # What is in it

    def add(
        self, source: str | Path | Source | Iterable[Item], *, prune: bool = False, progress: Report | None = None
    ) -> AddReport:
        """Read what is new or changed in a folder, table, archive, any other source, or some items.

        Items under a path that are not there any more are marked as vanished and found no more;
        `prune` forgets all vanished ones. Files that cannot be used are in the report, with a
        reason. Raises SourceError, CollectionBusy (another process writes), StorageError (disk full).
        """
        from limner.collection.adding import Adding, as_source

        items, place = as_source(source)
        with self._writing():
            encoder = self._open_encoder(choose=True)
            return Adding(self._catalogue, self._stores(encoder), encoder, progress).run(items, place, prune)

    def remove(
        self,
        ids: Iterable[str] | None = None,
        *,
        where: str | Predicate | None = None,
        under: str | Path | None = None,
    ) -> int:
        """Forget the items that all given conditions fit (files are never touched); returns how many.

        `under`: a file, or a folder, archive or table that they lie in. Raises InputError if no condition is given.
        """
        if ids is None and where is None and under is None:
            raise InputError("nothing named to remove: give ids, a filter or a path")
        with self._writing(), self._catalogue.transaction():
            chosen = [np.array(sorted(self._catalogue.keys(ids).values()), np.int64)] if ids is not None else []
            chosen += [self._catalogue.select(_predicate(where))] if where is not None else []
            chosen += [self._catalogue.under(Path(under).expanduser().absolute())] if under is not None else []
            keys = chosen[0]
            for more in chosen[1:]:
                keys = np.intersect1d(keys, more, assume_unique=True)
            return self._catalogue.remove(keys)

    def prune(self) -> int:
        """Forget the items whose files have vanished; returns how many."""
        with self._writing():
            return self._catalogue.remove(self._catalogue.vanished())

    def get(self, id: str) -> Item:
        """The item with this id. Raises InputError if there is none."""
        return self._catalogue.get([self._key(id)])[self._key(id)]

    def items(self, where: str | Predicate | None = None) -> Iterator[Item]:
        """All items, or those that a filter fits, in the order they came; vanished ones left out."""
        return self._catalogue.each(self._catalogue.select(_predicate(where)))

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
    ) -> list[Hit]:
        """The k best answers, best first, of those that fit `where` and are at least as probable as `min_score`.

        `query` in the language of docs/query-language.md, or its tree; `image` joins its terms.
        Raises QueryError (with the place in the text), InputError, PictureError, ModelMismatch.
        """
        tree = query if isinstance(query, Query) else parse_query(query) if query.strip() else Query()
        condition = _both(tree.where, _predicate(where))
        with self._ledger.lent(image) as picture:
            terms = tree.terms if picture is None else (*tree.terms, Term(picture))
            engine = self._engine()
            return engine.search(Query(terms, condition), k, min_probability=min_score)

    def similar(
        self, id: str, *, k: int = 10, where: str | Predicate | None = None, min_score: float = 0.0
    ) -> list[Hit]:
        """More like this item: the nearest others to its stored vector. Raises InputError for an unknown id."""
        key = self._key(id)
        engine, encoder = self._engine(), self._open_encoder()
        vectors = {}
        for name, store in self._stores(encoder).items():
            found, rows = store.take(np.array([key], np.int64))
            if not len(found):
                raise InputError(f"item {id!r} has vanished; index its folder again")
            vectors[name] = rows[0]
        return engine.search_vector(vectors, k, where=_predicate(where), exclude=key, min_probability=min_score)

    # The whole

    def status(self) -> Status:
        """Counts, fields, model and unfinished runs. Needs no model: it also works when that is lost."""
        items, vanished = self._catalogue.count()
        model = self._catalogue.model
        spaces = self._catalogue.shards.spaces()
        files = [path for path in self.path.rglob("*") if path.is_file()]
        finished: set[str] = set()
        unfinished = []
        for job in self._catalogue.jobs():  # newest first: a source that was finished later has nothing left to do
            if job.state == "done":
                finished.add(job.source)
            elif job.source not in finished:
                finished.add(job.source)
                unfinished.append(job)
        return Status(
            path=self.path,
            items=items,
            vanished=vanished,
            skipped=len(self._catalogue.skipped()),
            fields=self._catalogue.fields(),
            model_name=model.name if model else "",
            model_fingerprint=model.fingerprint if model else "",
            spaces=tuple(space for fingerprint, space in spaces if model and fingerprint == model.fingerprint),
            bytes=sum(path.stat().st_size for path in files),
            shards=len(self._catalogue.shards.files()),
            jobs=tuple(unfinished),
            schema_version=VERSION,
        )

    def check(self) -> list[str]:
        """Test the catalogue and every checksum; returns a line for each problem."""
        problems = self._catalogue.check()
        if not problems and self._catalogue.model is not None:
            for store in self._stores(self._open_encoder()).values():
                problems += store.verify()
        return problems

    def reindex(self, model: str | Path | None = None, *, progress: Report | None = None) -> AddReport:
        """Encode every item with another model, beside the old vectors, and change over at the end.

        Until then searches use the old ones. A run that was interrupted goes on. Without `model`:
        the collection's own, which makes damaged or missing vectors again.
        """
        from limner.collection.reindexing import reindex

        with self._writing():
            bundle, name = _load(model if model is not None else self._model_name())
            encoder = OnnxEncoder(bundle)
            report = reindex(self._catalogue, self._stores(encoder), encoder, name, progress)
            self._encoder = encoder
            self._folder.sweep(self._catalogue.shards.files())
            return report

    def export_vectors(self, path: str | Path, *, space: str = "dense") -> int:
        """Write vectors and items as .npy (with a .jsonl beside it) or .parquet; returns how many."""
        from limner.collection.transfer import export_vectors

        return export_vectors(self._catalogue, self._store(space), self._open_encoder(), Path(path))

    def import_vectors(self, path: str | Path) -> AddReport:
        """Take in what `export_vectors` wrote, here or elsewhere. Raises ModelMismatch for vectors of another model."""
        from limner.collection.transfer import import_vectors

        with self._writing():
            encoder = self._open_encoder(choose=True)
            return import_vectors(self._catalogue, self._stores(encoder), encoder, Path(path))

    # Inside

    @contextmanager
    def _writing(self) -> Iterator[None]:
        with self._catalogue.writing():
            self._folder.sweep(self._catalogue.shards.files())  # what a killed writer left
            yield

    def _key(self, id: str) -> int:
        try:
            return self._catalogue.keys([id])[id]
        except KeyError:
            raise InputError(f"no item {id!r} in {self.path}: limner search --json shows ids") from None

    def _open_encoder(self, *, choose: bool = False) -> OnnxEncoder:
        """The collection's model, loaded once. `choose`: a collection without one gets it now."""
        if self._encoder is None:
            model = self._catalogue.model
            bundle, name = self._wanted or _load(model.name if model else DEFAULT_MODEL)
            self._check_model(bundle)
            self._encoder = OnnxEncoder(bundle)
            self._wanted = bundle, name
        if choose and self._catalogue.model is None:
            self._catalogue.use_model(Model(self._wanted[1] if self._wanted else "", self._encoder.fingerprint))
        return self._encoder

    def _model_name(self) -> str:
        model = self._catalogue.model
        return model.name if model else DEFAULT_MODEL

    def _check_model(self, bundle: Bundle) -> None:
        model = self._catalogue.model
        if model is not None and model.fingerprint != bundle.fingerprint:
            raise ModelMismatch(
                f"{self.path}: its vectors are of model {model.name} ({model.fingerprint[:12]}), not of "
                f"{bundle.manifest.name} ({bundle.fingerprint[:12]}); "
                f"to change over: limner reindex --model {bundle.path}"
            )

    def _stores(self, encoder: OnnxEncoder) -> dict[str, VectorStore]:
        """The vectors of each space; kept, since each has its files mapped and verified."""
        if encoder.fingerprint not in self._opened:
            self._opened[encoder.fingerprint] = {
                name: VectorStore(self._catalogue, self._folder, encoder.fingerprint, space)
                for name, space in encoder.spaces.items()
            }
        return self._opened[encoder.fingerprint]

    def _store(self, space: str) -> VectorStore:
        stores = self._stores(self._open_encoder())
        if space not in stores:
            raise InputError(f"the model has no space {space!r}: it has {', '.join(stores)}")
        return stores[space]

    def _engine(self) -> Engine:
        encoder = self._open_encoder()
        indexes = {name: DenseIndex(store) for name, store in self._stores(encoder).items()}
        return Engine(encoder, indexes, self._ledger)


class _Ledger:
    """What the engine asks of a collection."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._lent: dict[str, Image.Image] = {}

    def items(self, ids: Integers) -> dict[int, Item]:
        return self._catalogue.get(ids)

    def select(self, predicate: Predicate) -> Integers:
        return self._catalogue.select(predicate)

    def picture(self, uri: str, region: Region | None) -> Image.Image:
        from limner.data.content import read_bytes
        from limner.data.pictures import read_picture

        try:
            picture = self._lent[uri] if uri in self._lent else read_picture(read_bytes(uri), uri)[0]
        except PictureError as error:
            reason = "no such file" if error.reason == "vanished" else error.reason
            raise PictureError(uri, f"{reason}; give a picture to search with") from error
        if region is None:
            return picture
        left, top, right, bottom = region.box
        width, height = picture.size
        edges = (int(left * width), int(top * height), int(right * width), int(bottom * height))
        return picture.crop((*edges[:2], max(edges[2], edges[0] + 1), max(edges[3], edges[1] + 1)))

    @contextmanager
    def lent(self, image: str | Path | Image.Image | None) -> Iterator[Picture | None]:
        """A picture of the caller's as part of a query, for as long as that is answered."""
        if image is None or isinstance(image, str | Path):
            yield None if image is None else Picture(str(image))
            return
        name = f"memory:{secrets.token_hex(8)}"
        self._lent[name] = image.convert("RGB")
        try:
            yield Picture(name)
        finally:
            del self._lent[name]


def _load(model: str | Path) -> tuple[Bundle, str]:
    """A bundle, and the name by which it is found again."""
    path = find_bundle(model)
    return Bundle.load(path), str(model) if str(model) in bundled_models() else str(path.absolute())


def _predicate(where: str | Predicate | None) -> Predicate | None:
    return parse_filter(where) if isinstance(where, str) else where


def _both(left: Predicate | None, right: Predicate | None) -> Predicate | None:
    return And((left, right)) if left is not None and right is not None else left if left is not None else right
