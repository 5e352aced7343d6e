"""Correlations of samples under a Gaussian kernel (CC; Peng et al. 2019, arXiv:1904.01802)."""

from __future__ import annotations

import math
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from automl_kd.distillation.losses.inputs import EMBEDDINGS
from automl_kd.distillation.losses.spec import LOSS_SPECS, LossSpec, StepContext
from automl_kd.distillation.losses.tensors import full_precision, unit_rows
from automl_kd.recipes.losses import FeatureLoss
from automl_kd.recipes.schedules import Positive


class CorrelationCongruence(FeatureLoss):
    """Correlations of samples under a Gaussian kernel (Peng et al. 2019, arXiv:1904.01802)."""

    gamma: Positive = 0.4
    order: Annotated[int, Field(ge=1, le=10)] = 2


def correlation_congruence(student: Tensor, teacher: Tensor, *, gamma: float = 0.4, order: int = 2) -> Tensor:
    """‖K_s - K_t‖² / B² with K_ij = exp(-2γ) Σ_p (2γ)^p / p! <e_i, e_j>^p, p from 0 to the order.

    The paper's form: the Taylor expansion of exp(-γ |e_i - e_j|²), which it is for embeddings of length 1. They are
    L2-normalised here; one of zeros stays zero, with a gradient of 0. torchdistill's ``CCKDLoss`` has the same matrix
    of embeddings as they come, and takes the root of the sum of squares before it divides by B². Widths need not agree.
    A batch of one has no pairs: value and gradient are 0.

    Args:
        student: Embeddings (B, D).
        teacher: Embeddings (B, D').
        gamma: γ > 0, the inverse width of the kernel.
        order: Highest power of the expansion, at least 1.

    Returns:
        A scalar, below 1.
    """
    student, teacher = full_precision(student), full_precision(teacher)
    if len(student) < 2:
        return (student * 0).sum()
    ours, theirs = (correlations(unit_rows(each), gamma=gamma, order=order) for each in (student, teacher))
    return functional.mse_loss(ours, theirs)


def correlations(embeddings: Tensor, *, gamma: float, order: int) -> Tensor:
    """The matrix K (B, B) of embeddings (B, D), which are not normalised."""
    products = embeddings @ embeddings.T
    term = torch.full_like(products, math.exp(-2 * gamma))
    total = term
    for power in range(1, order + 1):
        term = term * products * (2 * gamma / power)
        total = total + term
    return total


def _compare(part: CorrelationCongruence, student: Tensor, teacher: Tensor, context: StepContext) -> Tensor:
    return correlation_congruence(student, teacher, gamma=part.gamma, order=part.order)


SPEC = LOSS_SPECS.add(
    "correlation_congruence",
    LossSpec(
        part=CorrelationCongruence,
        kind="relation",
        inputs=EMBEDDINGS,
        compare=_compare,
        scale="bounded by 1; blind to the scale of both",
        zero_at_identity=True,
        paper="Peng et al. 2019, arXiv:1904.01802",
        reference="torchdistill CCKDLoss, gaussian_rbf, on L2-normalised embeddings and squared",
    ),
)
