"""Images of a batch, each changed by an operation of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

Operation = Callable[[Tensor, Tensor], Tensor]
"""From images (B, C, H, W) in [0, 1] and a number for each (B, 1, 1, 1) to images of the same shape, not in place."""


def apply_chosen(images: Tensor, chosen: Tensor, operations: Sequence[Operation], values: Tensor) -> Tensor:
    """Each image changed by one of some operations, those with the same operation at once, never in place.

    Args:
        images: (B, C, H, W), float32.
        chosen: Which operation, (B,) int64 on the CPU.
        operations: They must give for an image the same bits whatever images come with it.
        values: The number that each operation has for each image, (B, operations) on the CPU.
    """
    values = values.to(images.device, images.dtype, non_blocking=True)[:, :, None, None, None]
    numbers = sorted(set(chosen.tolist()))
    if len(numbers) == 1:
        return operations[numbers[0]](images, values[:, numbers[0]])
    order = chosen.argsort(stable=True)
    back = order.argsort().to(images.device, non_blocking=True)
    groups = torch.split(order.to(images.device, non_blocking=True), chosen.bincount()[numbers].tolist())
    # Rows are selected, which takes a tenth of the time of indexing.
    changed = [
        operations[number](images.index_select(0, rows), values[:, number].index_select(0, rows))
        for number, rows in zip(numbers, groups, strict=True)
    ]
    return torch.cat(changed).index_select(0, back)
