"""What a loss asks of the wiring, and how a recipe's part calls it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from torch import Tensor

Inputs = Literal["labels", "logits", "maps", "embeddings"]


@dataclass(frozen=True)
class Contract:
    """One loss, as the wiring and the loop see it.

    Attributes:
        inputs: What is compared: the student's logits with ``labels``, ``logits`` (B, classes) with logits, feature
            ``maps`` (B, C, H, W) of paired stages, or ``embeddings`` (B, D), the pooled maps that enter the head.
        parameters: Whether the loss trains a regressor where the channels of student and teacher differ.
        zero_at_identity: Whether the loss vanishes when the student equals the teacher.
        paper: Authors, year and arXiv number.
        compare: ``(part, student, teacher, progress)`` to the scalar loss, where ``part`` is the loss's part of the
            recipe and ``progress`` in [0, 1] tells schedules inside the part where the run stands.
    """

    inputs: Inputs
    parameters: bool
    zero_at_identity: bool
    paper: str
    compare: Callable[[Any, Tensor, Tensor, float], Tensor]
