"""Embeddings of student and teacher on one sphere, for the losses that contrast them."""

from __future__ import annotations

from torch import Tensor, nn

from automl_kd.distillation.losses.tensors import full_precision, unit_rows


class Heads(nn.Module):
    """A linear layer for the student and one for the teacher, to ``dimension``: RepDistiller's ``Embed``."""

    def __init__(self, student: int, teacher: int, dimension: int) -> None:
        super().__init__()
        self.student = nn.Linear(student, dimension)
        self.teacher = nn.Linear(teacher, dimension)

    def forward(self, student: Tensor, teacher: Tensor) -> tuple[Tensor, Tensor]:
        """Embeddings (B, D) and (B, D') to two of (B, dimension) with rows of length 1."""
        return unit_rows(self.student(full_precision(student))), unit_rows(self.teacher(full_precision(teacher)))
