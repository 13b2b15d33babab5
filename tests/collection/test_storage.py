"""How thoroughly a collection asks its indexes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from limner.collection import Collection
from limner.collection.storage import Storage
from limner.core.errors import InputError
from limner.core.types import Dense, Space
from limner.index.arrays import ArrayFolder
from limner.index.catalogue import Catalogue
from limner.index.dense import LEAST


def test_the_recall_asked_for_reaches_the_index(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    vectors = random.standard_normal((LEAST + 100, 32)).astype(np.float32)
    questions = Dense(random.standard_normal((40, 32)).astype(np.float32))
    best = np.argsort(-(questions.values @ vectors.T), axis=1)[:, :10]
    catalogue, folder = Catalogue(tmp_path / "catalogue.sqlite", create=True), ArrayFolder(tmp_path / "vectors")
    shares = {}
    for recall in (0.5, 1.0):
        _, index = Storage(catalogue, folder, recall).open("model", Space("image", "dense", 32, "dot"))
        if recall == 0.5:
            index.add(np.arange(len(vectors)), Dense(vectors))
            assert index.refresh()
        found = index.search(questions, 10)
        shares[recall] = np.mean([np.isin(right, ids) for right, (ids, _) in zip(best, found, strict=True)])
    catalogue.close()
    assert 0.3 < shares[0.5] < 0.98
    assert shares[1.0] == 1


@pytest.mark.parametrize("recall", [0.0, -1.0, 1.5, float("nan")])
def test_an_impossible_recall_makes_nothing(tmp_path: Path, recall: float) -> None:
    with pytest.raises(InputError, match="it must be above 0 and at most 1"):
        Collection(tmp_path / "new", recall=recall)
    assert not (tmp_path / "new").exists()
