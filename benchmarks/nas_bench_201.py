"""NAS-Bench-201 cells (Dong and Yang 2020, arXiv:2001.00326) as networks, with latencies measured by others."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from published_latencies import Measured
from torch import nn

SHAPE = (3, 32, 32)
EDGES = ("op_e01", "op_e02", "op_e12", "op_e03", "op_e13", "op_e23")
COLUMNS = {
    ("jetson-nano", "tensorrt"): "latbench_jetson_nano_fp16",
    ("jetson-nano", "tensorflow"): "latbench_jetson_nano_fp32",
    ("pixel-4", "tflite-1-thread"): "nnmeter_cortexA76",
    ("snapdragon-855", "tflite-int8"): "latbench_sd855_cpu_int8",
    ("raspberry-pi-4", "tflite"): "help_raspi4",
    ("x86-server", "pytorch"): "help_gold_6226",
}
"""The target whose runtime each column was measured under."""
_SOURCES = {"latbench": "SamsungLabs/eagle", "nnmeter": "microsoft/nn-Meter", "help": "HayeonLee/HELP"}
_FOLDED = 0.1
"""Cells below these milliseconds lead nowhere: the runtime folded the network away."""


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


def network(operators: Sequence[str]) -> nn.Module:
    """The network around a cell: three stages of five cells at 16, 32 and 64 channels, input (3, 32, 32)."""
    layers: list[nn.Module] = [nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16)]
    for width in (16, 32, 64):
        if width > 16:
            layers.append(Reduction(width // 2))
        layers += [Cell(operators, width) for _ in range(5)]
    return nn.Sequential(
        *layers, nn.BatchNorm2d(64), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10)
    )


def cells(data: Path, column: str, choose: Callable[[int], npt.NDArray[np.integer]]) -> list[Measured]:
    """Cells of a column that lead from input to output.

    Args:
        data: Folder of published latencies.
        column: Of the table.
        choose: From how many there are to the positions of those that are wanted.
    """
    found = _column(data, column)
    source = _SOURCES[column.partition("_")[0]]
    return [_measured(*found[position], source) for position in choose(len(found))]


def leads_somewhere(operators: Sequence[str]) -> bool:
    """Whether the output depends on the input."""
    reached = {0}
    for (start, end), operator in zip(_ENDS, operators, strict=True):
        if operator != "none" and start in reached:
            reached.add(end)
    return 3 in reached


_ENDS = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))


def _measured(index: str, operators: tuple[str, ...], ms: float, source: str) -> Measured:
    with torch.device("meta"):
        return Measured(f"nas-bench-201 cell {index}", network(operators), SHAPE, ms, source)


@cache
def _column(data: Path, column: str) -> tuple[tuple[str, tuple[str, ...], float], ...]:
    with gzip.open(data / "nb201.csv.gz", "rt", newline="") as file:
        rows = [(row["arch_index"], tuple(row[edge] for edge in EDGES), row[column]) for row in csv.DictReader(file)]
    return tuple(
        (index, operators, float(ms))
        for index, operators, ms in rows
        if ms and float(ms) > _FOLDED and leads_somewhere(operators)
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
