"""What published networks are made of."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional

Activation = Callable[[], nn.Module]
Kernel = int | tuple[int, int]


def conv_bn(
    inputs: int,
    outputs: int,
    kernel: Kernel,
    stride: int = 1,
    groups: int = 1,
    act: Activation | None = nn.ReLU,
    valid: bool = False,
) -> nn.Sequential:
    """Convolution, padded to the same size unless ``valid``, batch normalisation and, where given, an activation."""
    sides = (kernel, kernel) if isinstance(kernel, int) else kernel
    padding = (0, 0) if valid else (sides[0] // 2, sides[1] // 2)
    layers: list[nn.Module] = [
        nn.Conv2d(inputs, outputs, sides, stride, padding, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
    ]
    return nn.Sequential(*layers, *([act()] if act else []))


def head(features: int, classes: int = 1000) -> list[nn.Module]:
    return [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(features, classes)]


def multiple_of(width: float, divisor: int = 8) -> int:
    """The nearest multiple of ``divisor`` that is at least 90 % of ``width``."""
    rounded = max(divisor, int(width + divisor / 2) // divisor * divisor)
    return rounded if rounded >= 0.9 * width else rounded + divisor


class Residual(nn.Module):
    """``act(body(x) + shortcut(x))``."""

    def __init__(self, body: nn.Module, shortcut: nn.Module | None = None, act: Activation | None = nn.ReLU) -> None:
        super().__init__()
        self.body, self.shortcut = body, shortcut or nn.Identity()
        self.act = act() if act else nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.act(self.body(x) + self.shortcut(x))
        return out


class DifferenceOfReLUs(nn.Module):
    """ReLU6 as converters to an early TensorRT write it, which had no clipping: ``relu(x) - relu(x - 6)``."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return functional.relu(x) - functional.relu(x - 6)


class Branches(nn.Module):
    """Every branch on the same input, concatenated over channels."""

    def __init__(self, *branches: nn.Module) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([branch(x) for branch in self.branches], 1)


class SqueezeExcite(nn.Module):
    """Hu et al. 2018: channels scaled by a two-layer network of their means."""

    def __init__(self, channels: int, hidden: int, act: Activation, gate: Activation) -> None:
        super().__init__()
        self.gate = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Conv2d(channels, hidden, 1), act(), nn.Conv2d(hidden, channels, 1), gate()
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = x * self.gate(x)
        return out


def shuffle(x: torch.Tensor, groups: int) -> torch.Tensor:
    """Channels of all groups interleaved."""
    n, c, h, w = x.shape
    return x.view(n, groups, c // groups, h, w).transpose(1, 2).reshape(n, c, h, w)
