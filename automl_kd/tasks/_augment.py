"""Random views of a batch, drawn from the given generator alone and never in place."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

import torch
from scipy.special import betaincinv
from torch import Generator, Tensor
from torch.nn import functional

from automl_kd.recipes.schema import Augmentation

_SHIFT = 1 / 8


def augment(images: Tensor, names: Collection[Augmentation], generator: Generator) -> Tensor:
    """A random view of every image, float32 (B, C, H, W) to the same shape.

    ``crop`` shifts by up to an eighth of the size and fills with zeros; ``flip`` mirrors every second image from left
    to right. ``mixup`` among the names is left to :func:`mixup`, because it mixes labels too.

    Args:
        images: Normalised images, so that zero is the mean colour.
        names: Augmentations of a recipe, in any order.
        generator: Decides everything; on its own device, which need not be that of the images.
    """
    for name, view in _VIEWS.items():
        if name in names:
            images = view(images, generator)
    return images


def mixup(images: Tensor, generator: Generator, alpha: float = 0.2) -> tuple[Tensor, Tensor, float]:
    """Convex combinations of pairs of images (Zhang et al. 2018, arXiv:1710.09412), one proportion a batch.

    Args:
        images: (B, C, H, W), float.
        generator: Decides pairs and proportion.
        alpha: Both parameters of the Beta distribution of the proportion.

    Returns:
        ``lam * images + (1 - lam) * images[permutation]``, the permutation (B,) on the device of the images, and
        ``lam``. The loss is mixed in the same way: ``lam * loss(y) + (1 - lam) * loss(y[permutation])``.
    """
    permutation = torch.randperm(len(images), generator=generator, device=generator.device).to(images.device)
    uniform = torch.rand((), generator=generator, device=generator.device, dtype=torch.float64).item()
    lam = float(betaincinv(alpha, alpha, uniform))
    return lam * images + (1 - lam) * images[permutation], permutation, lam


def _crop(images: Tensor, generator: Generator) -> Tensor:
    batch, channels, height, width = images.shape
    down, across = max(1, int(height * _SHIFT)), max(1, int(width * _SHIFT))
    padded = functional.pad(images, (across, across, down, down))
    rows = _offsets(batch, down, generator).to(images.device) + torch.arange(height, device=images.device)
    columns = _offsets(batch, across, generator).to(images.device) + torch.arange(width, device=images.device)
    return padded[
        torch.arange(batch, device=images.device)[:, None, None, None],
        torch.arange(channels, device=images.device)[None, :, None, None],
        rows[:, None, :, None],
        columns[:, None, None, :],
    ]


def _offsets(batch: int, reach: int, generator: Generator) -> Tensor:
    return torch.randint(2 * reach + 1, (batch, 1), generator=generator, device=generator.device)


def _flip(images: Tensor, generator: Generator) -> Tensor:
    chosen = torch.rand(len(images), generator=generator, device=generator.device) < 0.5
    return torch.where(chosen.to(images.device)[:, None, None, None], images.flip(-1), images)


_VIEWS: Mapping[str, Callable[[Tensor, Generator], Tensor]] = {"crop": _crop, "flip": _flip}
