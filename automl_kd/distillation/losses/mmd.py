"""Maximum mean discrepancy between activations (Huang & Wang 2017, arXiv:1707.01219)."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from automl_kd.distillation.adapters import Projection
from automl_kd.distillation.losses.channels import where_channels_differ
from automl_kd.distillation.losses.correlations import correlations
from automl_kd.distillation.losses.inputs import MAPS
from automl_kd.distillation.losses.spec import LOSS_SPECS, LossSpec, StepContext
from automl_kd.recipes.losses import FeatureLoss


class MMD(FeatureLoss):
    """Maximum mean discrepancy between distributions of activations (Huang & Wang 2017, arXiv:1707.01219)."""


def mmd(student: Tensor, teacher: Tensor) -> Tensor:
    """Squared MMD under the kernel (<x, y> / C)² between the distributions of activations over a map's positions.

    A sample is the activation x of all C channels at one position: mean k(s, s') + mean k(t, t') - 2 mean k(s, t) for
    every example, averaged over the batch. With this kernel it equals the mean square of the difference between the
    second moments F Fᵀ / HW (Li et al. 2017, arXiv:1701.01036), and is computed so, without a matrix of HW x HW. It
    has the value of TextBrewer's ``mmd_loss`` when each channel is one of its tokens, and, by the theorem cited, that
    of :func:`~automl_kd.distillation.functional.gram` on maps. The other view, where a sample is a channel over all
    positions, is that of :func:`~automl_kd.distillation.functional.nst`. Distributions may have different numbers of
    samples: sizes need not agree.

    Args:
        student: Map (B, C, H, W), or flattened (B, C, N).
        teacher: Map (B, C, H', W'), or flattened (B, C, N').

    Returns:
        A scalar.
    """
    return functional.mse_loss(correlations(student, student), correlations(teacher, teacher))


def _compare(part: MMD, student: Tensor, teacher: Tensor, context: StepContext) -> Tensor:
    return mmd(context.adapted(student), teacher)


SPEC = LOSS_SPECS.add(
    "mmd",
    LossSpec(
        part=MMD,
        kind="feature",
        inputs=MAPS,
        compare=_compare,
        scale="of the fourth degree in the features",
        zero_at_identity=True,
        paper="Huang & Wang 2017, arXiv:1707.01219",
        reference="TextBrewer mmd_loss of flattened maps",
        adapter=where_channels_differ(Projection),
    ),
)
