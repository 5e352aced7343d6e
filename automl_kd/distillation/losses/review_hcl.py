"""Knowledge review (ReviewKD; Chen et al. 2021, arXiv:2104.09044)."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from automl_kd.distillation.adapters import ReviewFusion
from automl_kd.distillation.losses.inputs import ALL_STAGES, Pair
from automl_kd.distillation.losses.spec import LOSS_SPECS, BuildContext, LossSpec, StepContext
from automl_kd.distillation.losses.tensors import full_precision, pool_to_common
from automl_kd.recipes.losses import FeatureLoss, StagePair


class ReviewHCL(FeatureLoss):
    """Knowledge review: stages fused from the last to the first (Chen et al. 2021, arXiv:2104.09044)."""

    at: tuple[str | StagePair, ...] = Field(default=("all",), min_length=1)


_LEVELS = (4, 2, 1)


def review_hcl(s_map: Tensor, t_map: Tensor) -> Tensor:
    """Hierarchical context loss: mean squares at full size and at 4x4, 2x2 and 1x1, by falling weights.

    The weights are 1 for the full size and then ½, ¼, ⅛, and their sum divides the loss. Levels that are no smaller
    than the map are left out, and the weights halve over those that are left, as in mdistiller's ``hcl_loss``: a map of
    4x4 has ½ at 2x2 and ¼ at 1x1.

    Args:
        s_map: The student's fused map (B, C, H, W).
        t_map: The teacher's map (B, C, H', W'); the larger of the two maps is average-pooled to the smaller.

    Returns:
        A scalar.
    """
    student, teacher = pool_to_common(full_precision(s_map), full_precision(t_map))
    # Pooling is linear: the difference is pooled, once instead of twice.
    difference = student - teacher
    loss, weight, total = difference.square().mean(), 1.0, 1.0
    for level in _LEVELS:
        if level < min(difference.shape[2:]):
            weight /= 2
            total += weight
            loss = loss + weight * functional.adaptive_avg_pool2d(difference, level).square().mean()
    return loss / total


def _compare(part: ReviewHCL, student: tuple[Tensor, ...], teacher: tuple[Tensor, ...], context: StepContext) -> Tensor:
    assert isinstance(context.adapter, ReviewFusion)
    return torch.stack([review_hcl(s, t) for s, t in zip(context.adapter(student), teacher, strict=True)]).sum()


def _adapter(part: ReviewHCL, pairs: tuple[Pair, ...], context: BuildContext) -> ReviewFusion:
    return ReviewFusion(tuple(pair.student_shape[0] for pair in pairs), tuple(pair.teacher_shape[0] for pair in pairs))


SPEC = LOSS_SPECS.add(
    "review_hcl",
    LossSpec(
        part=ReviewHCL,
        kind="feature",
        inputs=ALL_STAGES,
        compare=_compare,
        scale="quadratic in the teacher's features; summed over stages",
        zero_at_identity=True,
        paper="Chen et al. 2021, arXiv:2104.09044",
        reference="mdistiller hcl_loss and ABF",
        adapter=_adapter,
    ),
)
