"""Two networks that judge pairs for each other: the division, who believes whom, and what was found in the end."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from objectives.features import make_features, make_model
from torch import nn
from train.fixed import fixed
from train.known import vectors_of
from train.toy import Toy, toy_experiment

from limner.core.errors import InputError
from limner.core.features import Features
from limner.data.corpus import Corpora, Corpus, Text
from limner.nn.twins import Twins
from limner.objectives.both_networks import BothNetworks
from limner.objectives.hinge import All, RankingHinge, pair_hinges
from limner.objectives.pseudo_classes import PseudoClasses, PseudoClassification
from limner.objectives.targets import positives
from limner.train.corpora.mismatched import Mismatched
from limner.train.evaluations.noise_found import NoiseFound
from limner.train.modifiers.noisy_pairs import Judgement, NoisyPairs
from limner.train.modifiers.partner import Partner
from limner.train.optimiser import Optimiser
from limner.train.runs import Place, train
from limner.train.task import Task

CLEAN, NOISY = 48, 16


def judgement() -> Judgement:
    made = Judgement(CLEAN + NOISY)
    spread = torch.linspace(0, 0.05, CLEAN + NOISY)
    made.losses.copy_(spread + torch.cat([torch.zeros(CLEAN), torch.ones(NOISY)]))
    return made


def test_the_high_lot_is_doubted():
    made = judgement()
    made.divide()
    assert made.clean.tolist() == [True] * CLEAN + [False] * NOISY
    assert made.confidence[:CLEAN].min() > 0.9
    assert made.confidence[CLEAN:].max() < 0.1


def test_what_settled_is_trusted_more_and_what_was_not_met_is_believed():
    made = judgement()
    made.swings.copy_(torch.ones(CLEAN + NOISY))
    made.swings[: CLEAN + 8] = torch.linspace(0, 0.05, CLEAN + 8)
    made.losses[-1] = torch.nan
    made.swings[-1] = torch.nan
    made.divide()
    assert made.confidence[CLEAN : CLEAN + 8].min() > 0.9
    assert made.confidence[CLEAN + 8 : -1].max() < 0.1
    assert made.clean[-1]
    assert made.confidence[-1] == 1


def told(doubts_of_first: list[int], doubts_of_second: list[int], progress: float, modifier: NoisyPairs) -> Features:
    """Features of six pairs with rows 0 to 5, after judgements that doubt these."""
    model = make_model()
    model.partner = make_model(1)
    task = Task(
        model,
        (BothNetworks(RankingHinge(soft=True)), BothNetworks(PseudoClassification(6, classes=4))),
        Optimiser(steps=10),
        modifiers=(Partner(), modifier),
    )
    for made, doubted in zip(task.memory["noisy_pairs"], (doubts_of_first, doubts_of_second), strict=True):
        made.clean[doubted] = False
        made.low_loss[doubted] = 0.1
    features = make_features(6, roles=("caption",), targets={}, progress=progress).replace(rows=torch.arange(6))
    partner = make_features(6, seed=1, roles=("caption",), targets={}, progress=progress).replace(rows=torch.arange(6))
    return modifier.features(task, None, features.replace(partner=partner))  # type: ignore[arg-type]


def right_pairs(features: Features) -> list[int]:
    """Pictures that belong to their own caption."""
    return [row for row in range(6) if features.image.group[row] == features.text.group[row]]


def test_each_network_goes_by_the_judgement_of_the_other():
    features = told([0, 1], [4], 0.3, NoisyPairs(6))
    assert right_pairs(features) == [0, 1, 2, 3, 5]
    assert right_pairs(features.partner) == [2, 3, 4, 5]
    assert features.targets["confidence"].tolist() == pytest.approx([1, 1, 1, 1, 0.1, 1])


def test_at_first_all_are_believed_and_later_the_doubted_borrow():
    early = told([0, 1], [4], 0.1, NoisyPairs(6))
    assert right_pairs(early) == right_pairs(early.partner) == list(range(6))
    assert early.targets["confidence"].tolist() == [1] * 6
    middle, late = (told([0, 1], [4], progress, NoisyPairs(6)) for progress in (0.4, 0.6))
    assert not (middle.image.group[4] == middle.text.group).any()
    lenders = (late.image.group[4] == late.text.group).nonzero()[:, 0].tolist()
    assert len(lenders) == 1
    assert lenders != [4]


def test_losses_and_swings_are_noted():
    modifier = NoisyPairs(6)
    model = make_model()
    model.partner = make_model(1)
    objectives = (BothNetworks(RankingHinge()), BothNetworks(PseudoClassification(6, classes=4)))
    task = Task(model, objectives, Optimiser(steps=10), modifiers=(Partner(), modifier))
    features = make_features(4, roles=("caption",), targets={}).replace(rows=torch.tensor([5, 0, 2, 3]))
    modifier.features(task, None, features.replace(partner=features))  # type: ignore[arg-type]
    first, second = task.memory["noisy_pairs"]
    assert first.losses.isnan().tolist() == [False, True, False, False, True, False]
    assert first.losses[features.rows].mean().item() == pytest.approx(RankingHinge()(features).item(), rel=1e-5)
    expected = task.heads["pseudo_classes"][1].oscillation(features.rows, features.image.vectors)
    torch.testing.assert_close(second.swings[features.rows], expected)


def test_a_picture_with_several_texts_is_judged_by_their_mean():
    modifier, model = NoisyPairs(6), make_model()
    model.partner = make_model(1)
    task = Task(model, (BothNetworks(RankingHinge()),), Optimiser(steps=10), modifiers=(Partner(), modifier))
    features = make_features(4, roles=("caption", "long"), targets={}).replace(rows=torch.tensor([5, 0, 2, 3]))
    modifier.features(task, None, features.replace(partner=features))  # type: ignore[arg-type]
    losses = pair_hinges(features.scores, positives(features), 0.2, All()).view(4, 2).mean(1)
    torch.testing.assert_close(task.memory["noisy_pairs"][0].losses[features.rows], losses)


def test_bad_settings_say_what_is_missing():
    features = make_features(6, roles=("caption",), targets={}).replace(rows=torch.arange(6))
    task = Task(make_model(), (RankingHinge(),), Optimiser(steps=10), modifiers=(NoisyPairs(6),))
    with pytest.raises(InputError, match="list Partner before"):
        NoisyPairs(6).features(task, None, features)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="raise `pictures`"):
        NoisyPairs(3).features(task, None, features.replace(partner=features))  # type: ignore[arg-type]
    bare = features.replace(image=features.image.replace(group=torch.arange(6) + 1))
    with pytest.raises(InputError, match="needs a text"):
        NoisyPairs(6).features(task, None, bare.replace(partner=bare))  # type: ignore[arg-type]
    with pytest.raises(InputError, match="Twins"):
        Task(make_model(), (RankingHinge(),), Optimiser(steps=10), modifiers=(Partner(),))


def test_mismatched_pairs_are_told_by_the_truth():
    plain, mixed = Toy().load(None), Mismatched(Toy(), 0.5).load(None)
    sources = np.array(mixed.train.truth)
    assert (sources != np.arange(64)).sum() == 32
    assert [mixed.train.texts[row] for row in range(64)] == [plain.train.texts[source] for source in sources]
    assert mixed.test.texts == plain.test.texts
    assert (Mismatched(Toy()).vocabulary, Mismatched(Toy()).context) == (Toy().vocabulary, Toy().context)


def test_the_whole_training_finds_the_noise(tmp_path):
    """On pictures that tell everything, pairs that do not fit are found, and both networks are trained."""
    experiment = toy_experiment(
        data=Mismatched(Toy(pictures=192), 0.25),
        model=Twins(toy_experiment().model),
        objectives=(
            BothNetworks(RankingHinge(soft=True)),
            BothNetworks(PseudoClassification(192, classes=8)),
        ),
        optimiser=Optimiser(rate=5e-3, steps=64, warmup=5),
        modifiers=(Partner(), NoisyPairs(192)),
    )
    trained = train(experiment, 0, Place(tmp_path))
    outcome = NoiseFound()(trained)
    assert outcome["noise AUC by loss"].mean > 0.85
    assert len(outcome["noise AUC by loss"].values) == 48
    assert outcome["noise AUC by both"].mean > 0.8
    assert outcome["right words in the borrowed caption"].mean >= 0
    first, second = (
        [parameter for name, parameter in trained.model.named_parameters() if name.startswith("partner.") == other]
        for other in (False, True)
    )
    assert len(first) == len(second)
    assert not torch.equal(first[2], second[2])


def test_the_area_and_the_shared_words_by_hand():
    words = ["alpha beta", "gamma delta", "epsilon zeta", "eta theta", "iota kappa"]
    # Pictures 0 and 1 have each other's texts.
    texts = [[Text(words[row])] for row in (1, 0, 2, 3, 4)]
    corpus = Corpus("five", vectors_of(np.eye(5)), texts, truth=[1, 0, 2, 3, 4])
    trained = fixed(Corpora(corpus, corpus, corpus), {text: [1.0] for text in words})
    made = [Judgement(5), Judgement(5)]
    made[1].low_loss.copy_(torch.tensor([0.2, 0.6, 0.6, 0.9, 0.1]))
    trained.memory["noisy_pairs"] = nn.ModuleList(made)
    # Picture 0 (doubt 0.8) is above pictures 2 and 3 and below 4; picture 1 ties with 2, above 3, below 4.
    by_loss = NoiseFound()(trained)
    assert by_loss["noise AUC by loss"].values.tolist() == pytest.approx([2 / 3, 1.5 / 3])
    assert list(by_loss) == ["noise AUC by loss"]
    head = PseudoClasses(1, 5, 5, 2)
    head.bank.copy_(torch.eye(5) * 0.96 + 0.008)
    head.bank[0] = head.bank[3]
    made[1].clean[:2] = False
    trained.heads["pseudo_classes"] = nn.ModuleList([head, head])
    assert NoiseFound()(trained)["classes in use"].mean == pytest.approx(
        np.exp(-(3 * 0.2 * np.log(0.2) + 0.4 * np.log(0.4)))
    )
    assert isinstance(trained.folder, Path)
