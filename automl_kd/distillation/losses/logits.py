"""Outputs of examples, sequences and dense maps as rows, and the temperature of each row."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from automl_kd.distillation.losses.tensors import full_precision


def class_axis(logits: Tensor) -> int:
    """The dimension of classes, labels or values: 1 of dense maps (B, C, H, W), the last of (B, C) and (B, L, C)."""
    return 1 if logits.ndim == 4 else -1


def rows(logits: Tensor) -> Tensor:
    """Every position as a row, at least float32: (B, C), (B, L, C) or (B, C, H, W) to (N, C)."""
    if logits.ndim == 2:
        return full_precision(logits)
    return full_precision(logits).movedim(class_axis(logits), -1).flatten(0, -2)


def softened(student: Tensor, teacher: Tensor, temperature: float | Tensor) -> tuple[Tensor, Tensor, float | Tensor]:
    """Rows of logits divided by the temperature, and T².

    Args:
        student: Logits (B, C), (B, L, C) or (B, C, H, W).
        teacher: Logits of the same shape.
        temperature: T > 0: a number, a scalar tensor, or (B,), one for each sample and all of its positions.

    Returns:
        Rows (N, C) of the student and of the teacher, and T², (N,) where every sample has its own.
    """
    ours, theirs = rows(student), rows(teacher)
    if not isinstance(temperature, Tensor):
        return ours / temperature, theirs / temperature, temperature**2
    temperature = full_precision(temperature)
    if temperature.ndim:
        temperature = temperature.repeat_interleave(len(ours) // len(student))
    divisor = temperature.unsqueeze(-1)
    return ours / divisor, theirs / divisor, temperature**2


def mean_divergence(log_p: Tensor, log_q: Tensor, squares: float | Tensor) -> Tensor:
    """Mean over the rows of T² KL(q ‖ p) in nats, from logarithms of probabilities (N, C) and T².

    In log space a probability that underflows contributes 0, not NaN.
    """
    if not isinstance(squares, Tensor):  # with few classes, calling an operator costs more than what it computes
        return functional.kl_div(log_p, log_q, reduction="sum", log_target=True) * (squares / len(log_p))
    return (squares * functional.kl_div(log_p, log_q, reduction="none", log_target=True).sum(dim=1)).mean()


def yes_or_no(logits: Tensor) -> Tensor:
    """Logits of labels (N, C), each of a yes or no of its own, as logarithms of two probabilities, (N·C, 2)."""
    return functional.logsigmoid(torch.stack((logits, -logits), dim=-1)).flatten(0, -2)
