"""What every Objective must do. A new one is found by itself; a target or setting of a new kind adds one line below."""

from __future__ import annotations

import copy
import dataclasses
import importlib
import pkgutil
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from objectives.features import CHANNELS, CLASSES, GRID_CLASSES, PAIRS_IN_DATA, ROLES, make_features, make_model
from torch import Tensor, nn

import limner.objectives
from limner.core.errors import InputError
from limner.core.features import Encoded, Features, Queue
from limner.core.protocols import Objective

SETTINGS = {
    "pictures": PAIRS_IN_DATA,
    "classes": CLASSES,
    "clusters": CLASSES,
    "channels": CHANNELS,
    "role": ROLES[0],
    "GridClassification.classes": GRID_CLASSES,
    "PivotContrast.pivot": ROLES[1],
}
"""By the name of a field that has no default, or of class and field. A role is always given: to be without one is
right only for some."""

OPTIONAL = ("roles", "ids", "concept", "language", "targets", "view", "teacher", "queue", "model")
OF_A_SIDE = ("latent", "states", "tokens", "mask", "lexicon")


def found() -> list[type]:
    """Every objective of the package."""
    classes = []
    for entry in pkgutil.iter_modules(limner.objectives.__path__):
        module = importlib.import_module(f"limner.objectives.{entry.name}")
        for member in vars(module).values():
            own = isinstance(member, type) and member.__module__ == module.__name__
            if own and dataclasses.is_dataclass(member) and {"name", "weight"} <= fields_of(member).keys():
                classes.append(member)
    return sorted(classes, key=lambda one: one.__name__)


def fields_of(kind: type) -> dict[str, dataclasses.Field[Any]]:
    return {field.name: field for field in dataclasses.fields(kind)}


def make(kind: type) -> Objective:
    needed = {
        name
        for name, field in fields_of(kind).items()
        if name == "role"
        or f"{kind.__name__}.{name}" in SETTINGS
        or (field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING)
    }
    given = {name: SETTINGS.get(f"{kind.__name__}.{name}", SETTINGS.get(name)) for name in needed}
    assert None not in given.values(), f"give {kind.__name__} defaults, or the contract test a value: {given}"
    return kind(**given)


OBJECTIVES = found()
everyone = pytest.mark.parametrize("kind", OBJECTIVES, ids=lambda kind: kind.__name__)


class Called:
    """One call on a fresh batch with everything in it, everything seeded."""

    def __init__(self, kind: type, **changes: Any) -> None:
        self.objective = make(kind)
        self.model = make_model()
        self.head = self.objective.head(self.model)
        self.features = make_features(model=self.model, progress=changes.pop("progress", 0.5), **changes)

    def __call__(self, features: Features | None = None) -> Tensor:
        torch.manual_seed(3)
        return self.objective(features or self.features, copy.deepcopy(self.head))


def tensors(value: Any, path: str = "") -> Iterator[tuple[str, Tensor]]:
    """Every tensor of a record, with its name."""
    if isinstance(value, Tensor):
        yield path, value
    elif isinstance(value, Encoded | Features | Queue):
        for field in dataclasses.fields(value):
            yield from tensors(getattr(value, field.name), f"{path}.{field.name}")
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from tensors(inner, f"{path}.{name}")


def test_the_package_has_objectives():
    assert {"Contrast"} <= {kind.__name__ for kind in OBJECTIVES}


def test_no_two_share_a_name():
    names = [make(kind).name for kind in OBJECTIVES]
    assert len(set(names)) == len(names), sorted(names)


@everyone
def test_is_a_frozen_record_of_plain_settings(kind: type):
    objective = make(kind)
    assert isinstance(objective, Objective)
    assert objective.weight > 0
    with pytest.raises(dataclasses.FrozenInstanceError):
        objective.weight = 2.0  # type: ignore[misc]
    plain = (str, int, float, bool, type(None), tuple)
    for name in fields_of(kind):
        value = getattr(objective, name)
        assert isinstance(value, plain) or dataclasses.is_dataclass(value), f"{name} cannot be stored: {value!r}"


