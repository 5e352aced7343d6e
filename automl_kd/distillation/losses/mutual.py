"""Two students that learn from each other (DML; Zhang et al. 2018, arXiv:1706.00384)."""

from __future__ import annotations

from torch import Tensor, nn

from automl_kd.distillation.losses.inputs import PEER, Pair
from automl_kd.distillation.losses.kd import soft_targets
from automl_kd.distillation.losses.spec import ANY, LOSS_SPECS, BuildContext, LossOutput, LossSpec, StepContext
from automl_kd.recipes.losses import Loss
from automl_kd.recipes.schedules import Temperature
from automl_kd.recipes.students import Student
from automl_kd.students import build
from automl_kd.tasks import Problem


class Mutual(Loss):
    """A peer trained alongside, each learning from the other (DML; Zhang et al. 2018, arXiv:1706.00384).

    ``student`` is what the peer is, by default the same as the student with weights of its own.
    """

    student: Student | None = None
    temperature: Temperature = 1.0


def mutual(
    student: Tensor, peer: Tensor, *, labels: Tensor, problem: Problem, temperature: float | Tensor = 1.0
) -> LossOutput:
    """T² KL(peer ‖ student) for the student; the task's own loss and T² KL(student ‖ peer) for the peer.

    Equations 4 to 8 of the paper for two networks, with KL(q ‖ p) = Σ q log(q / p); for labels and values it is that of
    ``kd_bernoulli`` and ``kd_real``. The distribution that is learned from takes no gradient on either side. The paper
    has T = 1; T² is that of ``kd``. A temperature that is learned takes its gradient from the student's part.

    Args:
        student: Outputs (B, width).
        peer: Outputs (B, width) of the network trained alongside.
        labels: As the task stores them, or blended ones (B, width).
        problem: What the outputs mean, and the task's own loss: for classes, cross-entropy.
        temperature: T > 0: a number, a scalar tensor that may take a gradient, or (B,), one for each sample.

    Returns:
        Two scalars in nats: what the student learns by, and what the peer does.
    """
    fixed = temperature.detach() if isinstance(temperature, Tensor) else temperature
    return LossOutput(
        loss=soft_targets(student, peer.detach(), problem.output, temperature=temperature),
        adapter_loss=problem.loss(peer, labels)
        + soft_targets(peer, student.detach(), problem.output, temperature=fixed),
    )


def _compare(part: Mutual, student: Tensor, inputs: Tensor, context: StepContext) -> LossOutput:
    assert context.adapter is not None
    # Another loss may differentiate the student by its inputs; the peer is no part of that.
    peer = context.adapter(inputs.detach())
    return mutual(student, peer, labels=context.labels, problem=context.problem, temperature=context.temperature)


def _adapter(part: Mutual, pairs: tuple[Pair, ...], context: BuildContext) -> nn.Module:
    peer = build(part.student or context.student, context.signature, allow_code=context.allow_code)
    return peer.to(memory_format=context.memory_format)  # type: ignore[call-overload, no-any-return]


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
        takes=ANY,
        labels=lambda part: True,
    ),
)
