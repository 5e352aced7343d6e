"""Variational information distillation (VID; Ahn et al. 2019, arXiv:1904.05835)."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from automl_kd.distillation.adapters import VariationalRegressor
from automl_kd.distillation.losses.inputs import MAPS, Pair
from automl_kd.distillation.losses.spec import LOSS_SPECS, BuildContext, LossSpec, StepContext
from automl_kd.distillation.losses.tensors import full_precision, pool_to_common
from automl_kd.recipes.losses import FeatureLoss


class VID(FeatureLoss):
    """Variational information (Ahn et al. 2019, arXiv:1904.05835)."""


_EPSILON = 1e-5  # of the authors' code: the least variance


def vid(mean: Tensor, log_scale: Tensor, t_map: Tensor) -> Tensor:
    """Mean over all elements of ½ [(μ - t)² / v + log v] with v = softplus(ρ) + 1e-5 for each channel.

    The negative log-likelihood, up to a constant, of the teacher's map under a Gaussian that the student predicts; the
    form of RepDistiller's ``VIDLoss``. The reference writes log(1 + exp ρ), which overflows for large ρ. Not 0 where
    the mean is right: log v remains, which is negative for v < 1.

    Args:
        mean: μ (B, C, H, W), the student's map through
            :class:`~automl_kd.distillation.adapters.VariationalRegressor`.
        log_scale: ρ (C,) or (1, C, 1, 1), trained with the regressor.
        t_map: The teacher's map t (B, C, H', W'); the larger of the two maps is average-pooled to the smaller.

    Returns:
        A scalar, which may be negative.
    """
    mean, target = pool_to_common(full_precision(mean), full_precision(t_map))
    variance = functional.softplus(full_precision(log_scale)).reshape(1, -1, 1, 1) + _EPSILON
    # Every channel has as many elements as any other: the mean of log v needs no map.
    return ((mean - target).square() / variance).mean() / 2 + variance.log().mean() / 2


def _compare(part: VID, student: Tensor, teacher: Tensor, context: StepContext) -> Tensor:
    adapter = context.adapter
    assert isinstance(adapter, VariationalRegressor)
    # As the reference has it, pooled before the regressor, which is not linear.
    student, teacher = pool_to_common(student, teacher)
    return vid(adapter(student), adapter.log_scale, teacher)


def _adapter(part: VID, pairs: tuple[Pair, ...], context: BuildContext) -> VariationalRegressor:
    (pair,) = pairs
    return VariationalRegressor(pair.student_shape[0], pair.teacher_shape[0])


SPEC = LOSS_SPECS.add(
    "vid",
    LossSpec(
        part=VID,
        kind="feature",
        inputs=MAPS,
        compare=_compare,
        scale="quadratic in the teacher's features, in units of a variance that is learned; may be negative",
        zero_at_identity=False,
        paper="Ahn et al. 2019, arXiv:1904.05835",
        reference="RepDistiller VIDLoss",
        adapter=_adapter,
    ),
)
