"""Layers that several families share."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from automl_kd.core import Output
from automl_kd.recipes.students import Projector
from automl_kd.students.plans import PROJECTOR, Block, Shape


class ConvNorm(nn.Sequential):
    """Convolution without bias, batch normalisation and an activation (or none): (B, C, H, W) to (B, C', H', W')."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int = 1,
        stride: int = 1,
        groups: int = 1,
        activation: type[nn.Module] | None = nn.ReLU,
    ) -> None:
        conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
        if not conv.weight.is_meta:  # a meta tensor has no numbers, and drawing none of them still takes milliseconds
            nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
        layers: list[nn.Module] = [conv, nn.BatchNorm2d(outputs)]
        if activation is not None:
            layers.append(activation())
        super().__init__(*layers)


@dataclass(frozen=True)
class Projection(Block):
    """A bottleneck to other channels at the same size, as SimKD delivers it (Chen et al. 2022, arXiv:2203.14001)."""

    channels: int
    hidden: int

    @property
    def output_shape(self) -> Shape:
        return (self.channels, *self.input_shape[1:])

    def build(self) -> nn.Module:
        return nn.Sequential(
            ConvNorm(self.input_shape[0], self.hidden),
            ConvNorm(self.hidden, self.hidden, 3),
            ConvNorm(self.hidden, self.channels),
        )


def ending(shape: Shape, output: Output, projector: Projector | None) -> tuple[tuple[str, tuple[Block, ...]], ...]:
    """The stages that follow the last map of a network: the projector, where there is one, and the classifier."""
    if projector is None:
        return (("head", (head(shape, output),)),)
    projection = Projection(shape, projector.channels, max(1, projector.channels // projector.reduction))
    return ((PROJECTOR, (projection,)), ("head", (head(projection.output_shape, output),)))


def head(shape: Shape, output: Output) -> Block:
    """The last block of a network: from its last map to its outputs."""
    return Classifier(shape, output.width)


@dataclass(frozen=True)
class Classifier(Block):
    """Global average pool and a linear layer to the logits."""

    classes: int

    @property
    def output_shape(self) -> Shape:
        return (self.classes, 1, 1)

    def build(self) -> nn.Module:
        return PoolLinear(self.input_shape[0], self.classes)


class PoolLinear(nn.Module):
    """(B, C, H, W) to logits (B, classes)."""

    def __init__(self, inputs: int, classes: int) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.linear = nn.Linear(inputs, classes)

    def forward(self, features: Tensor) -> Tensor:
        logits: Tensor = self.linear(self.pool(features).flatten(1))
        return logits
