"""Random views of training images, each a function of seed, view and image: whoever asks sees the same."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from automl_kd.tasks.modalities.image_boxes import crop_boxes, erased_boxes
from automl_kd.tasks.modalities.image_color import color_jitter
from automl_kd.tasks.modalities.image_draws import ImageDraws
from automl_kd.tasks.modalities.image_frames import cut_out, mirrored, resized, shifted
from automl_kd.tasks.modalities.image_rand_augment import rand_augment

if TYPE_CHECKING:
    from automl_kd.tasks.modalities.image import Images

VARYING = ("crop", "flip", "resized_crop", "rand_augment", "color_jitter", "erase")
"""Augmentations that make views."""
COLORING = ("rand_augment", "color_jitter")
"""Those that change colours, and need images of one or three channels."""

_PIXELS = 2**16  # about what fits into a core's cache with all that is computed on the way


class ImageViews:
    """Numbered views of a training split.

    In this order: ``resized_crop`` shows a random part of the stored image (:func:`crop_boxes`), else all of it is
    shown; ``flip`` mirrors every second image from left to right; :func:`rand_augment`; :func:`color_jitter`; then
    images are normalised; ``crop`` shifts by up to an eighth of the size and fills with zeros; ``erase`` makes a box
    zero, which is the mean (:func:`erased_boxes`).

    What an image looks like in a view depends on the seed, the view's number and the image's position alone, not on
    the batch that it comes in nor on the other augmentations, so that a teacher's outputs for it can be kept. Mixing
    images is no part of a view (:func:`draw_mix`).

    Args:
        images: How they become what networks take.
        examples: Images in the split.
        names: Augmentations of a recipe, in any order; ``mixup`` and ``cutmix`` change nothing here.
        seed: Of all views.
    """

    def __init__(self, images: Images, examples: int, names: Collection[str], seed: int) -> None:
        self._images = images
        self._names = tuple(name for name in VARYING if name in names)
        self._seed = seed
        self._draws = ImageDraws(examples, seed)

    def identity(self, number: int) -> dict[str, Any]:
        """What decides the images of a view, as plain data: equal for equal views, whatever the recipe's words."""
        return {"names": self._names, "seed": self._seed, "number": number} if self._names else {"names": ()}

    def of(self, stored: Tensor, index: Tensor, number: int) -> Tensor:
        """The view of some images; where nothing varies them the images as they are, prepared.

        Args:
            stored: (B, C, H, W), as the task stores them.
            index: Their positions in the split (B,); on the CPU, or a GPU is waited for.
            number: Which view.
        """
        if not self._names:
            return self._images.prepare(stored)
        index = index.cpu()
        channels, height, width = self._images.shape
        # Of a single channel both formats are one in memory, and the strides that say so decide what convolutions do.
        order = torch.channels_last if channels > 1 else torch.contiguous_format
        views = torch.empty((len(index), channels, height, width), device=stored.device, memory_format=order)
        step = len(index) if stored.device.type != "cpu" else max(1, _PIXELS // (height * width))
        for start in range(0, len(index), step):
            part = slice(start, start + step)
            views[part] = self._view(stored[part], index[part], number)
        return views

    def _view(self, stored: Tensor, index: Tensor, number: int) -> Tensor:
        images = self._images
        shifts = self._draws.of("view", index, number)
        flipped = shifts[:, 2] < 0.5 if "flip" in self._names else None
        shown = self._shown(stored, index, number).contiguous()  # by channel is fastest for all that follows
        if flipped is not None:
            shown = mirrored(shown, flipped)
        unit = self._colored(images.in_unit(shown), index, number)
        batch = images.standardized(unit)
        if "crop" in self._names:
            batch = shifted(batch, shifts[:, 0], shifts[:, 1], flipped)
        if "erase" in self._names:
            self._erase(batch, index, number)
        return batch

    def _shown(self, stored: Tensor, index: Tensor, number: int) -> Tensor:
        """What of the stored images is shown, at the size that networks take."""
        size = self._images.shape[1:]
        if "resized_crop" not in self._names:
            return resized(stored, size)
        draws = self._draws.of("resized_crop", index, number)
        return cut_out(stored, crop_boxes(draws, stored.shape[2], stored.shape[3]), size)

    def _colored(self, unit: Tensor, index: Tensor, number: int) -> Tensor:
        coloring = [name for name in COLORING if name in self._names]
        if not coloring:
            return unit
        unit = unit.clone()  # it may be what the task stores
        if "rand_augment" in coloring:
            rand_augment(unit, self._draws.of("rand_augment", index, number))
        if "color_jitter" in coloring:
            color_jitter(unit, self._draws.of("color_jitter", index, number))
        return unit

    def _erase(self, batch: Tensor, index: Tensor, number: int) -> None:
        boxes = erased_boxes(self._draws.of("erase", index, number), *batch.shape[2:])
        for image, box in zip(batch, boxes, strict=True):
            if box is not None:
                top, bottom, left, right = box
                image[:, top:bottom, left:right] = 0
