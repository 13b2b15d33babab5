"""Where the vectors of a collection are kept, and the index of each space there."""

from __future__ import annotations

import threading

from limner.core.errors import CollectionError
from limner.core.protocols import Index
from limner.core.types import Space
from limner.encode.words import FINGERPRINT, WORDS
from limner.index.arrays import ArrayFolder
from limner.index.catalogue import Catalogue
from limner.index.dense import DenseIndex
from limner.index.lexical import LexicalIndex
from limner.index.multivector import MultiVectorIndex
from limner.index.place import Server, Vectors, full_url, open_server, without_password
from limner.index.remote import RemoteIndex, table_name
from limner.index.vectors import VectorStore


class Storage:
    """Files in a folder beside the ledger, or the server that the ledger names. Spaces of tokens are always files."""

    def __init__(self, catalogue: Catalogue, folder: ArrayFolder, recall: float) -> None:
        self._catalogue, self._folder, self._recall = catalogue, folder, recall
        self._lock = threading.Lock()
        self._server: Server | None = None

    @property
    def url(self) -> str:
        """Of the server, without a password. Empty: there is none."""
        kept = self._catalogue.shards.server()
        return without_password(kept[0]) if kept else ""

    def choose(self, url: str) -> None:
        """Keep the vectors of a new collection on this server. Raises CollectionError where others are already kept."""
        url, kept = full_url(url), self._catalogue.shards.server()
        if kept is not None and kept[0] == url:
            return
        path = self._catalogue.path.parent
        if kept is not None or self._catalogue.shards.spaces():
            here = f"on {without_password(kept[0])}" if kept else "in files beside it"
            raise CollectionError(
                f"{path}: its vectors are kept {here}, not on {without_password(url)}; to move them: limner export, "
                "then limner import into a new collection made with --vectors"
            )
        self._catalogue.shards.use_server(url)

    def open(self, fingerprint: str, space: Space) -> tuple[Vectors, Index]:
        """The vectors that one model made in one space, and what finds them."""
        kept = self._catalogue.shards.server()
        if kept is None or space.kind == "tokens":
            store = VectorStore(self._catalogue, self._folder, fingerprint, space)
            return store, self._index(store)
        index = RemoteIndex(self._catalogue, self._connected(kept[0]), kept[1], fingerprint, space)
        return index, index

    def check(self) -> list[str]:
        """Test the checksum of every file, and whether every row is on the server; a line for each problem."""
        problems, shards = [], self._catalogue.shards
        for fingerprint, space in shards.spaces():
            every = shards.view(fingerprint, space).shards
            for shard in every:
                try:
                    if not shard.is_remote:
                        self._folder.verify(shard.file)
                except CollectionError as error:
                    if shard.file.name in shards.files():  # a writer may have merged it away meanwhile
                        problems.append(str(error))
            if any(shard.is_remote for shard in every):
                # Rows are counted, whatever they hold: the kind and size of the space do not matter.
                problems += self.open(fingerprint, Space(space, "dense", 1, "dot"))[0].verify()
        return problems

    def sweep(self) -> None:
        """Delete what the ledger does not name: files, and tables of this collection. Only for the one writer."""
        shards = self._catalogue.shards
        self._folder.sweep(shards.files())
        if kept := shards.server():
            server = self._connected(kept[0])
            named = {table_name(kept[1], *one) for one in [*shards.spaces(), (FINGERPRINT, WORDS.name)]}
            for name in server.names(f"{kept[1]}_"):
                if name not in named:
                    server.drop(name)

    def close(self) -> None:
        with self._lock:
            if self._server is not None:
                self._server.close()
                self._server = None

    def _index(self, store: VectorStore) -> Index:
        match store.space.kind:
            case "dense":
                return DenseIndex(store, recall=self._recall)
            case "sparse":
                return LexicalIndex(store)
            case "tokens":
                return MultiVectorIndex(store, recall=self._recall)

    def _connected(self, url: str) -> Server:
        with self._lock:
            if self._server is None:
                self._server = open_server(url)
            return self._server


def check_server(url: str) -> None:
    """Raises InputError for a URL of no known kind, StorageError for a server that does not answer."""
    server = open_server(url)
    try:
        server.names("limner_")
    finally:
        server.close()
