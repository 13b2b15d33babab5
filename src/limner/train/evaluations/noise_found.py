"""How well a training told its mismatched pairs from the right ones, and what they were given instead (card 99)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from limner.core.types import Integers
from limner.data.corpus import Text
from limner.eval.metrics.base import Doubles
from limner.objectives.pseudo_classes import effective_classes
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
    captions, the same for a clean caption drawn at random, and how many classes the pictures are spread over.
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
        labels = F.one_hot(bank.argmax(1), bank.shape[1]).float()
        outcome["classes in use"] = Measured.of(effective_classes(labels))
        right_texts = [corpus.texts[row] for row in np.argsort(sources)]
        borrower, lender, drawn = _lent(bank, judgement.clean, wrong)
        for name, of in (("borrowed", lender), ("drawn", drawn)):
            given = [corpus.texts[row] if row >= 0 else () for row in of]
            shared = _shared_words(given, [right_texts[row] for row in borrower])
            outcome[f"right words in the {name} caption"] = Measured.of(shared)
        return outcome


def _area(doubt: Tensor, wrong: np.ndarray) -> Measured:
    """For each wrong pair the share of the right ones below it, half of those equal to it."""
    values = doubt.cpu().numpy()
    right = np.sort(values[~wrong])
    below, up_to = (np.searchsorted(right, values[wrong], side) for side in ("left", "right"))
    return Measured.of((below + up_to) / (2 * len(right)))


def _lent(bank: Tensor, clean: Tensor, wrong: np.ndarray) -> tuple[Integers, Integers, Integers]:
    """Pictures of mismatched pairs, who would lend to them, and a clean one at random; in batches, as in training.

    -1 where a batch has nobody who could lend.
    """
    rng = np.random.default_rng(0)
    found: list[tuple[Integers, Integers, Integers]] = []
    mismatched = torch.from_numpy(wrong)
    for rows in torch.from_numpy(rng.permutation(len(bank))).split(BATCH):
        asking, giving = rows[mismatched[rows]], rows[clean.cpu()[rows]]
        if not len(asking) or not len(giving):
            found.append((asking.numpy(), np.full(len(asking), -1), np.full(len(asking), -1)))
            continue
        alike = F.normalize(bank[asking], dim=-1) @ F.normalize(bank[giving], dim=-1).T
        alike[asking[:, None] == giving[None, :]] = -1  # believed although wrong: it cannot lend to itself
        lender = giving[alike.argmax(1).cpu()]
        found.append((asking.numpy(), lender.numpy(), rng.choice(giving.numpy(), len(asking))))
    borrower, lender, drawn = (np.concatenate(part) for part in zip(*found, strict=True))
    return borrower, lender, drawn


def _shared_words(given: Sequence[Sequence[Text]], right: Sequence[Sequence[Text]]) -> Doubles:
    """For each picture the share of the words of the first text given that are in its right ones; 0 for no text."""
    counts = Counter(word for texts in right for text in texts for word in _words(text))
    frequent = {word for word, _ in counts.most_common(FREQUENT)}
    shares = np.zeros(len(given))
    for place, (texts, own) in enumerate(zip(given, right, strict=True)):
        words = _words(texts[0]) - frequent if texts else set()
        shares[place] = len(words & {word for text in own for word in _words(text)}) / max(1, len(words))
    return shares


def _words(text: Text) -> set[str]:
    return set("".join(letter if letter.isalnum() else " " for letter in text.text.lower()).split())
