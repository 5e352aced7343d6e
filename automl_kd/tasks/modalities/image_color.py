"""Brightness, contrast, saturation and hue of images (B, C, H, W) in [0, 1], of one channel (grey) or three (RGB).

Nothing here depends on the images that come with one in a batch, to the last bit: sums are exact, and each product
and each sum is rounded by itself.
"""

from __future__ import annotations

import torch
from torch import Tensor

from automl_kd.tasks.modalities.image_operations import Operation, apply_chosen

_LUMA = (0.2989, 0.587, 0.114)  # ITU-R BT.601, with torchvision's digits
_STEP = 2**20
_STRENGTH = (0.4, 0.4, 0.4, 0.1)


def brightness(images: Tensor, factor: Tensor) -> Tensor:
    """Images times a factor (B, 1, 1, 1)."""
    return (images * factor).clamp_(0, 1)


def contrast(images: Tensor, factor: Tensor) -> Tensor:
    """Images moved away from the mean of their grey by a factor (B, 1, 1, 1)."""
    return blended(images, _mean(grey(images)), factor)


def saturation(images: Tensor, factor: Tensor) -> Tensor:
    """Images moved away from their grey by a factor (B, 1, 1, 1); grey ones stay as they are."""
    return images if images.shape[1] == 1 else blended(images, grey(images), factor)


def hue(images: Tensor, turn: Tensor) -> Tensor:
    """Images whose hues are turned by a part of the circle (B, 1, 1, 1); grey ones stay as they are."""
    if images.shape[1] == 1:
        return images
    low, high = images.amin(1), images.amax(1)
    span = high - low
    sixths = _sixths(images, high, span.clamp(min=1e-12)).add_(turn[:, 0] * 6)
    sixths -= (sixths / 6).floor_().mul_(6)
    red = (sixths - 3).abs_().sub_(1)
    green, blue = ((sixths - at).abs_().neg_().add_(2) for at in (2, 4))
    # Where it is 0 a channel has the lowest value, where it is 1 the highest.
    return torch.stack([share.clamp_(0, 1).mul_(span).add_(low) for share in (red, green, blue)], 1)


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


def color_jitter(images: Tensor, draws: Tensor) -> None:
    """Jitter brightness, contrast and saturation by up to 40 % and hue by up to a tenth of the circle, in place.

    Every image is changed by all four, in an order of its own. Strengths are those of SimSiam (Chen and He 2021,
    arXiv:2011.10566, appendix A), from MoCo v2; the four functions and their order are torchvision's ``ColorJitter``.

    Args:
        images: (B, C, H, W) in [0, 1].
        draws: Numbers in [0, 1), (B, 8) on the CPU.
    """
    strength = torch.tensor(_STRENGTH, dtype=draws.dtype)
    values = (2 * draws[:, :4] - 1) * strength + torch.tensor([1.0, 1.0, 1.0, 0.0], dtype=draws.dtype)
    for chosen in draws[:, 4:].argsort(1).unbind(1):
        apply_chosen(images, chosen, _JITTERS, values)


def _mean(values: Tensor) -> Tensor:
    # A sum of floats depends on its order, which depends on the batch; one of whole numbers does not.
    total = (values * _STEP).round_().sum((1, 2, 3), keepdim=True, dtype=torch.float64)
    return (total / (_STEP * values[0].numel())).float()


def _sixths(images: Tensor, high: Tensor, span: Tensor) -> Tensor:
    """Hues, from -1 to 5."""
    red, green, blue = images.unbind(1)
    of_blue = ((red - green) / span).add_(4)
    of_green = ((blue - red) / span).add_(2)
    of_others = torch.where(high == green, of_green, of_blue)
    return torch.where(high == red, (green - blue) / span, of_others)
