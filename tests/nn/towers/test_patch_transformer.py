"""The vision transformer keeps places in order and refuses patches that do not fill the picture."""

import pytest
import torch

from limner.core.errors import InputError
from limner.nn.towers.patch_transformer import PatchTower


def test_a_state_is_of_its_patch():
    tower = PatchTower(patch=8, width=16, depth=0, heads=2).build((3, 32, 32)).eval()
    pictures = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    changed = pictures.clone()
    changed[:, :, 8:16, 24:32] = 0  # second row, fourth column
    different = (tower(pictures) != tower(changed)).any(-1)
    assert different.nonzero()[:, 1].tolist() == [7, 7]


def test_shape_and_gradient():
    tower = PatchTower(patch=16, width=12, depth=2, heads=3).build((3, 48, 48))
    states = tower(torch.rand(2, 3, 48, 48))
    assert states.shape == (2, 9, 12)
    states.sum().backward()
    assert all(parameter.grad is not None for parameter in tower.parameters())


def test_patches_must_fill_the_picture():
    with pytest.raises(InputError, match="divides"):
        PatchTower(patch=16).build((3, 40, 40))
