"""Regression of the teacher's feature map (FitNets; Romero et al. 2015, arXiv:1412.6550)."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from automl_kd.distillation.adapters import Regressor
from automl_kd.distillation.losses.channels import where_channels_differ
from automl_kd.distillation.losses.inputs import MAPS
from automl_kd.distillation.losses.spec import LOSS_SPECS, LossSpec, StepContext
from automl_kd.distillation.losses.tensors import full_precision, pool_to_common
from automl_kd.recipes.losses import FeatureLoss


class Hint(FeatureLoss):
    """FitNets regression of the teacher's map (Romero et al. 2015, arXiv:1412.6550)."""


def hint(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean over all elements of (student - teacher)², the form of RepDistiller's ``HintLoss``.

    The paper's regressor, which brings the student to the teacher's channels, is a module of the wiring
    (:class:`automl_kd.distillation.adapters.Regressor`), not of this function.

    Args:
        student: Map (B, C, H, W).
        teacher: Map (B, C, H', W'); the larger of the two maps is average-pooled to the smaller.

    Returns:
        A scalar.
    """
    student, teacher = pool_to_common(full_precision(student), full_precision(teacher))
    return functional.mse_loss(student, teacher)


def _compare(part: Hint, student: Tensor, teacher: Tensor, context: StepContext) -> Tensor:
    return hint(context.adapted(student), teacher)


SPEC = LOSS_SPECS.add(
    "hint",
    LossSpec(
        part=Hint,
        kind="feature",
        inputs=MAPS,
        compare=_compare,
        scale="quadratic in the teacher's features",
        zero_at_identity=True,
        paper="Romero et al. 2015, arXiv:1412.6550",
        reference="RepDistiller HintLoss",
        adapter=where_channels_differ(Regressor),
    ),
)
