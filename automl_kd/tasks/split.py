"""Examples with labels, as one of the three splits or before they are split."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from automl_kd.tasks.names_of_0_1 import SplitNamesOf01
from automl_kd.tasks.splits import Indices


@dataclass(frozen=True, eq=False)
class Split(SplitNamesOf01):
    """Examples (N, …) as the task's modality stores them, and labels (N, …) as its problem does.

    Attributes:
        inputs: The examples: images (N, C, H, W), uint8 or float32, or ids (N, length) of texts, int64.
        labels: Classes (N,), int64; zeros and ones (N, labels) or values (N, D), float32.
        name: What a message calls the example of an index, such as ``"cat/1.png"``.
    """

    inputs: Tensor
    labels: Tensor
    name: Callable[[int], str] = "image {}".format

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, indices: Indices) -> Split:
        """Some of the examples, in the order of the indices."""
        chosen = torch.from_numpy(indices)
        return Split(self.inputs[chosen], self.labels[chosen], partial(_name_of_taken, self.name, indices))


def _name_of_taken(name: Callable[[int], str], indices: Indices, index: int) -> str:
    return name(int(indices[index]))