@everyone
@pytest.mark.parametrize("progress", [0.0, 0.5, 1.0])
def test_gives_a_finite_scalar(kind: type, progress: float):
    loss = Called(kind, progress=progress)()
    assert loss.shape == ()
    assert loss.is_floating_point()
    assert loss.isfinite()


@everyone
def test_a_batch_of_one_picture_gives_a_finite_loss_or_is_refused(kind: type):
    loss, said = outcome(Called(kind, pictures=1))
    assert said or loss.isfinite()


def outcome(called: Called, features: Features | None = None) -> tuple[Tensor, str]:
    """The loss and "", or a zero and what an InputError says, in one line."""
    try:
        return called(features), ""
    except InputError as error:
        said = str(error)
    assert "\n" not in said
    assert len(said) > 20
    return torch.zeros(()), said


@everyone
def test_the_same_batch_costs_the_same(kind: type):
    assert torch.equal(Called(kind)(), Called(kind)())


@everyone
def test_teaches_the_towers_and_all_of_its_head(kind: type):
    called = Called(kind)
    loss = called.objective(called.features, called.head)
    loss.backward()
    of_towers = [tensor.grad for _, tensor in tensors(called.features) if tensor.is_leaf and tensor.grad is not None]
    of_towers += [parameter.grad for parameter in called.model.parameters() if parameter.grad is not None]
    assert any(gradient.abs().max() > 0 for gradient in of_towers)
    assert all(gradient.isfinite().all() for gradient in of_towers)
    head = called.head if isinstance(called.head, nn.Module) else nn.Module()
    for name, parameter in head.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None, f"the head has {name} and never teaches it"
            assert parameter.grad.isfinite().all()


@everyone
def test_changes_nothing_of_the_batch(kind: type):
    called = Called(kind)
    before = {path: tensor.detach().clone() for path, tensor in tensors(called.features)}
    called().backward()
    for path, tensor in tensors(called.features):
        assert torch.equal(tensor, before[path]), path
        if path.startswith((".teacher", ".queue")):
            assert not tensor.requires_grad, path


@everyone
def test_the_order_of_the_batch_does_not_matter(kind: type):
    called = Called(kind)
    state = torch.random.manual_seed(3).get_state()
    loss = called()
    if not torch.equal(torch.get_rng_state(), state):
        pytest.skip("draws by chance, another order draws otherwise")
    generator = torch.Generator().manual_seed(8)
    features = called.features
    pictures, texts = (
        torch.randperm(len(side.vectors), generator=generator) for side in (features.image, features.text)
    )
    torch.testing.assert_close(called(permuted(features, pictures, texts)), loss, rtol=1e-4, atol=1e-5)


def permuted(features: Features, pictures: Tensor, texts: Tensor) -> Features:
    """The same batch, its n pictures and m texts in another order; the roles list their rows in another order, too."""
    place_of_picture, place_of_text = pictures.argsort(), texts.argsort()
    return features.replace(
        image=features.image.take(pictures),
        text=features.text.take(texts),
        owner=place_of_picture[features.owner[texts]],
        rows=features.rows[pictures],
        roles={role: place_of_text[rows].flip(0) for role, rows in features.roles.items()},
        ids=features.ids[texts],
        concept=features.concept[pictures],
        language=features.language[texts],
        targets={name: value[pictures] for name, value in features.targets.items()},
        view=features.view and permuted(features.view, pictures, texts),
        teacher=features.teacher and permuted(features.teacher, pictures, texts),
    )


@everyone
@pytest.mark.parametrize("missing", [*OPTIONAL, *OF_A_SIDE])
def test_what_is_missing_is_not_needed_or_said_by_name(kind: type, missing: str):
    """A batch with one kind of thing left out: a finite loss, or an InputError of one line. Nothing else."""
    called = Called(kind)
    loss, said = outcome(called, without(called.features, missing))
    assert said or loss.isfinite()


def without(features: Features, missing: str) -> Features:
    if missing in OF_A_SIDE:
        sides = {side: dataclasses.replace(getattr(features, side), **{missing: None}) for side in ("image", "text")}
        inner = {
            name: getattr(features, name) and without(getattr(features, name), missing) for name in ("view", "teacher")
        }
        return features.replace(**sides, **inner)
    return features.replace(**{missing: {} if missing in ("roles", "targets") else None})
