"""Soft targets with the target class and the others apart (DKD; Zhao et al. 2022, arXiv:2203.08679)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from automl_kd.distillation.losses.inputs import LOGITS
from automl_kd.distillation.losses.logits import mean_divergence, softened
from automl_kd.distillation.losses.spec import CATEGORICAL, LOSS_SPECS, LossSpec, StepContext
from automl_kd.recipes.losses import Loss
from automl_kd.recipes.schedules import Temperature, Weight


class DKD(Loss):
    """Soft targets, target and other classes apart (Zhao et al. 2022, arXiv:2203.08679)."""

    alpha: Weight = 1.0
    beta: Weight = 8.0
    temperature: Temperature = 4.0


def dkd(
    student: Tensor,
    teacher: Tensor,
    *,
    labels: Tensor,
    alpha: float = 1.0,
    beta: float = 8.0,
    temperature: float | Tensor = 4.0,
) -> Tensor:
    """Mean over all rows of T² [α KL(target against the rest) + β KL(among the rest)], both KL(teacher ‖ student).

    The form is mdistiller's ``dkd_loss``. It differs where that one rounds: the target is left out of the rest instead
    of lowered by 1000, and all probabilities are logarithms, those of target and rest log sigmoid(±gap) with the gap
    between the target's logit and log Σ exp of the others. At a gap of 200 the reference has inf and NaN. With two
    classes the rest is one class, and its term is exactly 0.

    Args:
        student: Logits (B, C), of sequences (B, L, C) or of dense maps (B, C, H, W).
        teacher: Logits of the same shape.
        labels: Classes int64, one for each row: (B,), (B, L) or (B, H, W).
        alpha: Weight of the target against the rest.
        beta: Weight of the relations among the rest.
        temperature: T > 0: a number, a scalar tensor that may take a gradient, or (B,), one for each sample.

    Returns:
        A scalar in nats, times T².
    """
    ours, theirs, squares = softened(student, teacher, temperature)
    target = labels.reshape(-1, 1)
    (ours, our_rest), (theirs, their_rest) = _decoupled(ours, target), _decoupled(theirs, target)
    return alpha * mean_divergence(ours, theirs, squares) + beta * mean_divergence(our_rest, their_rest, squares)


def _decoupled(logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Log probabilities of target and rest, (N, 2), and of the classes among the rest, (N, C) with 0 at the target."""
    others = logits.scatter(1, target, -torch.inf)
    gap = logits.gather(1, target) - others.logsumexp(dim=1, keepdim=True)
    # -inf - -inf is NaN: the target's place is filled before anything is subtracted.
    among = others.log_softmax(dim=1).scatter(1, target, 0.0)
    return functional.logsigmoid(torch.cat((gap, -gap), dim=1)), among


def _compare(part: DKD, student: Tensor, teacher: Tensor, context: StepContext) -> Tensor:
    return dkd(
        student, teacher, labels=context.labels, alpha=part.alpha, beta=part.beta, temperature=context.temperature
    )


SPEC = LOSS_SPECS.add(
    "dkd",
    LossSpec(
        part=DKD,
        kind="logit",
        inputs=LOGITS,
        compare=_compare,
        scale="grows with T² at most; divided by the batch",
        zero_at_identity=True,
        paper="Zhao et al. 2022, arXiv:2203.08679",
        reference="mdistiller dkd_loss",
        takes=CATEGORICAL,
        per_position=True,
        unmixed=lambda part: True,
        labels=lambda part: True,
    ),
)
