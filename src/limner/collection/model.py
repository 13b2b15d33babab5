"""The model of a collection at work: found by its name, with the vectors that it made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from limner.collection.ledger import Ledger
from limner.core.types import Dense, Floats, Representations
from limner.encode.bundle import Bundle, bundled_models, find_bundle
from limner.encode.onnx import OnnxEncoder
from limner.index.catalogue import Catalogue
from limner.index.dense import DenseIndex
from limner.index.records import Model
from limner.index.shards import ShardFolder
from limner.index.vectors import VectorStore
from limner.search.engine import Engine

if TYPE_CHECKING:
    from PIL import Image


@dataclass(frozen=True, slots=True, eq=False)
class OpenModel:
    """A model and its vectors in one collection. Safe to use from several threads."""

    record: Model
    """What the catalogue keeps of it."""
    encoder: OnnxEncoder
    stores: Mapping[str, VectorStore]
    """The vectors of each space; kept open, since each has its files mapped and verified."""
    indexes: Mapping[str, DenseIndex]
    catalogue: Catalogue

    @classmethod
    def open(cls, bundle: Bundle, name: str, catalogue: Catalogue, folder: ShardFolder) -> OpenModel:
        """Raises InputError for a model that reads no pictures, or whose spaces cannot be searched."""
        encoder = OnnxEncoder(bundle)
        record = Model(name, encoder.fingerprint)
        stores = {
            space.name: VectorStore(catalogue, folder, encoder.fingerprint, space) for space in encoder.spaces.values()
        }
        indexes = {space: DenseIndex(store) for space, store in stores.items()}
        opened = cls(record, encoder, stores, indexes, catalogue)
        opened.engine()  # says now, not after an hour of indexing, what it would say to the first search
        return opened

    def engine(self, given: Image.Image | None = None) -> Engine:
        """What answers queries; `given` is the picture that a query calls `ledger.GIVEN`."""
        return Engine(self.encoder, self.indexes, Ledger(self.catalogue, self.encoder.picture_side, given))

    def is_current(self) -> bool:
        """Whether the collection's vectors are of this model (or of none yet)."""
        model = self.catalogue.model
        return model is None or model.fingerprint == self.record.fingerprint

    def choose(self) -> None:
        """Be the model of the collection from now on, if it has none yet."""
        if self.catalogue.model is None:
            self.catalogue.use_model(self.record)


def load_bundle(model: str | Path) -> tuple[Bundle, str]:
    """A bundle, and the name by which it is found again. Raises BundleError."""
    path = find_bundle(model)
    by_name = isinstance(model, str) and model in bundled_models()
    return Bundle.load(path), str(model) if by_name else str(path.absolute())


def rows_of(features: Representations, count: int) -> list[dict[str, Floats]]:
    """What a model made of `count` pictures, picture by picture: space -> vector (d,)."""
    columns = {space: made.values for space, made in features.items() if isinstance(made, Dense)}
    return [{space: values[row] for space, values in columns.items()} for row in range(count)]
