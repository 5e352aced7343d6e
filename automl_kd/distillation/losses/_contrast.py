"""Embeddings of student and teacher on one sphere, for the losses that contrast them."""

from __future__ import annotations

from torch import Tensor, nn

from automl_kd.distillation.losses._tensors import full_precision


def unit_rows(embeddings: Tensor) -> Tensor:
    """Rows (B, D) of length 1, at least float32; a row of zeros stays, with a finite gradient."""
    rows = full_precision(embeddings)
    squares = rows.square().sum(dim=1, keepdim=True)
    # The root has no gradient at zero.
    return rows / squares.where(squares > 0, 1.0).sqrt()


class Heads(nn.Module):
    """A linear layer for the student and one for the teacher, to ``dimension``: RepDistiller's ``Embed``."""

    def __init__(self, student: int, teacher: int, dimension: int) -> None:
        super().__init__()
        self.student = nn.Linear(student, dimension)
        self.teacher = nn.Linear(teacher, dimension)

    def forward(self, student: Tensor, teacher: Tensor) -> tuple[Tensor, Tensor]:
        """Embeddings (B, D) and (B, D') to two of (B, dimension) with rows of length 1."""
        return unit_rows(self.student(full_precision(student))), unit_rows(self.teacher(full_precision(teacher)))
