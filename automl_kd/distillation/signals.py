"""What a network shows of one batch, as the losses read it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from torch import Tensor


@dataclass(frozen=True)
class Signals:
    """Everything that the losses may read of one network for one batch.

    Attributes:
        logits: The outputs as the network gives them, logits or values, (B, width).
        maps: (B, C, H, W) by stage or path.
        inputs: What the student was given, (B, …); None of a teacher.
        gradients: Of the top class's logit by the input, (B, …), where a loss asked the teacher for them.
    """

    logits: Tensor
    maps: Mapping[str, Tensor]
    inputs: Tensor | None = None
    gradients: Tensor | None = None

    def first(self, count: int) -> Signals:
        """The same signals of the first samples of the batch only."""
        maps = {stage: features[:count] for stage, features in self.maps.items()}
        inputs = None if self.inputs is None else self.inputs[:count]
        gradients = None if self.gradients is None else self.gradients[:count]
        return Signals(self.logits[:count], maps, inputs, gradients)

    def with_logits_of(self, rows: Tensor) -> Signals:
        """The same signals with the outputs of some samples only.

        Args:
            rows: Positions (N,) in the batch.
        """
        return replace(self, logits=self.logits[rows])
