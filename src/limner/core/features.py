"""What a model in training makes of a batch: the record that towers fill and every objective reads.

The tensors are torch's; this page only names them, so nothing heavy is imported to read it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from limner.core.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Encoded:
    """One side of a batch: n pictures, or n texts."""

    vectors: Tensor
    """(n, d) unit vectors."""
    group: Tensor
    """(n,) int64. A picture and a text of equal group are right for one another."""
    latent: Tensor | None = None
    """(n, w): pooled, before the projection into the common space."""
    states: Tensor | None = None
    """(n, t, w): what the tower says of each place or word."""
    tokens: Tensor | None = None
    """(n, t, d): several unit vectors of the common space, where the model was asked for them: the states, fewer that
    a reducer made of a picture's (nn/blocks/token_reducer.py), or a picture's focused vectors (nn/heads/focus.py)."""
    mask: Tensor | None = None
    """(n, t) bool, True where a word is real; None: all are (a picture's places)."""
    lexicon: Tensor | None = None
    """(n, V): the greatest logit of each word of the vocabulary over all places or words (see nn/heads/lexicon.py)."""

    def take(self, rows: Tensor | slice) -> Encoded:
        return self._each(lambda value: value[rows])

    def detach(self) -> Encoded:
        return self._each(lambda value: value.detach())

    def _each(self, change: Callable[[Tensor], Tensor]) -> Encoded:
        """Every tensor that is there, changed."""
        named = {one.name: getattr(self, one.name) for one in dataclasses.fields(self)}
        return self.replace(**{name: change(value) for name, value in named.items() if value is not None})

    def replace(self, **changes: Any) -> Encoded:
        return dataclasses.replace(self, **changes)


Similarity: TypeAlias = "Callable[[Encoded, Encoded], Tensor]"
"""(n pictures, m texts) -> (n, m) scores, before the scale."""


@dataclass(frozen=True, slots=True, eq=False)
class Queue:
    """What earlier batches were encoded to: more negatives (He et al. 2020, "MoCo")."""

    image: Encoded
    text: Encoded
    image_rows: Tensor
    """(k,) numbers of the pictures in the training data, so that none meets itself."""
    text_rows: Tensor
    """(k,) numbers of the pictures that the texts belong to."""


@dataclass(frozen=True, slots=True, eq=False)
class Features:
    """n pictures and m texts of one batch, with all that an objective may ask about them."""

    image: Encoded
    text: Encoded
    scale: Tensor
    """() inverse temperature."""
    similarity: Similarity
    owner: Tensor
    """(m,) int64: the row, among the n pictures, that a text was written for."""
    rows: Tensor
    """(n,) int64: numbers of the pictures in the training data."""
    roles: Mapping[str, Tensor] = field(default_factory=dict)
    """Kind of text ("caption", "long", "synthetic" ...) -> the rows, among the m texts, that are of it."""
    ids: Tensor | None = None
    """(m, t) int64 token ids, 0 is padding."""
    concept: Tensor | None = None
    """(n,) int64: the class of what a picture shows."""
    language: Tensor | None = None
    """(m,) int64."""
    targets: Mapping[str, Tensor] = field(default_factory=dict)
    """Per picture, (n, ...): labels or stored answers of a teacher, by name."""
    progress: float = 0.0
    """Share of the training that is done, 0 to 1."""
    view: Features | None = None
    """The same batch once more: another crop of each picture, other dropout."""
    teacher: Features | None = None
    """What a teacher, without gradient, makes of the batch (of `view` where there is one)."""
    partner: Features | None = None
    """What a second network, trained alongside, makes of the batch."""
    queue: Queue | None = None
    model: Any = None
    """For the objectives that run a tower again on something of their own (masked words)."""

    @property
    def scores(self) -> Tensor:
        """(n, m) similarity of each picture to each text, without the scale."""
        return self.similarity(self.image, self.text)

    def with_role(self, role: str) -> Features:
        """Only the texts of this role. Raises InputError where the batch has none."""
        if role not in self.roles:
            raise InputError(f"the batch has no texts of role {role!r}; it has: {', '.join(sorted(self.roles))}")
        kept = self.roles[role]
        inner = {
            name: getattr(self, name) and getattr(self, name).with_role(role) for name in ("view", "teacher", "partner")
        }
        return dataclasses.replace(
            self,
            text=self.text.take(kept),
            owner=self.owner[kept],
            roles={},
            ids=None if self.ids is None else self.ids[kept],
            language=None if self.language is None else self.language[kept],
            **inner,
        )

    def replace(self, **changes: Any) -> Features:
        return dataclasses.replace(self, **changes)
