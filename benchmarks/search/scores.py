"""SynFlow of the cells of NAS-Bench-201, untrained: computed once, then kept in the cache."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from automl_kd.core import Input, cache_dir
from automl_kd.students import synflow
from benchmarks.cell_networks import SHAPE, network
from benchmarks.search import kept
from benchmarks.search.cells import Cell, bench, cell_of


def compute(devices: Sequence[str], workers: int) -> None:
    """Compute what is not kept yet: a tenth of a second a cell."""
    cells = {"|".join(cell): (cell,) for device in devices for cell in bench(device).cells}
    _file().parent.mkdir(parents=True, exist_ok=True)
    kept.run(_score, cells, argparse.Namespace(results=_file(), workers=workers))
    _scores.cache_clear()


def features(candidates: Sequence[dict[str, Any]]) -> NDArray[np.float64]:
    """The score of each candidate, shape (n, 1)."""
    return np.array([[_scores()["|".join(cell_of(params))]] for params in candidates])


def _score(cell: Cell) -> float:
    """With one cell a stage, which ranks them as five do and takes a fifth of the time."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    return synflow(network(cell, cells=1), Input.of_images(SHAPE))


@cache
def _scores() -> dict[str, float]:
    return kept.read(_file())


def _file() -> Path:
    return cache_dir() / "benchmarks" / "synflow-nas-bench-201.jsonl"
