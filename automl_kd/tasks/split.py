"""Examples with labels, as one of the three splits or before they are split."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import torch
from torch import Tensor

from automl_kd.tasks.names_of_0_1 import SplitNamesOf01
from automl_kd.tasks.splits import Indices

_BYTES_OF_A_FLOAT = 4
_BYTES_AT_ONCE = 32 * 2**20
"""What a batch outside of training may take as float32: a network needs many times as much to answer it."""


class StoredExamples(Protocol):
    """Examples (N, …) that lie on disk and are read when they are asked for; a tensor in memory is used like them."""

    @property
    def shape(self) -> torch.Size:
        """As of a tensor: (N, …)."""

    @property
    def dtype(self) -> torch.dtype:
        """Of a value."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: Tensor | slice) -> Tensor:
        """Some of the examples, in ordinary memory and in the order of the index."""

    def taken(self, indices: Indices) -> StoredExamples:
        """The same examples in part, still on disk."""

    def identity(self) -> dict[str, Any]:
        """What decides their bytes, as plain data, in place of the bytes themselves: a part of the task's hash."""

    def digests(self) -> list[bytes]:
        """A hash of each example's bytes, equal for equal examples."""


Examples = Tensor | StoredExamples


@dataclass(frozen=True, eq=False)
class Split(SplitNamesOf01):
    """Examples (N, …) as the task's modality stores them, and labels (N, …) as its problem does.

    Attributes:
        inputs: The examples: images (N, C, H, W), uint8 or float32, or ids (N, length) of texts, int64; in memory or on
            disk.
        labels: Classes (N,), int64; zeros and ones (N, labels) or values (N, D), float32.
        name: What a message calls the example of an index, such as ``"cat/1.png"``.
    """

    inputs: Examples
    labels: Tensor
    name: Callable[[int], str] = "image {}".format

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, indices: Indices) -> Split:
        """Some of the examples, in the order of the indices."""
        chosen = torch.from_numpy(indices)
        inputs = self.inputs[chosen] if isinstance(self.inputs, Tensor) else self.inputs.taken(indices)
        return Split(inputs, self.labels[chosen], partial(_name_of_taken, self.name, indices))

    @property
    def tensor(self) -> Tensor:
        """All examples in memory, (N, …); those on disk are read."""
        return self.inputs if isinstance(self.inputs, Tensor) else self.inputs[:]

    def at_once(self, most: int) -> int:
        """How many examples a network is asked for outside of training: at most so many, and fewer of large ones."""
        return max(1, min(most, _BYTES_AT_ONCE // (_BYTES_OF_A_FLOAT * max(1, math.prod(self.inputs.shape[1:])))))

    def batches(self, most: int) -> Iterator[Tensor]:
        """The examples in their order, :meth:`at_once` at a time, in ordinary memory."""
        size = self.at_once(most)
        for start in range(0, len(self), size):
            yield self.inputs[start : start + size]


def _name_of_taken(name: Callable[[int], str], indices: Indices, index: int) -> str:
    return name(int(indices[index]))
