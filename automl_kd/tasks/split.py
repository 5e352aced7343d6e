"""Examples with labels, as one of the three splits or before they are split."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from automl_kd.tasks.splits import Indices


@dataclass(frozen=True, eq=False)
class Split:
    """Images (N, C, H, W), uint8 or float32, and labels (N,), int64 from 0 to classes - 1.

    Attributes:
        images: The images; which value is white is the task's to say.
        labels: The class of each.
        name: What a message calls the image of an index, such as ``"cat/1.png"``.
    """

    images: Tensor
    labels: Tensor
    name: Callable[[int], str] = "image {}".format

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, indices: Indices) -> Split:
        """Some of the examples, in the order of the indices."""
        chosen = torch.from_numpy(indices)
        return Split(self.images[chosen], self.labels[chosen], partial(_name_of_taken, self.name, indices))


def _name_of_taken(name: Callable[[int], str], indices: Indices, index: int) -> str:
    return name(int(indices[index]))
