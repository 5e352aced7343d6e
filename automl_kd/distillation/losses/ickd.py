"""Inter-channel correlations (ICKD; Liu et al. 2021, ICCV)."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from automl_kd.distillation.adapters import Connector
from automl_kd.distillation.losses.channels import where_channels_differ
from automl_kd.distillation.losses.correlations import correlations
from automl_kd.distillation.losses.inputs import MAPS
from automl_kd.distillation.losses.spec import LOSS_SPECS, LossSpec, StepContext
from automl_kd.distillation.losses.tensors import full_precision, pool_to_common
from automl_kd.recipes.losses import FeatureLoss


class ICKD(FeatureLoss):
    """Correlations between channels (Liu et al. 2021, ICCV)."""


def ickd(s_map: Tensor, t_map: Tensor) -> Tensor:
    """Mean over (B, C, C) of (G_s - G_t)² with the inter-channel correlations G = F Fᵀ / HW.

    The authors' code normalises the rows of F Fᵀ instead of dividing by HW; this form keeps the size of the
    activations. On maps of one size it has the value of :func:`~automl_kd.distillation.functional.gram`, which takes
    every map at its own.

    Args:
        s_map: Map (B, C, H, W).
        t_map: Map (B, C, H', W'); the larger of the two maps is average-pooled to the smaller.

    Returns:
        A scalar.
    """
    student, teacher = pool_to_common(full_precision(s_map), full_precision(t_map))
    return functional.mse_loss(correlations(student, student), correlations(teacher, teacher))


def _compare(part: ICKD, student: Tensor, teacher: Tensor, context: StepContext) -> Tensor:
    return ickd(context.adapted(student), teacher)


SPEC = LOSS_SPECS.add(
    "ickd",
    LossSpec(
        part=ICKD,
        kind="relation",
        inputs=MAPS,
        compare=_compare,
        scale="of the fourth degree in the features",
        zero_at_identity=True,
        paper="Liu et al. 2021, ICCV",
        reference="TextBrewer mmd_loss of flattened maps, which is the same matrix",
        adapter=where_channels_differ(Connector),
    ),
)
