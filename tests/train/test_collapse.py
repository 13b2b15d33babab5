"""A training in which everything becomes the same says so in its log."""

from __future__ import annotations

import json
from dataclasses import dataclass

from train.toy import Toy, toy_experiment

from limner.data.corpus import Corpora
from limner.nn.towers.map_transformer import MapTower
from limner.nn.towers.text_transformer import TextTower
from limner.nn.two_towers import Towers
from limner.objectives.hinge import RankingHinge
from limner.train.runs import Place, train


@dataclass(frozen=True, slots=True)
class AllAlike:
    """One picture and one text, over and over."""

    vocabulary: int = 320
    context: int = 24

    def load(self, place: object) -> Corpora:
        toys = Toy().load(place)
        alike = toys.train.take([0] * 64)
        return Corpora(alike.replace(texts=[texts[:1] for texts in alike.texts]), toys.validation, toys.test)


def test_the_log_tells_the_share_of_steps_without_any_difference(tmp_path):
    towers = Towers(MapTower(16, dropout=0.0), TextTower(16, 1, 2, dropout=0.0), dimension=16)
    healthy = toy_experiment(model=towers, objectives=(RankingHinge(),))
    shares = []
    for experiment in (healthy, healthy.replace(data=AllAlike())):
        trained = train(experiment, 0, Place(tmp_path))
        shares += [json.loads(row)["collapsed"] for row in (trained.folder / "log.jsonl").read_text().splitlines()]
    assert shares == [0, 1]
