"""Whether a model finds the same whichever way it is asked: in several languages, wordings, with slips of the pen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from limner.core.errors import InputError
from limner.data.corpus import Corpus
from limner.eval.metrics import rank_spread
from limner.eval.metrics.base import Doubles
from limner.eval.retrieval import rank_relevant
from limner.train.outcome import Measured, Outcome
from limner.train.trained import Trained


@dataclass(frozen=True, slots=True)
class RankSpread:
    """Texts of each role search the pictures, and the pictures search the texts of each role, each role by itself.

    Every picture has exactly one text of each of these roles, all of which say the same. Per picture: the spread of
    its places over the roles (card 18: "MRV"), its recall@1 as a mean over the roles, and how much higher that is
    for the role that does best on the whole than for the one that does worst.
    """

    roles: tuple[str, ...]
    split: str = "test"

    def __call__(self, trained: Trained) -> Outcome:
        corpus = trained.corpora.split(self.split)
        images = trained.encode_images(corpus)
        own = np.arange(len(corpus))[:, None]
        ranks: dict[str, list[Doubles]] = {"text-to-image": [], "image-to-text": []}
        for role in self.roles:
            scores = trained.scores(images, trained.encode_texts(self._texts(corpus, role)))
            ranks["text-to-image"].append(rank_relevant([scores.T], own).ranks[:, 0])
            ranks["image-to-text"].append(rank_relevant([scores], own).ranks[:, 0])
        outcome: dict[str, Measured] = {}
        for way, columns in ranks.items():
            places = np.stack(columns, 1)
            first = (places == 1).astype(np.float64)
            best, worst = first.mean(0).argmax(), first.mean(0).argmin()
            outcome[f"{way} rank spread"] = Measured.of(rank_spread(places))
            outcome[f"{way} recall@1, mean of roles"] = Measured.of(first.mean(1))
            outcome[f"{way} recall@1, best less worst role"] = Measured.of(first[:, best] - first[:, worst])
            for role, values in zip(self.roles, first.T, strict=True):
                outcome[f"{way} recall@1, {role}"] = Measured.of(values)
        return outcome

    def _texts(self, corpus: Corpus, role: str) -> list[str]:
        chosen = [[text.text for text in texts if text.role == role] for texts in corpus.texts]
        if any(len(texts) != 1 for texts in chosen):
            raise InputError(f"{corpus.name}: a rank spread needs exactly one text of role {role!r} for each picture")
        return [texts[0] for texts in chosen]
