"""Images of a batch, each changed by an operation of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor

Operation = Callable[[Tensor, Tensor], Tensor]
"""From images (B, C, H, W) in [0, 1] and a number for each (B, 1, 1, 1) to images of the same shape, not in place."""


def apply_chosen(images: Tensor, chosen: Tensor, operations: Sequence[Operation], values: Tensor) -> None:
    """Change each image, in place, by one of some operations, those with the same operation at once.

    Args:
        images: (B, C, H, W), float32.
        chosen: Which operation, (B,) int64 on the CPU.
        operations: They must give for an image the same bits whatever images come with it.
        values: The number that each operation has for each image, (B, operations) on the CPU.
    """
    for number in chosen.unique().tolist():
        rows = (chosen == number).nonzero()[:, 0]
        value = values[rows, number].to(images.device, images.dtype, non_blocking=True)[:, None, None, None]
        rows = rows.to(images.device, non_blocking=True)
        images[rows] = operations[number](images[rows], value)
