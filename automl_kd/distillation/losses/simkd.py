"""The teacher's last map behind a projector that is delivered (SimKD; Chen et al. 2022, arXiv:2203.14001)."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from automl_kd.distillation.losses.inputs import MAPS
from automl_kd.distillation.losses.spec import LOSS_SPECS, LossSpec, StepContext
from automl_kd.distillation.losses.tensors import full_precision, pool_to_common
from automl_kd.recipes import Recipe
from automl_kd.recipes.losses import Loss


class SimKD(Loss):
    """The teacher's last map behind the student's projector, and the teacher's classifier (Chen et al. 2022).

    arXiv:2203.14001. Needs ``student.projector`` with as many channels as the teacher's last map.
    """

    def check(self, recipe: Recipe) -> None:
        if getattr(recipe.student, "projector", None) is None:
            raise ValueError(
                "distill.losses.simkd delivers its projector, which is part of the student: give student.projector,"
                " with as many channels as the teacher's last map"
            )


def simkd(s_map: Tensor, t_map: Tensor) -> Tensor:
    """Mean over all elements of (s - t)² on the last map, the form of the authors' code.

    The projector, which gives the student's map the teacher's channels, and the teacher's classifier behind it are part
    of the student: nothing here is trained.

    Args:
        s_map: Map (B, C, H, W) of the student's projector.
        t_map: The teacher's last map (B, C, H', W'); the larger of the two maps is average-pooled to the smaller.

    Returns:
        A scalar.
    """
    return functional.mse_loss(*pool_to_common(full_precision(s_map), full_precision(t_map)))


def _compare(part: SimKD, student: Tensor, teacher: Tensor, context: StepContext) -> Tensor:
    return simkd(student, teacher)


SPEC = LOSS_SPECS.add(
    "simkd",
    LossSpec(
        part=SimKD,
        kind="feature",
        inputs=MAPS,
        compare=_compare,
        scale="quadratic in the teacher's features",
        zero_at_identity=True,
        paper="Chen et al. 2022, arXiv:2203.14001",
        reference="the authors' SimKD",
    ),
)
