"""Exits at earlier stages learn from the network's own end (Zhang et al. 2019, arXiv:1905.08094)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from pydantic import Field
from torch import Tensor, nn

from automl_kd.core import Output, UserError
from automl_kd.distillation.losses.inputs import EXITS, Pair, Shape
from automl_kd.distillation.losses.kd import soft_targets
from automl_kd.distillation.losses.spec import ANY, LOSS_SPECS, BuildContext, LossSpec, StepContext
from automl_kd.distillation.losses.tensors import full_precision
from automl_kd.recipes.losses import FeatureLoss, StagePair
from automl_kd.recipes.schedules import Temperature
from automl_kd.tasks import Problem


class SelfDistillation(FeatureLoss):
    """Exits at earlier stages learn from the student's own outputs (Zhang et al. 2019, arXiv:1905.08094)."""

    at: tuple[str | StagePair, ...] = Field(default=("all",), min_length=1)
    temperature: Temperature = 3.0


def self_distillation(
    exits: Sequence[tuple[Tensor, Tensor]],
    end: tuple[Tensor, Tensor],
    *,
    labels: Tensor,
    problem: Problem,
    alpha: float = 0.1,
    beta: float = 0.1,
    temperature: float | Tensor = 3.0,
) -> Tensor:
    """Mean over exits of (1 - α) task loss(exit, labels) + α T² KL(end ‖ exit) + β mean (exit's - end's feature)².

    The task loss is the task's own, for classes cross-entropy; KL is in the form of ``kd`` that fits the outputs. The
    end takes no gradient. α = 0.1 and T = 3 are those of the authors' code. Its third term sums squares over batch and
    channels with a weight of 1e-6; with their batches of 128 and 512 to 2,048 channels that is a mean with 0.07 to
    0.26, and β = 0.1 here, whatever the sizes. Their mask, which leaves out features that are 0 on both sides, changes
    no square.

    Args:
        exits: Of every exit the outputs (B, width) and the features (B, D).
        end: The same of the network's end.
        labels: As the task stores them, or blended ones (B, width).
        problem: What the outputs mean, and the task's own loss.
        alpha: Share of the end's distribution.
        beta: Weight of the features.
        temperature: T > 0: a number, a scalar tensor that may take a gradient, or (B,), one for each sample.

    Returns:
        A scalar.
    """
    last_outputs, last_features = (full_precision(each).detach() for each in end)
    losses = [
        (1 - alpha) * problem.loss(outputs, labels)
        + alpha * soft_targets(outputs, last_outputs, problem.output, temperature=temperature)
        + beta * (full_precision(features) - last_features).square().mean()
        for outputs, features in exits
    ]
    return torch.stack(losses).mean()


class Exit(nn.Module):
    """A head at an earlier stage: a map (B, C, H, W) to outputs (B, width) and features (B, D).

    A depthwise-separable convolution, with stride 2 where the map is larger than the last one, the spatial mean, and a
    linear layer: a light form of the paper's bottlenecks. Values come in the labels' unit, as a student's do.
    """

    mean: Tensor | None
    std: Tensor | None

    def __init__(self, shape: Shape, last: Shape, output: Output) -> None:
        super().__init__()
        stride = 2 if shape[1] > last[1] else 1
        self.features = nn.Sequential(
            nn.Conv2d(shape[0], shape[0], 3, stride, 1, groups=shape[0], bias=False),
            nn.BatchNorm2d(shape[0]),
            nn.Conv2d(shape[0], last[0], 1, bias=False),
            nn.BatchNorm2d(last[0]),
            nn.ReLU(inplace=True),
        )
        self.linear = nn.Linear(last[0], output.width)
        for name, numbers in (("mean", output.mean), ("std", output.std)):
            # Copied into tensors of the current device, which may be the meta device.
            found = torch.empty(len(numbers)).copy_(torch.tensor(numbers, device="cpu")) if numbers else None
            self.register_buffer(name, found, persistent=False)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        mean = self.features(full_precision(features)).mean(dim=(2, 3))
        outputs = self.linear(mean)
        if self.mean is not None and self.std is not None:
            outputs = outputs * self.std + self.mean
        return outputs, mean


class Exits(nn.ModuleList):
    """An exit at every stage but the deepest: maps from the input to the output to what each exit says."""

    def forward(self, maps: Sequence[Tensor]) -> list[tuple[Tensor, Tensor]]:
        return [head(features) for head, features in zip(self, maps, strict=True)]


def _compare(part: SelfDistillation, student: tuple[Tensor, ...], labels: Tensor, context: StepContext) -> Tensor:
    assert context.adapter is not None
    *earlier, last, outputs = student
    end = outputs, last.mean(dim=(2, 3))
    return self_distillation(
        context.adapter(earlier), end, labels=labels, problem=context.problem, temperature=context.temperature
    )


def _adapter(part: SelfDistillation, pairs: tuple[Pair, ...], context: BuildContext) -> Exits:
    shapes = [pair.student_shape for pair in pairs]
    if len(shapes) < 2:
        raise UserError(
            "distill.losses.self_distillation.at: names one stage and needs two or more,"
            " the deepest of which has no exit: use all"
        )
    return Exits(Exit(shape, shapes[-1], context.signature.output) for shape in shapes[:-1])


SPEC = LOSS_SPECS.add(
    "self_distillation",
    LossSpec(
        part=SelfDistillation,
        kind="logit",
        inputs=EXITS,
        compare=_compare,
        scale="of the task's loss; the soft part grows with T², features count squared",
        zero_at_identity=False,
        paper="Zhang et al. 2019, arXiv:1905.08094",
        reference="the authors' be-your-own-teacher, with lighter exits",
        adapter=_adapter,
        takes=ANY,
    ),
)
