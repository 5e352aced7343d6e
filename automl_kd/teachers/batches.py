"""How many examples a network takes at a time."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Batches:
    """The least and the most examples that a network takes at a time; equal where it was made for one batch size."""

    least: int
    most: int

    def padded(self, inputs: Tensor) -> Tensor:
        """Examples with the last one repeated until there are enough."""
        lacking = self.least - len(inputs)
        return torch.cat([inputs, inputs[-1:].expand(lacking, *inputs.shape[1:])]) if lacking > 0 else inputs
