"""What it is worth that the words of a question are written about a picture.

    python bench/word_evidence.py --data PAIRS --split val

Each picture of the split is indexed with its first caption; two others of each are the questions. Fitted is the
slope of the log-odds that a picture is the one meant, over the share of the question that its caption holds (logistic
regression over all pairs of question and picture): the constant `CERTAINTY` of limner. Then, with the words of captions
and the model together, what is found where that constant is another.
"""

from __future__ import annotations

from unittest import mock

import numpy as np
import numpy.typing as npt
from harness import captioned_options, captions_indexed, store

from limner.collection.model import OpenModel
from limner.core.query import Query, Term, Text
from limner.encode import words
from limner.encode.words import WORDS
from limner.eval.table import aligned

CERTAINTIES = (0.0, 3.0, 6.0, 9.0, 12.0, 16.0, 24.0, 40.0)
ASKED, K, AT_ONCE, ROUNDS = 2, 10, 500, 40

Pairs = list[tuple[str, str]]
Doubles = npt.NDArray[np.float64]


def slope(model: OpenModel, pairs: Pairs, keys: dict[str, int]) -> float:
    """Of the log-odds over the share of the question."""
    every = sorted(keys.values())
    shares, meant = [], []
    for id, text in pairs:
        question = model.engine()._encoder.encode("text", [model.engine()._encoder.prepare("text", text)])[WORDS.name]
        ids, scores = model.indexes[WORDS.name].search(question, len(every))[0]
        own = np.zeros(len(every))
        own[np.searchsorted(every, ids)] = scores
        shares.append(own)
        meant.append(np.array(every) == keys[id])
    return fitted(np.concatenate(shares), np.concatenate(meant).astype(np.float64))


def fitted(shares: Doubles, meant: Doubles) -> float:
    """The slope of a logistic regression, by Newton's method."""
    columns = np.stack([np.ones(len(shares)), shares], axis=1)
    found = np.array([-5.0, 1.0])
    for _ in range(ROUNDS):
        chance = 1 / (1 + np.exp(-columns @ found))
        curvature = columns.T @ (columns * (chance * (1 - chance))[:, None])
        found += np.linalg.solve(curvature, columns.T @ (meant - chance))
    return float(found[1])


def recalls(model: OpenModel, pairs: Pairs) -> dict[str, float]:
    places = []
    for start in range(0, len(pairs), AT_ONCE):
        part = pairs[start : start + AT_ONCE]
        answers = model.engine().search_many([Query((Term(Text(text)),)) for _, text in part], K)
        for (id, _), hits in zip(part, answers, strict=True):
            places.append(next((place for place, hit in enumerate(hits) if hit.item.id == id), K))
    return {f"R@{depth}": float(np.mean(np.array(places) < depth)) for depth in (1, 5, 10)}


def main() -> None:
    arguments = captioned_options(__doc__, "val").parse_args()
    with captions_indexed(arguments) as (collection, items):
        model = collection._model()
        pairs = [(item.id, text) for item in items for text in item.texts[1 : 1 + ASKED]]
        certainty = slope(model, pairs, collection._catalogue.keys([item.id for item in items]))
        print(f"slope of the log-odds: {certainty:.2f}")
        rows = []
        for tried in CERTAINTIES:
            with mock.patch.object(words, "CERTAINTY", tried):
                rows.append({"certainty": tried, **recalls(model, pairs)})
        header = list(rows[0])
        print(aligned(header, [[f"{row[name]:.4g}" for name in header] for row in rows]))
        store(arguments, model.record.fingerprint, {"slope": certainty, "questions": len(pairs), "rows": rows})


if __name__ == "__main__":
    main()
