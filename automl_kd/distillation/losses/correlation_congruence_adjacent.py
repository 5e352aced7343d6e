"""Correlation congruence as a product of neighbouring samples, the form in which it is mostly run."""

from __future__ import annotations

from torch import Tensor, nn

from automl_kd.distillation.losses.inputs import EMBEDDINGS, Pair
from automl_kd.distillation.losses.spec import LOSS_SPECS, BuildContext, LossSpec, StepContext
from automl_kd.distillation.losses.tensors import full_precision
from automl_kd.recipes.losses import FeatureLoss


class CorrelationCongruenceAdjacent(FeatureLoss):
    """Products of neighbouring samples of the batch, the form in which CC is mostly run."""


def correlation_congruence_adjacent(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean over i of Σ_d |s - t|_i |s - t|_{i+1}, i and i + 1 being neighbours in the batch: B - 1 pairs.

    The form of RepDistiller's ``Correlation``, which is not the paper's kernel
    (:func:`~automl_kd.distillation.functional.correlation_congruence`). It depends on the order of the batch, and is 0
    already where every second sample agrees. A batch of one has no pairs: value and gradient are 0. Embeddings of
    unequal widths are brought together before it, by the loss's adapter.

    Args:
        student: Embeddings (B, D).
        teacher: Embeddings (B, D).

    Returns:
        A scalar.
    """
    student, teacher = full_precision(student), full_precision(teacher)
    if len(student) < 2:
        return (student * 0).sum()
    gap = (student - teacher).abs()
    return (gap[:-1] * gap[1:]).sum(dim=1).mean()


def _compare(part: CorrelationCongruenceAdjacent, student: Tensor, teacher: Tensor, context: StepContext) -> Tensor:
    return correlation_congruence_adjacent(context.adapted(student), teacher)


def _adapter(part: CorrelationCongruenceAdjacent, pairs: tuple[Pair, ...], context: BuildContext) -> nn.Linear | None:
    (pair,) = pairs
    ours, theirs = pair.student_shape[0], pair.teacher_shape[0]
    return nn.Linear(ours, theirs) if ours != theirs else None


SPEC = LOSS_SPECS.add(
    "correlation_congruence_adjacent",
    LossSpec(
        part=CorrelationCongruenceAdjacent,
        kind="relation",
        inputs=EMBEDDINGS,
        compare=_compare,
        scale="quadratic in the embeddings; grows with their width",
        zero_at_identity=True,
        paper="Peng et al. 2019, arXiv:1904.01802",
        reference="RepDistiller Correlation",
        adapter=_adapter,
    ),
)
