"""Images as another network knows them: of another size, colour or normalisation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

Shape = tuple[int, int, int]
Statistics = tuple[tuple[float, ...], tuple[float, ...]]
"""Mean and standard deviation by channel, of values in [0, 1]."""


@dataclass(frozen=True)
class ImageTransform:
    """From a task's normalised images (B, C, H, W) to those that another network takes, every step differentiable.

    Attributes:
        before: Channels, height, width of the task's images.
        after: Channels, height, width of the other's.
        undone: Statistics by which the task normalises, None where its normalisation stays.
        normalized: Statistics by which the other's images were normalised, None where the task's normalisation stays.
    """

    before: Shape
    after: Shape
    undone: Statistics | None
    normalized: Statistics | None

    def __call__(self, batch: Tensor) -> Tensor:
        """The task's normalisation undone, a grey channel repeated, resized, normalised as the other was trained."""
        if self.undone is not None:
            mean, std = (_by_channel(values, batch) for values in self.undone)
            batch = batch * std + mean
        batch = batch.expand(-1, self.after[0], -1, -1)
        if self.after[1:] != self.before[1:]:
            batch = functional.interpolate(batch, self.after[1:], mode="bilinear", align_corners=False)
        if self.normalized is not None:
            mean, std = (_by_channel(values, batch) for values in self.normalized)
            batch = (batch - mean) / std
        return batch

    def identity(self) -> dict[str, Any]:
        """What decides it, as plain data."""
        return asdict(self)


def _by_channel(values: Sequence[float], images: Tensor) -> Tensor:
    return torch.tensor(values, device=images.device).view(-1, 1, 1)
