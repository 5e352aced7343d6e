"""Channel-wise distillation (CWD; Shu et al. 2021, arXiv:2011.13256)."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from automl_kd.distillation.adapters import Projection
from automl_kd.distillation.losses.channels import where_channels_differ
from automl_kd.distillation.losses.inputs import MAPS
from automl_kd.distillation.losses.spec import LOSS_SPECS, LossSpec, StepContext
from automl_kd.distillation.losses.tensors import full_precision, pool_to_common
from automl_kd.recipes.losses import FeatureLoss
from automl_kd.recipes.schedules import Positive


class ChannelWise(FeatureLoss):
    """Where each channel looks (Shu et al. 2021, arXiv:2011.13256)."""

    temperature: Positive = 4.0


def channel_wise(s_map: Tensor, t_map: Tensor, *, temperature: float = 4.0) -> Tensor:
    """T² / (B·C) · Σ KL(q ‖ p), where each channel's softmax over its HW positions is q (teacher) and p (student).

    The form of mmrazor's ``ChannelWiseDivergence``. Both distributions stay in log space: a probability that underflows
    then contributes 0, not NaN. Blind to a shift of any channel of either side.

    Args:
        s_map: Map (B, C, H, W).
        t_map: Map (B, C, H', W'); the larger of the two maps is average-pooled to the smaller.
        temperature: T > 0.

    Returns:
        A scalar in nats, times T².
    """
    student, teacher = pool_to_common(full_precision(s_map), full_precision(t_map))
    log_p, log_q = (functional.log_softmax(each.flatten(2) / temperature, dim=2) for each in (student, teacher))
    divergence = functional.kl_div(log_p, log_q, reduction="sum", log_target=True)
    return divergence * (temperature**2 / (student.shape[0] * student.shape[1]))


def _compare(part: ChannelWise, student: Tensor, teacher: Tensor, context: StepContext) -> Tensor:
    return channel_wise(context.adapted(student), teacher, temperature=part.temperature)


SPEC = LOSS_SPECS.add(
    "channel_wise",
    LossSpec(
        part=ChannelWise,
        kind="feature",
        inputs=MAPS,
        compare=_compare,
        scale="grows with T² at most; divided by batch and channels",
        zero_at_identity=True,
        paper="Shu et al. 2021, arXiv:2011.13256",
        reference="mmrazor ChannelWiseDivergence",
        adapter=where_channels_differ(Projection),
        spatial=True,
    ),
)
