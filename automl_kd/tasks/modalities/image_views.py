"""Random views of training images, each a function of seed, view and image: whoever asks sees the same."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from automl_kd.tasks.modalities.image_boxes import crop_boxes, erased_boxes
from automl_kd.tasks.modalities.image_color import color_jitter
from automl_kd.tasks.modalities.image_draws import ImageDraws
from automl_kd.tasks.modalities.image_frames import cut_out, erase, mirrored, resized, shifted
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
        channels, height, width = self._images.shape
        # Of a single channel both formats are one in memory, and the strides that say so decide what convolutions do.
        order = torch.channels_last if channels > 1 else torch.contiguous_format
        views = torch.empty((len(stored), channels, height, width), device=stored.device, memory_format=order)
        varied = self._varied(index.cpu(), number, stored.shape[2:])
        step = len(stored) if stored.device.type != "cpu" else max(1, _PIXELS // (height * width))
        for start in range(0, len(stored), step):
            part = slice(start, start + step)
            views[part] = self._view(stored[part], {name: rows[part] for name, rows in varied.items()})
        return views

    def _varied(self, index: Tensor, number: int, size: torch.Size) -> dict[str, Tensor]:
        """By augmentation what it does to each image, (B, …) on the CPU; ``size`` is that of stored ones."""
        draws = {name: self._draws.of(name, index, number) for name in self._names}
        varied: dict[str, Tensor] = {}
        for name, rows in draws.items():
            match name:
                case "flip":
                    varied[name] = rows[:, 2] < 0.5
                case "resized_crop":
                    varied[name] = crop_boxes(rows, *size)
                case "erase":
                    varied[name] = erased_boxes(rows, *self._images.shape[1:])
                case _:
                    varied[name] = rows
        return varied

    def _view(self, stored: Tensor, varied: Mapping[str, Tensor]) -> Tensor:
        size, flipped = self._images.shape[1:], varied.get("flip")
        boxes = varied.get("resized_crop")
        shown = resized(stored, size) if boxes is None else cut_out(stored, boxes, size)
        shown = shown.contiguous()  # all that follows is fastest channel by channel
        if flipped is not None:
            shown = mirrored(shown, flipped)
        unit = self._images.in_unit(shown)
        if "rand_augment" in varied:
            unit = rand_augment(unit, varied["rand_augment"])
        if "color_jitter" in varied:
            unit = color_jitter(unit, varied["color_jitter"])
        batch = self._images.standardized(unit)
        if "crop" in varied:
            batch = shifted(batch, varied["crop"], flipped)
        if "erase" in varied:
            erase(batch, varied["erase"])
        return batch
