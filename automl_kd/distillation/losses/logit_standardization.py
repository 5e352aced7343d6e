"""Soft targets of standardised logits (Sun et al. 2024, arXiv:2403.01427)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor

from automl_kd.distillation.losses.dkd import dkd
from automl_kd.distillation.losses.inputs import LOGITS
from automl_kd.distillation.losses.kd import kd
from automl_kd.distillation.losses.logits import class_axis
from automl_kd.distillation.losses.spec import CATEGORICAL, LOSS_SPECS, LossSpec, StepContext
from automl_kd.distillation.losses.tensors import full_precision
from automl_kd.recipes.losses import Loss
from automl_kd.recipes.schedules import Temperature, Weight


class LogitStandardization(Loss):
    """Soft targets of standardised logits (Sun et al. 2024, arXiv:2403.01427); ``alpha`` and ``beta`` are DKD's."""

    loss: Literal["kd", "dkd"] = "kd"
    temperature: Temperature = 2.0
    alpha: Weight = 1.0
    beta: Weight = 8.0


_EPSILON = 1e-7  # of the authors' code, added to the standard deviation
_ROUNDING = 4  # units in the last place, of its mean, that a constant row may be apart from its mean


def logit_standardization(
    student: Tensor,
    teacher: Tensor,
    *,
    loss: Callable[..., Tensor] = kd,
    temperature: float | Tensor = 2.0,
    **loss_parameters: Any,
) -> Tensor:
    """``loss`` of (z - mean) / (1e-7 + std), over the classes of every row, the deviation unbiased (n - 1).

    The form of the authors' ``normalize``. It differs from it in rows that are constant up to rounding: their deviation
    has no gradient, and dividing by it would turn rounding into targets; they are centred and not scaled.

    Args:
        student: Logits (B, C), of sequences (B, L, C) or of dense maps (B, C, H, W), with two classes or more.
        teacher: Logits of the same shape.
        loss: A loss of logits with a temperature, such as ``kd`` or ``dkd``.
        temperature: T > 0, of that loss.
        loss_parameters: Its other keywords, such as DKD's ``labels``.

    Returns:
        A scalar, as ``loss`` gives it.
    """
    return loss(_standardized(student), _standardized(teacher), temperature=temperature, **loss_parameters)


def _standardized(logits: Tensor) -> Tensor:
    logits, axis = full_precision(logits), class_axis(logits)
    mean = logits.mean(dim=axis, keepdim=True)
    centred = logits - mean
    # A norm in one pass: torch.std takes twice as long.
    deviation: Tensor = torch.linalg.vector_norm(centred, dim=axis, keepdim=True) / math.sqrt(logits.shape[axis] - 1)
    rounding = _ROUNDING * torch.finfo(logits.dtype).eps * mean.detach().abs()
    return centred / (deviation.where(deviation > rounding, 1.0) + _EPSILON)


def _compare(part: LogitStandardization, student: Tensor, teacher: Tensor, context: StepContext) -> Tensor:
    if part.loss == "kd":
        return logit_standardization(student, teacher, temperature=context.temperature)
    return logit_standardization(
        student,
        teacher,
        loss=dkd,
        temperature=context.temperature,
        labels=context.labels,
        alpha=part.alpha,
        beta=part.beta,
    )


SPEC = LOSS_SPECS.add(
    "logit_standardization",
    LossSpec(
        part=LogitStandardization,
        kind="logit",
        inputs=LOGITS,
        compare=_compare,
        scale="of KD or DKD; blind to shift and scale of both",
        zero_at_identity=True,
        paper="Sun et al. 2024, arXiv:2403.01427",
        reference="the authors' normalize before mdistiller's kd_loss and dkd_loss",
        takes=CATEGORICAL,
        per_position=True,
        unmixed=lambda part: part.loss == "dkd",
        labels=lambda part: part.loss == "dkd",
    ),
)
