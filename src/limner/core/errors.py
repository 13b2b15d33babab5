"""The exceptions of limner: one small tree, one line of text each.

    LimnerError
    ├── InputError             something a person gave cannot be used
    │   ├── QueryError         a query or filter that does not parse; knows the position
    │   ├── PictureError       a file that is not a usable picture (skipped, never fatal)
    │   └── SourceError        a folder, table or archive that cannot be read
    ├── BundleError            a model bundle that is missing, incomplete or damaged
    ├── CollectionError        a collection that is missing, damaged or of a newer version
    │   ├── CollectionBusy     another process is writing
    │   ├── ModelMismatch      vectors of another model
    │   └── StorageError       the disk is full or refuses to write
    └── MissingDependency      an optional package is needed for this

A message names the input that was wrong and says what to do about it. Libraries raise these; the
command line prints the message and exits with `exit_code`, never with a traceback.
"""


class LimnerError(Exception):
    """Base of everything that limner raises on purpose."""

    exit_code = 1


class InputError(LimnerError):
    exit_code = 2


class QueryError(InputError):
    """A query or filter that does not parse.

    The message of `str(error)` is three lines: what is wrong, the text (of a long one, what is near the
    position), a caret under the position.
    """

    def __init__(self, message: str, text: str, position: int) -> None:
        self.message, self.text, self.position = message, text, position
        super().__init__(message)

    def __str__(self) -> str:
        start, end = max(0, self.position - 60), self.position + 40
        before, after = "…" if start else "", "…" if end < len(self.text) else ""
        shown = before + "".join(letter if letter.isprintable() else " " for letter in self.text[start:end]) + after
        return f"{self.message}\n  {shown}\n  {' ' * (self.position - start + len(before))}^"

    def __reduce__(self) -> tuple[type, tuple[str, str, int]]:
        return type(self), (self.message, self.text, self.position)


class PictureError(InputError):
    """A file that is not a usable picture. `reason` is a short phrase, the same for like cases.

    `temporary`: it may be usable another time without having changed (no permission, no decoder installed).
    """

    def __init__(self, uri: str, reason: str, temporary: bool = False) -> None:
        self.uri, self.reason, self.temporary = uri, reason, temporary
        super().__init__(f"{uri}: {reason}")

    def __reduce__(self) -> tuple[type, tuple[str, str, bool]]:
        return type(self), (self.uri, self.reason, self.temporary)


class SourceError(InputError):
    pass


class BundleError(LimnerError):
    pass


class CollectionError(LimnerError):
    pass


class CollectionBusy(CollectionError):
    pass


class ModelMismatch(CollectionError):
    pass


class StorageError(CollectionError):
    pass


class MissingDependency(LimnerError):
    """An optional package is needed."""

    def __init__(self, package: str, purpose: str, extra: str) -> None:
        super().__init__(f"{purpose} needs the package {package}: pip install 'limner[{extra}]'")
