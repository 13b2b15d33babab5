"""Random crops and mirrors of a whole batch at once, the same for a picture and for a map of features over it."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def random_crops(n: int, least: float, generator: torch.Generator) -> Tensor:
    """(n, 2, 3) affine maps: a crop of `least` to 1 of the area, sides within 3:4, mirrored half of the time."""
    area = torch.empty(n).uniform_(least, 1, generator=generator)
    ratio = torch.exp(torch.empty(n).uniform_(-0.2877, 0.2877, generator=generator))
    width, height = (area * ratio).sqrt().clamp(max=1), (area / ratio).sqrt().clamp(max=1)
    mirror = torch.randint(0, 2, (n,), generator=generator) * 2 - 1
    crops = torch.zeros(n, 2, 3)
    crops[:, 0, 0], crops[:, 1, 1] = width * mirror, height
    crops[:, 0, 2] = torch.empty(n).uniform_(-1, 1, generator=generator) * (1 - width)
    crops[:, 1, 2] = torch.empty(n).uniform_(-1, 1, generator=generator) * (1 - height)
    return crops


def whole(n: int) -> Tensor:
    """(n, 2, 3) affine maps that change nothing."""
    return torch.eye(2, 3).expand(n, 2, 3)


def crop(grids: Tensor, crops: Tensor, size: int) -> Tensor:
    """(n, c, h, w) floats -> (n, c, size, size), bilinear."""
    places = F.affine_grid(crops.to(grids), [len(grids), grids.shape[1], size, size], align_corners=False)
    return F.grid_sample(grids, places, padding_mode="border", align_corners=False)


def jitter_colours(pictures: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """(n, 3, h, w) in [0, 1]: brightness, contrast and saturation each changed by up to `strength`."""
    n = len(pictures)
    brightness, contrast, saturation = (
        torch.empty(3, n, 1, 1, 1).uniform_(1 - strength, 1 + strength, generator=generator).to(pictures)
    )
    pictures = pictures * brightness
    pictures = torch.lerp(pictures.mean((1, 2, 3), keepdim=True), pictures, contrast)
    return torch.lerp(pictures.mean(1, keepdim=True), pictures, saturation).clamp(0, 1)
