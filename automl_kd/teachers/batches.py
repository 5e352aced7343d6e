"""How many images a network takes at a time."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Batches:
    """The least and the most images that a network takes at a time; equal where it was made for one batch size."""

    least: int
    most: int

    def padded(self, images: Tensor) -> Tensor:
        """Images with the last one repeated until there are enough."""
        lacking = self.least - len(images)
        return torch.cat([images, images[-1:].expand(lacking, -1, -1, -1)]) if lacking > 0 else images
