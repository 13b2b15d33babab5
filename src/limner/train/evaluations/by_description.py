"""Any measure of pictures, with the text that was written about each picture in its place (card 120)."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from limner.core.errors import InputError
from limner.core.features import Encoded
from limner.data.corpus import Corpus
from limner.train.experiment import Evaluation
from limner.train.outcome import Outcome
from limner.train.trained import Trained


@dataclass(frozen=True, slots=True)
class ByDescription:
    """What `evaluation` gives of a model that reads each picture's text of `role`, by its one text encoder.

    Neither pictures nor maps of them are looked at. Names of metrics are those of `evaluation`.
    """

    evaluation: Evaluation
    role: str = "both"

    def __call__(self, trained: Trained) -> Outcome:
        fields = {one.name: getattr(trained, one.name) for one in dataclasses.fields(Trained)}
        return self.evaluation(_Reader(**fields, role=self.role))


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class _Reader(Trained):
    role: str

    def encode_images(self, corpus: Corpus) -> Encoded:
        return self.encode_texts(documents(corpus, self.role))


def documents(corpus: Corpus, role: str) -> list[str]:
    """Each picture's text of that role. Raises InputError where a picture has none."""
    found = [next((text.text for text in texts if text.role == role), None) for texts in corpus.texts]
    if None in found:
        raise InputError(f"{corpus.name}: a picture has no text of role {role!r} to be found by")
    return [text for text in found if text is not None]
