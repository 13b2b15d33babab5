"""Whether pictures chosen together show more of a text than the best pictures of its sentences.

A text is made of the captions of some pictures of the split, `--captions` of each, in an order drawn by chance; nothing
is written about the pictures that are searched. Told is how many of its pictures are among as many chosen from the
whole split, by the package's own ways:

    illustrate        what `limner illustrate` chooses
    all as one        the best pictures of one query with every sentence as a term
    reciprocal rank   the sentences' rankings fused by reciprocal rank
    first sentence    the best pictures of the first sentence
    by chance         illustrate, each sentence's pictures given to another text's: what is found without looking

A difference from illustrate is in points; its interval resamples texts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from random import Random

import numpy as np
from harness import captioned_options, store, workplace

from limner.collection import Collection
from limner.core.query import Query, Term, Text
from limner.core.types import Hit, Item
from limner.data.datasets import open_dataset
from limner.eval.intervals import Sample, bootstrap, interval
from limner.search.engine import Engine
from limner.search.fuse import RANK_CONSTANT
from limner.search.illustrate import CANDIDATES, illustrate, passages

DRAWS = 1000
Chooser = Callable[[Engine, str, int], Sequence[str]]


def main() -> None:
    parser = captioned_options(__doc__, "test")
    parser.add_argument("--texts", type=int, default=200, help="how many texts are made (200)")
    parser.add_argument("--pictures", type=int, default=5, help="pictures that a text is about (5)")
    parser.add_argument("--captions", type=int, default=3, help="captions of each (3)")
    arguments = parser.parse_args()
    items = open_dataset(arguments.data, arguments.split).items
    random = Random(arguments.seed)
    drawn = [random.sample(items, arguments.pictures) for _ in range(arguments.texts)]
    texts = [written(own, arguments.captions, random) for own in drawn]
    with workplace(arguments.keep) as folder, Collection(folder / "c.limner", model=arguments.model) as collection:
        collection.add([Item(item.uri, item.id) for item in items])  # nothing is written about them
        model = collection._model()
        engine = model.engine()
        told = {name: [choose(engine, text, arguments.pictures) for text in texts] for name, choose in WAYS.items()}
    told["by chance"] = told["illustrate"][1:] + told["illustrate"][:1]
    samples = {name: sample(drawn, chosen) for name, chosen in told.items()}
    rows: list[dict[str, object]] = []
    for name, own in samples.items():
        draws = bootstrap([samples["illustrate"], own], draws=DRAWS, seed=arguments.seed)
        low, high = interval(draws[1] - draws[0], 0.95)
        difference = own.value - samples["illustrate"].value
        rows.append({"way": name, "found": own.value, "difference": difference, "interval": (low, high)})
        print(f"{name:<16} {own.value:.4f}  {difference:+.4f} ({low:+.4f} to {high:+.4f})")
    store(arguments, model.record.fingerprint, {"collection": len(items), "rows": rows})


def written(items: Sequence[Item], captions: int, random: Random) -> str:
    sentences = [text.strip(" .") + "." for item in items for text in item.texts[:captions]]
    random.shuffle(sentences)
    return " ".join(sentences)


def sample(drawn: Sequence[Sequence[Item]], chosen: Sequence[Sequence[str]]) -> Sample:
    found = [len({item.id for item in own} & set(ids)) / len(own) for own, ids in zip(drawn, chosen, strict=True)]
    count = len(drawn)
    return Sample("found", np.array(found), [str(row) for row in range(count)], np.arange(count))


def together(engine: Engine, text: str, k: int) -> list[str]:
    return [one.hit.item.id for one in illustrate(engine, text, k)]


def all_as_one(engine: Engine, text: str, k: int) -> list[str]:
    return ids(engine.search(Query(tuple(Term(Text(passage)) for passage in passages(text))), k))


def reciprocal_rank(engine: Engine, text: str, k: int) -> list[str]:
    scores: defaultdict[str, float] = defaultdict(float)
    for hits in engine.search_many([Query((Term(Text(passage)),)) for passage in passages(text)], CANDIDATES):
        for rank, hit in enumerate(hits, 1):
            scores[hit.item.id] += 1 / (RANK_CONSTANT + rank)
    return sorted(scores, key=lambda id: -scores[id])[:k]


def first_sentence(engine: Engine, text: str, k: int) -> list[str]:
    return ids(engine.search(Query((Term(Text(passages(text)[0])),)), k))


def ids(hits: Sequence[Hit]) -> list[str]:
    return [hit.item.id for hit in hits]


WAYS: dict[str, Chooser] = {
    "illustrate": together,
    "all as one": all_as_one,
    "reciprocal rank": reciprocal_rank,
    "first sentence": first_sentence,
}

if __name__ == "__main__":
    main()
