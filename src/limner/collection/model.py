"""The model of a collection at work: found by its name, with the vectors that it made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from limner.collection.ledger import Ledger
from limner.collection.storage import Storage
from limner.collection.written import written_about
from limner.core.errors import InputError
from limner.core.protocols import Index
from limner.core.types import Representation, Representations
from limner.encode.bundle import Bundle, bundled_models, find_bundle
from limner.encode.expansion import DEPTH, Expansion
from limner.encode.onnx import OnnxEncoder
from limner.encode.words import FINGERPRINT, WORDS, WithWords, words_of
from limner.index.catalogue import Catalogue
from limner.index.filters import Filters
from limner.index.lexical import LexicalIndex
from limner.index.place import Vectors
from limner.index.records import Model
from limner.index.remote import RemoteIndex
from limner.search.engine import Engine
from limner.search.fuse import Calibrated

if TYPE_CHECKING:
    from PIL import Image


@dataclass(frozen=True, slots=True, eq=False)
class OpenModel:
    """A model and its vectors in one collection. Safe to use from several threads."""

    record: Model
    """What the catalogue keeps of it."""
    encoder: OnnxEncoder
    stores: Mapping[str, Vectors]
    """The vectors of each of its spaces; kept open, since each has its files mapped and verified."""
    words: Vectors
    """What is written about the items."""
    indexes: Mapping[str, Index]
    """Of all these spaces."""
    expansion: Expansion | None
    """Of the words of questions; None: the model has no space of one vector a text to compare words in."""
    catalogue: Catalogue
    filters: Filters

    @classmethod
    def open(cls, bundle: Bundle, name: str, catalogue: Catalogue, storage: Storage) -> OpenModel:
        """Raises InputError for a model that reads no pictures, or whose spaces cannot be searched."""
        encoder = OnnxEncoder(bundle)
        record = Model(name, encoder.fingerprint)
        opened_spaces = {name: storage.open(encoder.fingerprint, space) for name, space in encoder.spaces.items()}
        words, found_words = storage.open(FINGERPRINT, WORDS)
        stores = {name: store for name, (store, _) in opened_spaces.items()}
        indexes = {**{name: index for name, (_, index) in opened_spaces.items()}, WORDS.name: found_words}
        expansion = _expansion(encoder, indexes, catalogue)
        opened = cls(record, encoder, stores, words, indexes, expansion, catalogue, Filters(catalogue))
        opened.engine()  # says now, not after an hour of indexing, what it would say to the first search
        return opened

    def engine(self, given: Image.Image | None = None, *, expand: bool = False) -> Engine:
        """What answers queries; `given` is the picture that a query calls `ledger.GIVEN`.

        `expand`: a text asks for words like its own, too. Raises InputError where the model cannot compare words.
        """
        if expand and self.expansion is None:
            raise InputError(f"model {self.record.name} has no dense space to compare words in: search without expand")
        words = self.indexes[WORDS.name]
        assert isinstance(words, LexicalIndex | RemoteIndex)
        side = self.encoder.picture_side
        ledger = Ledger(self.catalogue, self.stores, self.words, words.frequency, self.filters, side, given)
        encoder = WithWords(self.encoder, words.frequency, self.expansion if expand else None)
        return Engine(encoder, self.indexes, ledger, fusion=Calibrated({WORDS.name: 1.0}))

    def refresh(self) -> None:
        """Make searching quick again after many changes."""
        for index in self.indexes.values():
            index.refresh()

    def is_current(self) -> bool:
        """Whether the collection's vectors are of this model (or of none yet)."""
        model = self.catalogue.model
        return model is None or model.fingerprint == self.record.fingerprint

    def choose(self) -> None:
        """Be the model of the collection from now on, if it has none yet."""
        if self.catalogue.model is None:
            self.catalogue.use_model(self.record, beside=[FINGERPRINT])


def _expansion(encoder: OnnxEncoder, indexes: Mapping[str, Index], catalogue: Catalogue) -> Expansion | None:
    """By the first dense space; its pictures are those of the collection, with what is written about them now."""
    spaces = [name for name, space in encoder.spaces.items() if space.kind == "dense"]
    if not spaces or "text" not in encoder.modalities:
        return None

    def nearby(vectors: Representation) -> list[list[str]]:
        found = [ids.tolist() for ids, _ in indexes[spaces[0]].search(vectors, DEPTH)]
        items = catalogue.get({id for ids in found for id in ids})
        written = {id: [word for text in written_about(item) for word in words_of(text)] for id, item in items.items()}
        return [[word for id in ids for word in written.get(id, ())] for ids in found]

    return Expansion(encoder, spaces[0], nearby)


def load_bundle(model: str | Path) -> tuple[Bundle, str]:
    """A bundle, and the name by which it is found again. Raises BundleError."""
    path = find_bundle(model)
    by_name = isinstance(model, str) and model in bundled_models()
    return Bundle.load(path), str(model) if by_name else str(path.absolute())


def rows_of(features: Representations, count: int) -> list[dict[str, Representation]]:
    """What a model made of `count` pictures, picture by picture: space -> its representation alone."""
    return [{space: made.take(slice(row, row + 1)) for space, made in features.items()} for row in range(count)]
