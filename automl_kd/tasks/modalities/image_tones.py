"""Values of images (B, C, H, W) in [0, 1], changed channel by channel, as Pillow and torchvision change bytes."""

from __future__ import annotations

import torch
from torch import Tensor

from automl_kd.tasks.modalities.image_color import blended


def posterize(images: Tensor, bits: int) -> Tensor:
    """Values with the upper bits of eight alone."""
    levels = 2**bits
    return (images * levels).floor_().clamp_(max=levels - 1).div_(levels)


def solarize(images: Tensor, threshold: float) -> Tensor:
    """Values from a threshold on inverted."""
    inverted = (images >= threshold).float()  # five times as fast as where
    return (1 - images * 2).mul_(inverted).add_(images)


def autocontrast(images: Tensor) -> Tensor:
    """The least value of each channel becomes 0 and the largest 1; a channel of one value stays as it is."""
    low, high = images.amin((2, 3), keepdim=True), images.amax((2, 3), keepdim=True)
    flat = low == high
    return (images - low.masked_fill(flat, 0)).div_((high - low).masked_fill(flat, 1))


def equalize(images: Tensor) -> Tensor:
    """Histograms of 256 bins by channel made flat, as Pillow does it; a channel of one value stays as it is."""
    levels = (images * 255).round_().long().flatten(2)
    counts = levels.new_zeros((*levels.shape[:2], 256)).scatter_add_(2, levels, torch.ones_like(levels))
    below = counts.cumsum(2) - counts
    last = counts.gather(2, levels.amax(2, keepdim=True))
    step = (levels.shape[2] - last) // 255
    table = ((below + step // 2) // step.clamp(min=1)).clamp_(0, 255)
    equalized = table.gather(2, levels).view_as(images) / 255
    return torch.where((step == 0)[..., None], images, equalized)


def sharpness(images: Tensor, factor: Tensor) -> Tensor:
    """Images moved away from their blur by a factor (B, 1, 1, 1); pixels at the edge stay as they are."""
    if min(images.shape[2:]) <= 2:
        return images
    inside = images[:, :, 1:-1, 1:-1]
    rows = images[:, :, :-2] + images[:, :, 1:-1] + images[:, :, 2:]
    blur = (rows[..., :-2] + rows[..., 1:-1] + rows[..., 2:]).add_(inside * 4).div_(13)
    sharp = images.clone()
    sharp[:, :, 1:-1, 1:-1] = blended(inside, blur, factor)
    return sharp
