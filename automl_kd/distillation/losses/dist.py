"""Relations between classes and between samples (DIST; Huang et al. 2022, arXiv:2205.10536)."""

from __future__ import annotations

import torch
from torch import Tensor

from automl_kd.distillation.losses.inputs import LOGITS
from automl_kd.distillation.losses.logits import softened
from automl_kd.distillation.losses.spec import CATEGORICAL, LOSS_SPECS, LossSpec, StepContext
from automl_kd.recipes.losses import Loss
from automl_kd.recipes.schedules import Temperature, Weight


class DIST(Loss):
    """Correlations between classes and between samples (Huang et al. 2022, arXiv:2205.10536)."""

    beta: Weight = 1.0
    gamma: Weight = 1.0
    temperature: Temperature = 4.0


_EPSILON = 1e-8  # of the authors' code, added to the product of the norms
_ROUNDING = 4  # units in the last place, of the largest value, that a constant row may be apart from its mean


def dist(
    student: Tensor, teacher: Tensor, *, beta: float = 1.0, gamma: float = 1.0, temperature: float | Tensor
) -> Tensor:
    """T² [β (1 - mean ρ of the rows) + γ (1 - mean ρ of the classes)], ρ being Pearson's correlation.

    The probabilities softmax(z / T) of student and teacher are correlated: those of every row over its classes, and
    those of every class over all rows. The form is that of the authors' code, with every position of a sequence or a
    dense map as a row. A row or column that is constant up to rounding correlates with nothing: its ρ is 0, and its
    norm is taken as 1, because a division by rounding would give any gradient at all. One row has no relation between
    rows, so that the second term is left out. Where every sample has a temperature of its own, T² stands inside the
    mean over rows; a class meets all samples at once, and its term is multiplied by their mean T².

    Args:
        student: Logits (B, C), of sequences (B, L, C) or of dense maps (B, C, H, W).
        teacher: Logits of the same shape.
        beta: Weight of the relations between classes.
        gamma: Weight of the relations between rows.
        temperature: T > 0: a number, a scalar tensor that may take a gradient, or (B,), one for each sample.

    Returns:
        A scalar in [0, 2 T² (β + γ)].
    """
    ours, theirs, squares = softened(student, teacher, temperature)
    p, q = ours.softmax(dim=1), theirs.softmax(dim=1)
    # Probabilities sum to 1, so that the mean of a row is known, and the softmax takes its gradient out by itself.
    mean = 1 / p.shape[1]
    between_classes = _correlations(p - mean, q - mean, mean, mean, dim=1)
    common: float | Tensor = squares.mean() if isinstance(squares, Tensor) else squares
    if isinstance(squares, Tensor) and squares.ndim:
        loss = beta * (squares * (1 - between_classes)).mean()
    else:
        loss = (beta * squares) * (1 - between_classes.mean())
    if len(p) > 1:
        p_mean, q_mean = p.mean(dim=0), q.mean(dim=0)
        between_rows = _correlations(p - p_mean, q - q_mean, p_mean, q_mean, dim=0)
        loss = loss + (gamma * common) * (1 - between_rows.mean())
    return loss


def _correlations(a: Tensor, b: Tensor, a_mean: Tensor | float, b_mean: Tensor | float, dim: int) -> Tensor:
    """Pearson's correlation along a dimension of two centred (N, C), from what was subtracted."""
    norms = _norms(a, a_mean, dim) * _norms(b, b_mean, dim)
    return (a * b).sum(dim=dim) / (norms + _EPSILON)


def _norms(centred: Tensor, mean: Tensor | float, dim: int) -> Tensor:
    """L2 norms along a dimension, 1 where values are constant."""
    norms: Tensor = torch.linalg.vector_norm(centred, dim=dim)
    rounding = _ROUNDING * torch.finfo(centred.dtype).eps * centred.shape[dim] ** 0.5
    size = mean.detach().abs() if isinstance(mean, Tensor) else mean
    return norms.where(norms > rounding * size, 1.0)


def _compare(part: DIST, student: Tensor, teacher: Tensor, context: StepContext) -> Tensor:
    return dist(student, teacher, beta=part.beta, gamma=part.gamma, temperature=context.temperature)


SPEC = LOSS_SPECS.add(
    "dist",
    LossSpec(
        part=DIST,
        kind="logit",
        inputs=LOGITS,
        compare=_compare,
        scale="bounded by 2 T² (beta + gamma)",
        zero_at_identity=True,
        paper="Huang et al. 2022, arXiv:2205.10536",
        reference="the authors' DIST",
        takes=CATEGORICAL,
        per_position=True,
    ),
)
