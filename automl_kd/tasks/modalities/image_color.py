"""Brightness, contrast, saturation and hue of images (B, C, H, W) in [0, 1], of one channel (grey) or three (RGB).

Nothing here depends on the images that come with one in a batch, to the last bit: sums are exact, and each product
and each sum is rounded by itself.
"""

from __future__ import annotations

import torch
from torch import Tensor

from automl_kd.tasks.modalities.image_operations import Operation, apply_chosen

_LUMA = (0.2989, 0.587, 0.114)  # ITU-R BT.601, with torchvision's digits
_LEAST = 1e-12  # difference between channels that tells a hue
_STRENGTH = (0.4, 0.4, 0.4, 0.1)


def brightness(images: Tensor, factor: Tensor) -> Tensor:
    """Images times a factor (B, 1, 1, 1)."""
    return (images * factor).clamp_(0, 1)


def contrast(images: Tensor, factor: Tensor) -> Tensor:
    """Images moved away from the mean of their grey by a factor (B, 1, 1, 1)."""
    # Row by row, and their sums as float64: the order does not depend on how many images there are.
    means = images.sum(3).double().sum(2)[:, :, None, None] / images[0, 0].numel()
    return blended(images, grey(means).float(), factor)


def saturation(images: Tensor, factor: Tensor) -> Tensor:
    """Images moved away from their grey by a factor (B, 1, 1, 1); grey ones stay as they are."""
    return images if images.shape[1] == 1 else blended(images, grey(images), factor)


def hue(images: Tensor, turn: Tensor) -> Tensor:
    """Images whose hues are turned, as in HSV, by up to a sixth of the circle (B, 1, 1, 1); grey ones stay as they are."""
    if images.shape[1] == 1:
        return images
    low, high = images.amin(1, keepdim=True), images.amax(1, keepdim=True)
    span = high - low
    per_span = 1 / span.clamp(min=_LEAST)
    # Where low is 0 and high is 1, a hue is 1 - r + g + b sixths of the circle away from red, towards green if g > b.
    rest = (images.sum(1, keepdim=True) - low).mul_(per_span).add_(1)
    away = rest - images * (2 * per_span)
    red, green, blue = images.unbind(1)
    towards = torch.stack([green - blue, blue - red, red - green], 1)
    away = away.copysign_(towards).add_(turn * 6)
    # Up to a sixth away a channel has the highest value, from two sixths on the lowest.
    return away.abs_().neg_().add_(2).clamp_(0, 1).mul_(span).add_(low)


def blended(images: Tensor, others: Tensor, share: Tensor) -> Tensor:
    """``share * images + (1 - share) * others``, for shares beyond 1, too."""
    return (images * share).add_(others * (1 - share)).clamp_(0, 1)


def grey(images: Tensor) -> Tensor:
    """Luma, (B, 1, H, W)."""
    if images.shape[1] == 1:
        return images
    red, green, blue = (images[:, channel] * weight for channel, weight in enumerate(_LUMA))
    return (red + green).add_(blue)[:, None]


_JITTERS: tuple[Operation, ...] = (brightness, contrast, saturation, hue)


def color_jitter(images: Tensor, draws: Tensor) -> Tensor:
    """Jitter brightness, contrast and saturation by up to 40 % and hue by up to a tenth of the circle.

    Every image is changed by all four, in an order of its own. Strengths are those of SimSiam (Chen and He 2021,
    arXiv:2011.10566, appendix A), from MoCo v2; the four functions and their order are torchvision's ``ColorJitter``.

    Args:
        images: (B, C, H, W) in [0, 1].
        draws: Numbers in [0, 1), (B, 8) on the CPU.
    """
    strength = torch.tensor(_STRENGTH, dtype=draws.dtype)
    values = (2 * draws[:, :4] - 1) * strength + torch.tensor([1.0, 1.0, 1.0, 0.0], dtype=draws.dtype)
    for chosen in draws[:, 4:].argsort(1).unbind(1):
        images = apply_chosen(images, chosen, _JITTERS, values)
    return images
