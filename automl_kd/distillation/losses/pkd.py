"""Pearson correlation of maps (PKD; Cao et al. 2022, arXiv:2207.02039)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from automl_kd.distillation.adapters import Projection
from automl_kd.distillation.losses.channels import where_channels_differ
from automl_kd.distillation.losses.inputs import MAPS
from automl_kd.distillation.losses.spec import LOSS_SPECS, LossSpec, StepContext
from automl_kd.distillation.losses.tensors import full_precision, pool_to_common
from automl_kd.recipes.losses import FeatureLoss


class PKD(FeatureLoss):
    """Pearson correlation of maps (Cao et al. 2022, arXiv:2207.02039)."""


_EPSILON = 1e-6  # of the authors' code, added to the standard deviation


def pkd(s_map: Tensor, t_map: Tensor) -> Tensor:
    """Half the mean square of the difference between maps whose channels are standardised over (B, H, W).

    That is about 1 - ρ, with ρ the mean of Pearson's correlations of the channels. The standard deviation is the
    unbiased one, and 1e-6 is added to it: the form of mmrazor's ``PKDLoss``, which however enlarges the student's map
    where sizes differ. A channel that is constant, or has one element, is 0 after standardising, with a gradient of 0;
    the reference has NaN there.

    Args:
        s_map: Map (B, C, H, W).
        t_map: Map (B, C, H', W'); the larger of the two maps is average-pooled to the smaller.

    Returns:
        A scalar in [0, 2].
    """
    student, teacher = pool_to_common(full_precision(s_map), full_precision(t_map))
    return functional.mse_loss(_standardise(student), _standardise(teacher)) / 2


def _standardise(features: Tensor) -> Tensor:
    mean = features.mean(dim=(0, 2, 3), keepdim=True)
    centred = features - mean
    count = features.shape[0] * features.shape[2] * features.shape[3]
    variance = centred.square().sum(dim=(0, 2, 3), keepdim=True) / max(count - 1, 1)
    # The mean of equal numbers is off by some ten roundings. Without this check, that rest of a
    # constant channel would be divided by itself; and the root has no gradient at zero.
    varies = variance > (32 * torch.finfo(features.dtype).eps * mean).square()
    return centred * (varies / (variance.where(varies, 1.0).sqrt() + _EPSILON))


def _compare(part: PKD, student: Tensor, teacher: Tensor, context: StepContext) -> Tensor:
    return pkd(context.adapted(student), teacher)


SPEC = LOSS_SPECS.add(
    "pkd",
    LossSpec(
        part=PKD,
        kind="feature",
        inputs=MAPS,
        compare=_compare,
        scale="bounded by 2; blind to the scale of every channel of both",
        zero_at_identity=True,
        paper="Cao et al. 2022, arXiv:2207.02039",
        reference="mmrazor PKDLoss",
        adapter=where_channels_differ(Projection),
    ),
)
