"""Stored labels as numbers, one column a value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from automl_kd.core import UserError
from automl_kd.tasks.labels import Labels


def numbers(stored: Mapping[str, Labels]) -> tuple[tuple[str, ...], dict[str, Tensor]]:
    """The names of the values, and the values of every example, (N, D) float32.

    Raises:
        UserError: If a label is no finite number.
    """
    train = stored["train"]
    columns = {name: _values(labels) for name, labels in stored.items()}
    width = columns["train"].shape[1]
    for name, of_split in columns.items():
        if of_split.shape[1] != width:
            raise stored[name].unfit(f"the training {train.noun}s have {width} values")
    names = train.names() or (("value",) if width == 1 else tuple(f"value {number}" for number in range(width)))
    if len(names) != width:
        raise UserError(f"{train.place}: {len(names)} names for {width} values; there should be one each")
    return names, {name: torch.from_numpy(of_split) for name, of_split in columns.items()}


def _values(labels: Labels) -> NDArray[np.float32]:
    values = labels.values[:, None] if labels.values.ndim == 1 else labels.values
    if labels.cells:
        values = _spelled(labels, values)
    elif values.ndim != 2 or values.dtype.kind not in "iuf":
        raise labels.unfit("labels of a regression should be numbers (N,) or (N, values)")
    with np.errstate(over="ignore"):
        read = np.ascontiguousarray(values.astype(np.float32))
    strange = ~np.isfinite(read)
    if strange.any():
        index, column = np.argwhere(strange)[0]
        raise labels.wrong(int(index), f"{values[index, column]} is not a finite number; leave the {labels.noun} out")
    return read


def _spelled(labels: Labels, cells: NDArray[Any]) -> NDArray[np.float64]:
    values = np.empty(cells.shape, np.float64)
    names = labels.names()
    for (index, column), cell in np.ndenumerate(cells):
        try:
            values[index, column] = float(cell)
        except ValueError:
            said = f"column {names[column]} is {str(cell)!r}" if cell else f"column {names[column]} is empty"
            raise labels.wrong(index, f"{said}; a regression takes a number") from None
    return values
