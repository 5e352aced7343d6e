"""NAS-Bench-201 cells (Dong and Yang 2020, arXiv:2001.00326) as networks."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

SHAPE = (3, 32, 32)
"""Of their input."""


class Zero(nn.Module):
    """The operator ``none``: what it gives depends on nothing, and a runtime may or may not see that."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.mul(0.0)


class Cell(nn.Module):
    """Four nodes; each sums its edges from all nodes before it."""

    def __init__(self, operators: Sequence[str], width: int) -> None:
        super().__init__()
        self.edges = nn.ModuleList(_edge(operator, width) for operator in operators)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        nodes, edges = [x], iter(self.edges)
        for _ in range(3):
            nodes.append(sum(next(edges)(node) for node in nodes))  # type: ignore[arg-type]
        return nodes[-1]


class Reduction(nn.Module):
    """The residual block between two stages: half the size, twice the width."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(*_convolution(width, 2 * width, 3, 2), *_convolution(2 * width, 2 * width, 3, 1))
        self.shortcut = nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(width, 2 * width, 1, bias=False))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.shortcut(x) + self.body(x)
        return out


def network(operators: Sequence[str], cells: int = 5) -> nn.Module:
    """The network around a cell: three stages of so many cells at 16, 32 and 64 channels, input (3, 32, 32)."""
    layers: list[nn.Module] = [nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16)]
    for width in (16, 32, 64):
        if width > 16:
            layers.append(Reduction(width // 2))
        layers += [Cell(operators, width) for _ in range(cells)]
    return nn.Sequential(
        *layers, nn.BatchNorm2d(64), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10)
    )


def _edge(operator: str, width: int) -> nn.Module:
    if operator == "none":
        return Zero()
    if operator == "skip_connect":
        return nn.Identity()
    if operator == "avg_pool_3x3":
        return nn.AvgPool2d(3, 1, 1, count_include_pad=False)
    return nn.Sequential(*_convolution(width, width, 3 if operator == "nor_conv_3x3" else 1, 1))


def _convolution(inputs: int, outputs: int, kernel: int, stride: int) -> list[nn.Module]:
    return [
        nn.ReLU(),
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
    ]
