"""Images (B, C, H, W) sheared, moved and turned; the nearest pixel is taken, and zero from outside the image."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

_Coordinates = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


def shear_x(images: Tensor, slope: Tensor) -> Tensor:
    """Rows moved to the left by a share (B, 1, 1, 1) of how far below the top they are."""
    return _sampled(images, lambda x, y: (x + slope * (y + images.shape[2] / 2), y))


def shear_y(images: Tensor, slope: Tensor) -> Tensor:
    """Columns moved up by a share (B, 1, 1, 1) of how far right of the left edge they are."""
    return _sampled(images, lambda x, y: (x, y + slope * (x + images.shape[3] / 2)))


def translate_x(images: Tensor, share: Tensor) -> Tensor:
    """Images moved to the right by a share (B, 1, 1, 1) of their width."""
    return _sampled(images, lambda x, y: (x - share * images.shape[3], y))


def translate_y(images: Tensor, share: Tensor) -> Tensor:
    """Images moved down by a share (B, 1, 1, 1) of their height."""
    return _sampled(images, lambda x, y: (x, y - share * images.shape[2]))


def rotate(images: Tensor, degrees: Tensor) -> Tensor:
    """Images turned counter-clockwise around their middle by degrees (B, 1, 1, 1)."""
    # In float64, because the last bit of a cosine depends on how many are asked for.
    angle = degrees.double() * (math.pi / 180)
    cos, sin = angle.cos().float(), angle.sin().float()
    return _sampled(images, lambda x, y: (cos * x - sin * y, sin * x + cos * y))


def _sampled(images: Tensor, taken_from: _Coordinates) -> Tensor:
    """The images at other places: where each pixel is taken from, in pixels from the middle."""
    count, _, height, width = images.shape
    y, x = (torch.arange(side, device=images.device) - (side - 1) / 2 for side in (height, width))
    across, down = taken_from(x, y[:, None])
    places = (across.expand(count, 1, height, width) * (2 / width), down.expand(count, 1, height, width) * (2 / height))
    grid = torch.stack([each[:, 0] for each in places], 3)
    return functional.grid_sample(images, grid, mode="nearest", padding_mode="zeros", align_corners=False)
