"""Random views of training images, each a function of seed, view and image: whoever asks sees the same."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional

from automl_kd.tasks.randomness import generator

if TYPE_CHECKING:
    from automl_kd.tasks.modalities.image import Images

_SHIFT = 1 / 8


class ImageViews:
    """Numbered views of a training split.

    ``crop`` shifts by up to an eighth of the size and fills with zeros; ``flip`` mirrors every second image from left
    to right. What an image looks like in a view depends on the seed, the view's number and the image's position alone,
    not on the batch that it comes in, so that a teacher's outputs for it can be kept. Mixing images is no part of a
    view (:func:`draw_mix`).

    Args:
        images: How they become what networks take.
        examples: Images in the split.
        names: Augmentations of a recipe, in any order; ``mixup`` and ``cutmix`` change nothing here.
        seed: Of all views.
    """

    def __init__(self, images: Images, examples: int, names: Collection[str], seed: int) -> None:
        self._images = images
        self._examples = examples
        self._names = tuple(name for name in ("crop", "flip") if name in names)
        self._seed = seed
        # The draws of the last number alone: an epoch asks for one view.
        self._number: int | None = None
        self._draws = torch.empty(0, 3, dtype=torch.float64)

    def identity(self, number: int) -> dict[str, Any]:
        """What decides the images of a view, as plain data: equal for equal views, whatever the recipe's words."""
        return {"names": self._names, "seed": self._seed, "number": number} if self._names else {"names": ()}

    def of(self, stored: Tensor, index: Tensor, number: int) -> Tensor:
        """The view of some images; without ``crop`` and ``flip`` the images as they are, prepared.

        Args:
            stored: (B, C, H, W), as the task stores them.
            index: Their positions in the split (B,), on any device.
            number: Which view.
        """
        batch = self._images.prepare(stored)
        if not self._names:
            return batch
        draws = self._drawn(number, index.device)[index].to(batch.device)
        if "crop" in self._names:
            batch = _crop(batch, draws[:, 0], draws[:, 1])
        if "flip" in self._names:
            batch = torch.where((draws[:, 2] < 0.5)[:, None, None, None], batch.flip(-1), batch)
        return batch

    def _drawn(self, number: int, device: torch.device) -> Tensor:
        """For every image, in [0, 1): where its crop is, down and across, and whether it is mirrored; (examples, 3).

        All three are drawn whatever is used, so that adding ``flip`` does not move the crops.
        """
        if number != self._number:
            source = generator("view", self._seed, number)
            self._draws = torch.rand(self._examples, 3, generator=source, dtype=torch.float64)
            self._number = number
        self._draws = self._draws.to(device)
        return self._draws


def _crop(images: Tensor, downs: Tensor, acrosses: Tensor) -> Tensor:
    height, width = images.shape[2:]
    down, across = max(1, int(height * _SHIFT)), max(1, int(width * _SHIFT))
    padded = functional.pad(images, (across, across, down, down))
    # Every window of every image is a view of memory, of which one each is copied: 3 times as fast as by pixels.
    windows = padded.unfold(2, height, 1).unfold(3, width, 1)
    top, left = (downs * (2 * down + 1)).long(), (acrosses * (2 * across + 1)).long()
    return windows[torch.arange(len(images), device=images.device), :, top, left]
