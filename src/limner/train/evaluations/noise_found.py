"""How well a training told its mismatched pairs from the right ones, and what they were given instead (card 99)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from limner.core.types import Integers
from limner.data.corpus import Text
from limner.eval.metrics.base import Doubles
from limner.objectives.pseudo_classes import borrow, effective_classes
from limner.train.outcome import Measured, Outcome
from limner.train.trained import Trained

BATCH = 256
FREQUENT = 50
"""So many of the most frequent words are not counted as shared."""


@dataclass(frozen=True, slots=True)
class NoiseFound:
    """On the training pairs, by what the modifier `NoisyPairs` judged last for the first network.

    For each mismatched pair the share of the right ones that are doubted less (the mean is the area under the ROC
    curve): by the loss, and with pseudo-classes also by their swings and by both together. With these, for each
    picture of a mismatched pair: the share of the words of the borrowed caption that are in the picture's own, right
    captions, the same for a clean caption drawn at random, and how many classes are in use.
    """

    def __call__(self, trained: Trained) -> Outcome:
        corpus, judgement = trained.corpora.train, trained.memory["noisy_pairs"][1]
        sources = np.asarray(corpus.truth)
        wrong = sources != np.arange(len(sources))
        outcome = {"noise AUC by loss": _area(1 - judgement.low_loss, wrong)}
        if "pseudo_classes" not in trained.heads:
            return outcome
        bank = trained.heads["pseudo_classes"][0].bank
        outcome["noise AUC by swings"] = _area(1 - judgement.settled, wrong)
        outcome["noise AUC by both"] = _area(1 - judgement.confidence, wrong)
        outcome["classes in use"] = Measured.of(effective_classes(bank))
        right_texts = [corpus.texts[row] for row in np.argsort(sources)]
        borrower, lender, drawn = _lent(bank, judgement.clean, wrong)
        for name, of in (("borrowed", lender), ("drawn", drawn)):
            shared = _shared_words([corpus.texts[row] for row in of], [right_texts[row] for row in borrower])
            outcome[f"right words in the {name} caption"] = Measured.of(shared)
        return outcome


def _area(doubt: Tensor, wrong: np.ndarray) -> Measured:
    """For each wrong pair the share of the right ones below it, half of those equal to it."""
    values = doubt.cpu().numpy()
    right = np.sort(values[~wrong])
    below, up_to = (np.searchsorted(right, values[wrong], side) for side in ("left", "right"))
    return Measured.of((below + up_to) / (2 * len(right)))


def _lent(bank: Tensor, clean: Tensor, wrong: np.ndarray) -> tuple[Integers, Integers, Integers]:
    """Doubted pictures of mismatched pairs, who lends to them, and a clean one at random; in batches, as in training."""
    rng = np.random.default_rng(0)
    found: list[tuple[Integers, Integers, Integers]] = []
    for rows in torch.from_numpy(rng.permutation(len(bank))).split(BATCH):
        asking, giving = rows[~clean[rows] & torch.from_numpy(wrong)[rows]], rows[clean[rows]]
        if len(asking) and len(giving):
            lender = giving[borrow(bank[asking], bank[giving])[0]]
            found.append((asking.numpy(), lender.numpy(), rng.choice(giving.numpy(), len(asking))))
    none = np.zeros(0, np.int64)
    return tuple(map(np.concatenate, zip(*found, strict=True))) if found else (none, none, none)  # type: ignore[return-value]


def _shared_words(given: Sequence[Sequence[Text]], right: Sequence[Sequence[Text]]) -> Doubles:
    """For each picture the share of the words of the first text given that are in its right ones."""
    counts = Counter(word for texts in right for text in texts for word in _words(text))
    frequent = {word for word, _ in counts.most_common(FREQUENT)}
    shares = [0.0]  # of nobody
    for texts, own in zip(given, right, strict=True):
        words = _words(texts[0]) - frequent
        known = set().union(*(_words(text) for text in own))
        shares.append(len(words & known) / max(1, len(words)))
    return np.array(shares[1:] or shares)


def _words(text: Text) -> set[str]:
    return set("".join(letter if letter.isalnum() else " " for letter in text.text.lower()).split())
