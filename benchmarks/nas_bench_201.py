"""NAS-Bench-201 cells as networks, with latencies measured by others."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from cell_networks import SHAPE, network
from published_latencies import Measured

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


def columns(data: Path) -> list[str]:
    """Names of the columns with latencies."""
    with gzip.open(data / "nb201.csv.gz", "rt", newline="") as file:
        names = csv.DictReader(file).fieldnames or []
    return [name for name in names if name.partition("_")[0] in _SOURCES]


def leads_somewhere(operators: Sequence[str]) -> bool:
    """Whether the output depends on the input."""
    reached = {0}
    for (start, end), operator in zip(_ENDS, operators, strict=True):
        if operator != "none" and start in reached:
            reached.add(end)
    return 3 in reached


_ENDS = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))


def _measured(index: str, operators: tuple[str, ...], ms: float, source: str) -> Measured:
    name = f"nas-bench-201 cell {index}"
    with torch.device("meta"):
        return Measured(name, name, "nas-bench-201", network(operators), SHAPE, ms, source)


@cache
def _column(data: Path, column: str) -> tuple[tuple[str, tuple[str, ...], float], ...]:
    with gzip.open(data / "nb201.csv.gz", "rt", newline="") as file:
        rows = [(row["arch_index"], tuple(row[edge] for edge in EDGES), row[column]) for row in csv.DictReader(file)]
    return tuple(
        (index, operators, float(ms))
        for index, operators, ms in rows
        if ms and float(ms) > _FOLDED and leads_somewhere(operators)
    )
