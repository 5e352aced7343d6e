"""Attention scores of transformers (TinyBERT; Jiao et al. 2020, arXiv:1909.10351)."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from automl_kd.distillation.losses.inputs import MAPS
from automl_kd.distillation.losses.spec import LOSS_SPECS, LossSpec, StepContext
from automl_kd.distillation.losses.tensors import full_precision
from automl_kd.recipes.losses import FeatureLoss


class TinyBERTAttention(FeatureLoss):
    """Attention scores of transformers (Jiao et al. 2020, arXiv:1909.10351), tapped by path."""


_MASKED = -100.0  # of the authors' code: no score of a token that is seen comes near it


def tinybert_attention(s_scores: Tensor, t_scores: Tensor) -> Tensor:
    """Mean over all elements of (s - t)² between attention scores before the softmax, as in the authors' code.

    Scores of -100 or less belong to masked tokens and count as 0 on either side. Where the numbers of heads differ,
    which the reference does not allow, both sides are averaged over their heads.

    Args:
        s_scores: (B, heads, N, N).
        t_scores: (B, heads', N, N).

    Returns:
        A scalar.
    """
    student, teacher = _seen(s_scores), _seen(t_scores)
    if student.shape[1] != teacher.shape[1]:
        student, teacher = student.mean(dim=1), teacher.mean(dim=1)
    return functional.mse_loss(student, teacher)


def _seen(scores: Tensor) -> Tensor:
    scores = full_precision(scores)
    return scores.masked_fill(scores <= _MASKED, 0.0)


def _compare(part: TinyBERTAttention, student: Tensor, teacher: Tensor, context: StepContext) -> Tensor:
    return tinybert_attention(student, teacher)


SPEC = LOSS_SPECS.add(
    "tinybert_attention",
    LossSpec(
        part=TinyBERTAttention,
        kind="attention",
        inputs=MAPS,
        compare=_compare,
        scale="quadratic in the scores",
        zero_at_identity=True,
        paper="Jiao et al. 2020, arXiv:1909.10351",
        reference="the authors' TinyBERT",
    ),
)
