"""Two students that learn from each other (DML; Zhang et al. 2018, arXiv:1706.00384)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from automl_kd.distillation.losses.inputs import PEER, Pair
from automl_kd.distillation.losses.kd import kd
from automl_kd.distillation.losses.spec import LOSS_SPECS, BuildContext, LossOutput, LossSpec, StepContext
from automl_kd.distillation.losses.task import cross_entropy
from automl_kd.recipes.losses import Loss
from automl_kd.recipes.schedules import Temperature
from automl_kd.recipes.students import Student
from automl_kd.students import build


class Mutual(Loss):
    """A peer trained alongside, each learning from the other (DML; Zhang et al. 2018, arXiv:1706.00384).

    ``student`` is what the peer is, by default the same as the student with weights of its own.
    """

    student: Student | None = None
    temperature: Temperature = 1.0


def mutual(student: Tensor, peer: Tensor, *, labels: Tensor, temperature: float | Tensor = 1.0) -> LossOutput:
    """T² KL(peer ‖ student) for the student; cross-entropy with the labels and T² KL(student ‖ peer) for the peer.

    Equations 4 to 8 of the paper for two networks, with KL(q ‖ p) = Σ q log(q / p). The distribution that is learned
    from takes no gradient on either side. The paper has T = 1; T² is that of :func:`kd`. A temperature that is learned
    takes its gradient from the student's part.

    Args:
        student: Logits (B, C).
        peer: Logits (B, C) of the network trained alongside.
        labels: Classes (B,) int64, or distributions (B, C).
        temperature: T > 0: a number, a scalar tensor that may take a gradient, or (B,), one for each sample.

    Returns:
        Two scalars in nats: what the student learns by, and what the peer does.
    """
    fixed = temperature.detach() if isinstance(temperature, Tensor) else temperature
    return LossOutput(
        loss=kd(student, peer.detach(), temperature=temperature),
        adapter_loss=cross_entropy(peer, labels) + kd(peer, student.detach(), temperature=fixed),
    )


def _compare(part: Mutual, student: Tensor, images: Tensor, context: StepContext) -> LossOutput:
    assert context.adapter is not None
    # Another loss may differentiate the student by the images; the peer is no part of that.
    peer = context.adapter(images.detach())
    return mutual(student, peer, labels=context.labels, temperature=context.temperature)


def _adapter(part: Mutual, pairs: tuple[Pair, ...], context: BuildContext) -> nn.Module:
    peer = build(
        part.student or context.student,
        input_shape=context.input_shape,
        classes=context.classes,
        allow_code=context.allow_code,
    )
    return peer.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


SPEC = LOSS_SPECS.add(
    "mutual",
    LossSpec(
        part=Mutual,
        kind="logit",
        inputs=PEER,
        compare=_compare,
        scale="grows with T² at most; divided by the batch",
        zero_at_identity=True,
        paper="Zhang et al. 2018, arXiv:1706.00384",
        reference="the paper's equations 4 to 8",
        adapter=_adapter,
    ),
)
