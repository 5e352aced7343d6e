"""Layers that several families share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor, nn

from automl_kd.core import Output
from automl_kd.recipes.students import Projector
from automl_kd.students.plans import HEAD, PROJECTOR, Block, Shape


class ConvNorm(nn.Sequential):
    """Convolution without bias, batch normalisation and an activation (or none): (B, C, H, W) to (B, C', H', W')."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int | tuple[int, int] = 1,
        stride: int | tuple[int, int] = 1,
        groups: int = 1,
        activation: type[nn.Module] | None = nn.ReLU,
    ) -> None:
        padding = kernel // 2 if isinstance(kernel, int) else (kernel[0] // 2, kernel[1] // 2)
        conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, groups=groups, bias=False)
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
    """The stages that follow the last map of a network: the projector, where there is one, and the head."""
    if projector is None:
        return ((HEAD, (head(shape, output),)),)
    projection = Projection(shape, projector.channels, max(1, projector.channels // projector.reduction))
    return ((PROJECTOR, (projection,)), (HEAD, (head(projection.output_shape, output),)))


def head(shape: Shape, output: Output) -> Block:
    """The last block of a network: from its last map to its outputs."""
    if output.meaning == "real":
        return Regression(shape, output.mean, output.std)
    return Classifier(shape, output.width)


@dataclass(frozen=True)
class Classifier(Block):
    """Global average pool and a linear layer to logits: of one distribution over all, or of a yes or no each."""

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


@dataclass(frozen=True)
class Regression(Block):
    """Global average pool and a linear layer to real values in the labels' unit.

    Attributes:
        mean: Of the training labels, one a value; what is learned has a mean of 0.
        std: Their standard deviations; what is learned has one of 1.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]

    @property
    def output_shape(self) -> Shape:
        return (len(self.mean), 1, 1)

    def build(self) -> nn.Module:
        return PoolValues(self.input_shape[0], self.mean, self.std)


class PoolValues(nn.Module):
    """(B, C, H, W) to values (B, width) in the labels' unit."""

    def __init__(self, inputs: int, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        # A convolution, because exporters and runtimes fold what follows into one, and not into a linear layer.
        self.project = nn.Conv2d(inputs, len(mean), 1)
        self.unit = LabelUnit(mean, std)

    def forward(self, features: Tensor) -> Tensor:
        values: Tensor = self.unit(self.project(self.pool(features)))
        return values.flatten(1)


def label_units(module: nn.Module) -> tuple[str, ...]:
    """The paths of the layers of a network that bring what is learned to the unit of the labels."""
    return tuple(path for path, each in module.named_modules() if isinstance(each, LabelUnit | Scaled))


class LabelUnit(nn.BatchNorm2d):
    """``std * x + mean`` by channel, never trained: a batch normalisation that stays in evaluation.

    As one it is folded into the convolution before it wherever batch normalisation is, and costs nothing there.

    Args:
        mean: Of the labels, one a channel.
        std: Their standard deviations.
    """

    def __init__(self, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        super().__init__(len(mean), eps=0.0, affine=False)
        del self.weight, self.bias  # they are none of what is trained
        self.register_buffer("weight", torch.tensor(std))
        self.register_buffer("bias", torch.tensor(mean))
        self.eval()

    def train(self, mode: bool = True) -> Self:
        """Stays in evaluation."""
        return super().train(False)

    def forward(self, values: Tensor) -> Tensor:
        # Under autocast in float32, too: bfloat16 has no room for a mean of many standard deviations.
        return super().forward(values.float() if values.dtype in (torch.float16, torch.bfloat16) else values)

    def apart(self) -> Scaled:
        """The same as a layer that is not folded into the one before."""
        found = Scaled(tuple(self.bias.tolist()), tuple(self.weight.tolist()), maps=True)
        return found.to(self.weight.device)


@dataclass(frozen=True)
class Unit(Block):
    """Values (B, width) with mean 0 and standard deviation 1 to values in the labels' unit."""

    mean: tuple[float, ...]
    std: tuple[float, ...]

    @property
    def output_shape(self) -> Shape:
        return (len(self.mean), 1, 1)

    def build(self) -> nn.Module:
        return Scaled(self.mean, self.std)


class Scaled(nn.Module):
    """``std * x + mean`` by column; not folded into what is before it.

    Args:
        mean: Of the labels, one a column.
        std: Their standard deviations.
        maps: Whether x is maps (B, width, 1, 1) and no rows (B, width).
    """

    mean: Tensor
    std: Tensor

    def __init__(self, mean: tuple[float, ...], std: tuple[float, ...], maps: bool = False) -> None:
        super().__init__()
        shape = (-1, 1, 1) if maps else (-1,)
        self.register_buffer("mean", torch.tensor(mean).view(shape))
        self.register_buffer("std", torch.tensor(std).view(shape))

    def forward(self, values: Tensor) -> Tensor:
        return values * self.std + self.mean
