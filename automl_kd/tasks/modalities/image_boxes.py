"""Random boxes in images: what is cut out of them, or erased."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from automl_kd.tasks.modalities.image_draws import TRIES

_CROP_AREA, _CROP_RATIO = (0.08, 1.0), (3 / 4, 4 / 3)
_ERASED_SHARE, _ERASED_AREA, _ERASED_RATIO = 0.25, (0.02, 0.33), (0.3, 3.3)


def crop_boxes(draws: Tensor, height: int, width: int) -> Tensor:
    """Boxes of random resized crops, (B, 4) int64: top, left, height and width in pixels.

    8 to 100 % of the area, width to height from 3/4 to 4/3, uniform by its logarithm (Szegedy et al. 2015,
    arXiv:1409.4842, as torchvision's ``RandomResizedCrop`` draws it). A box that does not fit is drawn anew; after ten
    the largest in the middle whose proportions are allowed is taken.

    Args:
        draws: Numbers in [0, 1), (B, 22).
        height: Of the images.
        width: Of the images.
    """
    area, ratio = _tries(draws, _CROP_AREA, _CROP_RATIO)
    heights, widths = (height * width * area / ratio).sqrt().round(), (height * width * area * ratio).sqrt().round()
    fits = (heights > 0) & (heights <= height) & (widths > 0) & (widths <= width)
    down, across = draws[:, -2], draws[:, -1]
    chosen = fits.int().argmax(1, keepdim=True)
    tall, wide = heights.gather(1, chosen)[:, 0], widths.gather(1, chosen)[:, 0]
    boxes = torch.stack([down * (height - tall + 1), across * (width - wide + 1), tall, wide], 1).long()
    return torch.where(fits.any(1, keepdim=True), boxes, torch.tensor(_middle(height, width)))


def erased_boxes(draws: Tensor, height: int, width: int) -> Tensor:
    """Boxes to erase, (B, 4) int64: top, bottom, left and right in pixels, the second and fourth excluded.

    Most are empty: a quarter of the images loses 2 to 33 % of its area, height to width from 0.3 to 3.3, uniform by its logarithm
    (Zhong et al. 2020, arXiv:1708.04896). A box is drawn relative to the image, so that at another resolution it is
    the same part of it; one that does not fit is drawn anew, ten times at most.

    Args:
        draws: Numbers in [0, 1), (B, 23).
        height: Of the images.
        width: Of the images.
    """
    area, ratio = _tries(draws[:, 1:], _ERASED_AREA, _ERASED_RATIO)
    talls, wides = (area * ratio * (width / height)).sqrt(), (area / ratio * (height / width)).sqrt()
    fits = (talls < 1) & (wides < 1)
    chosen = fits.int().argmax(1, keepdim=True)
    tall, wide = talls.gather(1, chosen)[:, 0], wides.gather(1, chosen)[:, 0]
    top, left = draws[:, -2] * (1 - tall), draws[:, -1] * (1 - wide)
    edges = torch.stack([top * height, (top + tall) * height, left * width, (left + wide) * width], 1)
    erased = (draws[:, 0] < _ERASED_SHARE) & fits.any(1)
    return edges.round().long() * erased[:, None]


def _tries(draws: Tensor, areas: tuple[float, float], ratios: tuple[float, float]) -> tuple[Tensor, Tensor]:
    """Areas as shares of the image's, and proportions, (B, tries) each."""
    area, ratio = draws[:, :TRIES], draws[:, TRIES : 2 * TRIES]
    low, high = (math.log(each) for each in ratios)
    return areas[0] + area * (areas[1] - areas[0]), (low + ratio * (high - low)).exp()


def _middle(height: int, width: int) -> list[int]:
    low, high = _CROP_RATIO
    tall, wide = min(height, round(width / low)), min(width, round(height * high))
    return [(height - tall) // 2, (width - wide) // 2, tall, wide]
