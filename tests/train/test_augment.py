"""Crops: the whole picture is left alone, a mirror mirrors, a picture and a map over it stay aligned."""

import torch

from limner.train.augment import crop, jitter_colours, random_crops


def whole(n: int) -> torch.Tensor:
    """The crop that changes nothing."""
    return torch.eye(2, 3).expand(n, 2, 3)


def test_whole_changes_nothing():
    pictures = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(crop(pictures, whole(2), 8), pictures, rtol=1e-4, atol=1e-5)


def test_mirror():
    pictures = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    mirrored = whole(1).clone()
    mirrored[:, 0, 0] = -1
    torch.testing.assert_close(crop(pictures, mirrored, 8), pictures.flip(3), rtol=1e-4, atol=1e-5)


def test_crops_lie_inside_and_keep_their_area():
    crops = random_crops(500, 0.4, torch.Generator().manual_seed(0))
    width, height = crops[:, 0, 0].abs(), crops[:, 1, 1]
    assert (crops[:, 0, 2].abs() + width <= 1 + 1e-6).all()
    assert (crops[:, 1, 2].abs() + height <= 1 + 1e-6).all()
    assert (width * height >= 0.3).all()  # a clamped side may cost a little of the 0.4
    assert 0.3 < (crops[:, 0, 0] < 0).float().mean() < 0.7


def test_picture_and_map_are_cut_alike():
    """A map that is a coarse copy of the picture stays a coarse copy of the cropped picture."""
    ramp = torch.linspace(0, 1, 64).expand(4, 1, 64, 64)
    coarse = torch.nn.functional.avg_pool2d(ramp, 8)
    crops = random_crops(4, 0.5, torch.Generator().manual_seed(1))
    fine = torch.nn.functional.avg_pool2d(crop(ramp, crops, 64), 8)
    assert (fine - crop(coarse, crops, 8)).abs().max() < 0.07


def test_jitter_stays_in_range_and_zero_changes_nothing():
    pictures = torch.rand(4, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    changed = jitter_colours(pictures, 0.4, torch.Generator().manual_seed(2))
    assert changed.min() >= 0
    assert changed.max() <= 1
    assert not torch.allclose(changed, pictures)
    torch.testing.assert_close(jitter_colours(pictures, 0.0, torch.Generator()), pictures)
