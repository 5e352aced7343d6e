"""Relations between classes and between samples (DIST; Huang et al. 2022, arXiv:2205.10536)."""

from __future__ import annotations

from torch import Tensor

from automl_kd.distillation.losses._contract import Contract, Moment
from automl_kd.distillation.losses._tensors import full_precision
from automl_kd.recipes.losses import DIST

_EPSILON = 1e-8  # of the authors' code, added to the product of the norms


def dist(student: Tensor, teacher: Tensor, *, beta: float = 1.0, gamma: float = 1.0, temperature: float) -> Tensor:
    """T² [β (1 - mean ρ of the samples) + γ (1 - mean ρ of the classes)], ρ being Pearson's correlation.

    Correlated are the probabilities softmax(z / T) of student and teacher: of every sample over its classes, and of
    every class over the batch. The form is that of the authors' code. A constant row or column correlates with nothing:
    its ρ is 0 with a gradient of 0. One sample has no relation between samples, so that the second term is left out.

    Args:
        student: Logits (B, classes).
        teacher: Logits (B, classes).
        beta: Weight of the relations between classes.
        gamma: Weight of the relations between samples.
        temperature: T > 0.

    Returns:
        A scalar in [0, 2 T² (β + γ)].
    """
    p, q = ((full_precision(logits) / temperature).softmax(dim=1) for logits in (student, teacher))
    loss = beta * (1 - _correlations(p, q).mean())
    if len(p) > 1:
        loss = loss + gamma * (1 - _correlations(p.T, q.T).mean())
    return temperature**2 * loss


def _correlations(a: Tensor, b: Tensor) -> Tensor:
    """Pearson's correlation of every row, (N,)."""
    a, b = a - a.mean(dim=1, keepdim=True), b - b.mean(dim=1, keepdim=True)
    # The root of a sum of squares has no gradient at zero; a constant row is left at zero before it.
    squares = a.square().sum(dim=1) * b.square().sum(dim=1)
    norms = squares.where(squares > 0, 1.0).sqrt()
    return (a * b).sum(dim=1) / (norms + _EPSILON)


def _compare(part: DIST, student: Tensor, teacher: Tensor, moment: Moment) -> Tensor:
    return dist(student, teacher, beta=part.beta, gamma=part.gamma, temperature=moment.temperature)


CONTRACT = Contract(
    kind="logit",
    inputs="logits",
    compare=_compare,
    scale="bounded by 2 T² (beta + gamma)",
    zero_at_identity=True,
    paper="Huang et al. 2022, arXiv:2205.10536",
    reference="the authors' DIST",
)
