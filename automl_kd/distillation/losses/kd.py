"""Soft targets (Hinton et al. 2015, arXiv:1503.02531), of classes, of labels and of values."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from automl_kd.core import Output
from automl_kd.distillation.losses.inputs import LOGITS
from automl_kd.distillation.losses.logits import mean_divergence, rows, softened, yes_or_no
from automl_kd.distillation.losses.spec import ANY, LOSS_SPECS, LossSpec, StepContext
from automl_kd.recipes.losses import Loss
from automl_kd.recipes.schedules import Temperature


class KD(Loss):
    """Soft targets (Hinton et al. 2015, arXiv:1503.02531). For values, ``temperature`` changes nothing."""

    temperature: Temperature = 4.0


def kd(student: Tensor, teacher: Tensor, *, temperature: float | Tensor) -> Tensor:
    """Mean over all rows of T² Σ q (log q - log p) with q = softmax(teacher / T) and p = softmax(student / T).

    The factor T² keeps the gradient's size when T changes, as section 2 of the paper has it; the form is RepDistiller's
    ``DistillKL``, with every position of a sequence or a dense map as a row. Both distributions stay in log space: a
    probability that underflows then contributes 0, not NaN.

    Args:
        student: Logits (B, C), of sequences (B, L, C) or of dense maps (B, C, H, W).
        teacher: Logits of the same shape.
        temperature: T > 0: a number, a scalar tensor that may take a gradient, or (B,), one for each sample.

    Returns:
        A scalar in nats, times T².
    """
    ours, theirs, squares = softened(student, teacher, temperature)
    return mean_divergence(ours.log_softmax(dim=1), theirs.log_softmax(dim=1), squares)


def kd_bernoulli(student: Tensor, teacher: Tensor, *, temperature: float | Tensor) -> Tensor:
    """Mean over all rows and labels of T² [q log(q / p) + (1 - q) log((1 - q) / (1 - p))].

    Each label is a yes or no of its own, with q = sigmoid(teacher / T) and p = sigmoid(student / T). It is :func:`kd`
    of two classes whose logits differ by the label's logit. In log space, too: log(1 - p) is log sigmoid(-student / T).

    Args:
        student: Logits of labels (B, C), of sequences (B, L, C) or of dense maps (B, C, H, W).
        teacher: Logits of the same shape.
        temperature: As for :func:`kd`.

    Returns:
        A scalar in nats, times T².
    """
    ours, theirs, squares = softened(student, teacher, temperature)
    if isinstance(squares, Tensor) and squares.ndim:
        squares = squares.repeat_interleave(ours.shape[1])
    return mean_divergence(yes_or_no(ours), yes_or_no(theirs), squares)


def kd_real(student: Tensor, teacher: Tensor, *, std: Sequence[float]) -> Tensor:
    """Mean over all rows and values of (s - t)² / (2 σ²), with σ the standard deviation of the value's labels.

    A value is read as the mean of a normal distribution, which a temperature T makes as wide as T labels' deviations.
    The divergence is then T² KL(N(t, T² σ²) ‖ N(s, T² σ²)) = T² (s - t)² / (2 T² σ²): T cancels out, and the loss does
    not depend on the labels' unit.

    Args:
        student: Values (B, C), of sequences (B, L, C) or of dense maps (B, C, H, W).
        teacher: Values of the same shape.
        std: σ of each value, (C,).

    Returns:
        A scalar in nats.
    """
    ours, theirs = rows(student), rows(teacher)
    return ((ours - theirs) / torch.tensor(std, dtype=ours.dtype, device=ours.device)).square().mean() / 2


def soft_targets(student: Tensor, teacher: Tensor, output: Output, *, temperature: float | Tensor) -> Tensor:
    """The one of the three that fits what the outputs mean.

    Args:
        student: Outputs (B, width).
        teacher: Outputs of the same shape.
        output: What they mean.
        temperature: As for :func:`kd`.
    """
    match output.meaning:
        case "categorical":
            return kd(student, teacher, temperature=temperature)
        case "bernoulli":
            return kd_bernoulli(student, teacher, temperature=temperature)
        case "real":
            return kd_real(student, teacher, std=output.std)


def _compare(part: KD, student: Tensor, teacher: Tensor, context: StepContext) -> Tensor:
    return soft_targets(student, teacher, context.problem.output, temperature=context.temperature)


SPEC = LOSS_SPECS.add(
    "kd",
    LossSpec(
        part=KD,
        kind="logit",
        inputs=LOGITS,
        compare=_compare,
        scale="grows with T² at most; divided by the batch; of values, quadratic in their labels' deviations",
        zero_at_identity=True,
        paper="Hinton et al. 2015, arXiv:1503.02531",
        reference="RepDistiller DistillKL",
        takes=ANY,
        per_position=True,
    ),
)
