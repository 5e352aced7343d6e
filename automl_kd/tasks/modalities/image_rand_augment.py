"""RandAugment: two operations of fourteen for each image, of one strength."""

from __future__ import annotations

from torch import Tensor

from automl_kd.tasks.modalities import image_affine as affine
from automl_kd.tasks.modalities import image_color as color
from automl_kd.tasks.modalities import image_tones as tones
from automl_kd.tasks.modalities.image_operations import Operation, apply_chosen

_MAGNITUDE = 9 / 30  # of what is strongest: 9 of 31 bins, of which the first does nothing
_SHEAR = 0.3 * _MAGNITUDE
_MOVE = 150 / 331 * _MAGNITUDE
_DEGREES = 30 * _MAGNITUDE
_ENHANCED = 0.9 * _MAGNITUDE
_BITS = 8 - round(4 * _MAGNITUDE)
_THRESHOLD = 1 - _MAGNITUDE

# What each does with a sign, -1 or 1; the order is torchvision's.
_OPERATIONS: tuple[Operation, ...] = (
    lambda images, _: images,
    lambda images, sign: affine.shear_x(images, sign * _SHEAR),
    lambda images, sign: affine.shear_y(images, sign * _SHEAR),
    lambda images, sign: affine.translate_x(images, sign * _MOVE),
    lambda images, sign: affine.translate_y(images, sign * _MOVE),
    lambda images, sign: affine.rotate(images, sign * _DEGREES),
    lambda images, sign: color.brightness(images, 1 + sign * _ENHANCED),
    lambda images, sign: color.saturation(images, 1 + sign * _ENHANCED),
    lambda images, sign: color.contrast(images, 1 + sign * _ENHANCED),
    lambda images, sign: tones.sharpness(images, 1 + sign * _ENHANCED),
    lambda images, _: tones.posterize(images, _BITS),
    lambda images, _: tones.solarize(images, _THRESHOLD),
    lambda images, _: tones.autocontrast(images),
    lambda images, _: tones.equalize(images),
)


def rand_augment(images: Tensor, draws: Tensor) -> Tensor:
    """Each image changed by two of fourteen operations (Cubuk et al. 2020, arXiv:1909.13719).

    Operations, their order and their strength, 9 of 31 bins, are torchvision's ``RandAugment``; images are moved by a
    share of their size, not by whole pixels, so that at two resolutions they are moved equally far.

    Args:
        images: (B, C, H, W) in [0, 1].
        draws: Numbers in [0, 1), (B, 4) on the CPU: an operation and a sign, twice.
    """
    for operation, sign in (draws[:, :2].unbind(1), draws[:, 2:].unbind(1)):
        signs = 1 - 2 * (sign < 0.5).to(draws.dtype)
        chosen = (operation * len(_OPERATIONS)).long()
        images = apply_chosen(images, chosen, _OPERATIONS, signs[:, None].expand(-1, len(_OPERATIONS)))
    return images
