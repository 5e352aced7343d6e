"""Images of a batch mixed in pairs: by mixup or by cutmix, and their labels with them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

import torch
from torch import Generator, Tensor


@dataclass(frozen=True, eq=False)
class ImageMix:
    """How the images of one batch are mixed.

    Attributes:
        permutation: The partner of each image (B,), int64.
        share: What is left of the image itself, in [0, 1]; the rest is its partner's.
        box: Top, bottom, left and right of the pixels that are the partner's, the second and fourth excluded; None
            where all pixels are blended.
        size: Height and width of the images whose pixels the box counts; None for those of any batch.
    """

    permutation: Tensor
    share: float
    box: tuple[int, int, int, int] | None = None
    size: tuple[int, int] | None = None

    def mixed(self, images: Tensor) -> Tensor:
        """The mixed images, (B, C, H, W) to the same shape, never in place."""
        if self.box is None:
            return self.blend(images)
        top, bottom, left, right = self._box_of(images.shape[2], images.shape[3])
        mixed = images.clone()
        mixed[:, :, top:bottom, left:right] = images[self._partners(images), :, top:bottom, left:right]
        return mixed

    def blend(self, values: Tensor) -> Tensor:
        """``share * values + (1 - share) * values[permutation]``, for any rows (B, …) of floats.

        For labels as distributions this is what both papers prescribe. For a teacher's outputs it stands in for the
        teacher's answer to the mixed image, and is not that answer.
        """
        return self.share * values + (1 - self.share) * values[self._partners(values)]

    def to(self, device: torch.device) -> ImageMix:
        return replace(self, permutation=self.permutation.to(device, non_blocking=True))

    def _box_of(self, height: int, width: int) -> tuple[int, int, int, int]:
        """The box in images of any size: the same part of them."""
        assert self.box is not None
        if self.size in (None, (height, width)):
            return self.box
        top, bottom, left, right = self.box
        assert self.size is not None
        down, across = height / self.size[0], width / self.size[1]
        return round(top * down), round(bottom * down), round(left * across), round(right * across)

    def _partners(self, values: Tensor) -> Tensor:
        return self.permutation.to(values.device)


def draw_mix(names: Collection[str], shape: torch.Size, generator: Generator) -> ImageMix | None:
    """The mix of one batch, or None where a recipe asks for none.

    Where it asks for both ``mixup`` and ``cutmix``, a fair coin from the same generator takes one of them for the whole
    batch.

    Args:
        names: Augmentations of a recipe, in any order.
        shape: Of the batch, (B, C, H, W).
        generator: Decides everything; on its own device.
    """
    chosen = [draw for name, draw in (("mixup", mixup), ("cutmix", cutmix)) if name in names]
    if not chosen:
        return None
    draw = chosen[0] if len(chosen) == 1 else chosen[int(_uniform(generator) < 0.5)]
    return draw(shape, generator)


def mixup(shape: torch.Size, generator: Generator, alpha: float = 0.2) -> ImageMix:
    """Convex combinations of pairs of images (Zhang et al. 2018, arXiv:1710.09412), one share a batch.

    Args:
        shape: Of the batch, (B, C, H, W).
        generator: Decides pairs and share.
        alpha: Both parameters of the Beta distribution of the share.
    """
    permutation = _permutation(shape[0], generator)
    return ImageMix(permutation, _beta(alpha, generator))


def cutmix(shape: torch.Size, generator: Generator, alpha: float = 1.0) -> ImageMix:
    """A box of each image replaced by that of its partner (Yun et al. 2019, arXiv:1905.04899), one box a batch.

    As in the paper the box has the proportions of the image and the area 1 - λ, its centre is uniform over the pixels,
    and it is cut off at the edges; the share is the exact area that is left.

    Args:
        shape: Of the batch, (B, C, H, W).
        generator: Decides pairs and box.
        alpha: Both parameters of the Beta distribution of λ.
    """
    height, width = shape[2:]
    permutation = _permutation(shape[0], generator)
    side = (1 - _beta(alpha, generator)) ** 0.5
    top, bottom = _cut(height, side, generator)
    left, right = _cut(width, side, generator)
    share = 1 - (bottom - top) * (right - left) / (height * width)
    return ImageMix(permutation, share, (top, bottom, left, right), (height, width))


def _cut(size: int, side: float, generator: Generator) -> tuple[int, int]:
    half = int(size * side) // 2
    centre = int(_uniform(generator) * size)
    return max(0, centre - half), min(size, centre + half)


def _permutation(batch: int, generator: Generator) -> Tensor:
    return torch.randperm(batch, generator=generator, device=generator.device)


def _beta(alpha: float, generator: Generator) -> float:
    # Here and not above: a fifth of a second, which processes that mix nothing would pay.
    from scipy.special import betaincinv

    return float(betaincinv(alpha, alpha, _uniform(generator)))


def _uniform(generator: Generator) -> float:
    return torch.rand((), generator=generator, device=generator.device, dtype=torch.float64).item()
