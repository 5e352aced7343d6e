"""What a stage may look at beside the student: what networks take and answer, and examples."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from torch import Tensor

from automl_kd.core import Signature


@dataclass(frozen=True)
class Material:
    """What a stage may look at beside the student.

    Attributes:
        signature: What the student takes and answers.
        available: How many training examples there are.
        examples: So many training examples, as the student takes them, in batches (N, …) on the CPU: drawn at random,
            and the same ones whenever they are asked for.
    """

    signature: Signature
    available: int
    examples: Callable[[int], Iterator[Tensor]]
