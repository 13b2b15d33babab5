"""Whether words like those of a question find what is written about a picture in other words.

Each picture of the split is indexed with its first caption; the others are the questions. Recall@10 of the picture by
its written words alone, and by model and words together, as `limner search` and `limner search --expand` find it.
"by chance" takes its words from pictures drawn by chance, not from those that the model finds: what is gained without
grounding. A gain is a difference in points; its interval resamples pictures.
"""

from __future__ import annotations

import numpy as np
from harness import captioned_options, captions_indexed, store

from limner.collection.model import OpenModel
from limner.core.query import Query, Term, Text
from limner.core.types import Representation
from limner.encode.expansion import DEPTH, Expansion
from limner.encode.words import WORDS, WithWords, words_of
from limner.eval.intervals import Sample, bootstrap, interval
from limner.search.engine import Engine

DRAWS, K, AT_ONCE = 1000, 10, 500


def main() -> None:
    arguments = captioned_options(__doc__, "test").parse_args()
    with captions_indexed(arguments) as (collection, items):
        model = collection._model()
        pairs = [(item.id, text) for item in items for text in item.texts[1:]]
        expansions = {"as asked": None, "expanded": model.expansion, "by chance": by_chance(model, arguments.seed)}
        rows: list[dict[str, object]] = []
        for name, spaces in (("words", [WORDS.name]), ("model and words", list(model.indexes))):
            found = {arm: searched(model, spaces, one, pairs) for arm, one in expansions.items()}
            for arm, sample in found.items():
                draws = bootstrap([found["as asked"], sample], draws=DRAWS, seed=arguments.seed)
                low, high = interval(draws[1] - draws[0], 0.95)
                gain = sample.value - found["as asked"].value
                rows.append(
                    {"by": name, "words": arm, "recall@10": sample.value, "gain": gain, "interval": (low, high)}
                )
                print(f"{name:<16} {arm:<10} {sample.value:.4f}  {gain:+.4f} ({low:+.4f} to {high:+.4f})")
        store(arguments, model.record.fingerprint, {"pictures": len(items), "questions": len(pairs), "rows": rows})


def searched(model: OpenModel, spaces: list[str], expansion: Expansion | None, pairs: list[tuple[str, str]]) -> Sample:
    """Whether each question (id, text) finds its picture, searching these spaces."""
    whole = model.engine()
    encoder = WithWords(model.encoder, model.indexes[WORDS.name].frequency, expansion)
    engine = Engine(encoder, {name: model.indexes[name] for name in spaces}, whole._ledger, fusion=whole._fusion)
    hits = []
    for start in range(0, len(pairs), AT_ONCE):
        queries = [Query((Term(Text(text)),)) for _, text in pairs[start : start + AT_ONCE]]
        hits += engine.search_many(queries, K)
    found = [any(hit.item.id == id for hit in own) for (id, _), own in zip(pairs, hits, strict=True)]
    _, clusters = np.unique([id for id, _ in pairs], return_inverse=True)
    return Sample("recall@10", np.array(found, np.float64), [text for _, text in pairs], clusters)


def by_chance(model: OpenModel, seed: int) -> Expansion:
    assert model.expansion is not None
    rng = np.random.default_rng(seed)
    items = model.catalogue.get(model.words.placed().tolist())
    written = [[word for text in item.texts for word in words_of(text)] for item in items.values()]

    def nearby(vectors: Representation) -> list[list[str]]:
        drawn = [rng.choice(len(written), min(DEPTH, len(written)), replace=False) for _ in range(len(vectors))]
        return [[word for place in places for word in written[place]] for places in drawn]

    return Expansion(model.encoder, model.expansion.space, nearby)


if __name__ == "__main__":
    main()
