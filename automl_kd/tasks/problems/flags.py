"""Stored labels as zeros and ones, one column a label."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from automl_kd.core import UserError
from automl_kd.tasks.labels import Labels, in_order


def flags(stored: Mapping[str, Labels]) -> tuple[tuple[str, ...], dict[str, Tensor]]:
    """The names of the labels, and for every example which of them it has, (N, L) float32.

    Raises:
        UserError: If labels are no zeros and ones and no lists, or name a label that the training split has not.
    """
    train = stored["train"]
    if train.cells and train.values.ndim == 1:
        return _of_lists(stored)
    columns = {name: _zeros_and_ones(labels) for name, labels in stored.items()}
    width = columns["train"].shape[1]
    for name, of_split in columns.items():
        if of_split.shape[1] != width:
            raise stored[name].unfit(f"the training {train.noun}s have {width} labels")
    names = train.names() or tuple(f"label {number}" for number in range(width))
    if len(names) != width:
        raise UserError(f"{train.place}: {len(names)} names for {width} labels; there should be one each")
    return names, {name: torch.from_numpy(of_split) for name, of_split in columns.items()}


def _zeros_and_ones(labels: Labels) -> NDArray[np.float32]:
    values = labels.values
    if labels.cells:
        strange = ~np.isin(values, ("0", "1"))
        if strange.any():
            index, column = np.argwhere(strange)[0]
            said = f"column {labels.names()[column]} is {str(values[index, column])!r}"
            raise labels.wrong(int(index), f"{said}; a multilabel problem takes 0 or 1 in each of several columns")
        flagged: NDArray[np.float32] = (values == "1").astype(np.float32)
        return flagged
    if values.ndim != 2 or values.dtype.kind not in "iufb":
        raise labels.unfit("labels of a multilabel problem should be zeros and ones (N, labels)")
    strange = ~np.isin(values, (0, 1))
    if strange.any():
        index, column = np.argwhere(strange)[0]
        raise labels.wrong(
            int(index), f"{values[index, column]} in column {column}; a multilabel problem takes zeros and ones"
        )
    return np.ascontiguousarray(values.astype(np.float32))


def _of_lists(stored: Mapping[str, Labels]) -> tuple[tuple[str, ...], dict[str, Tensor]]:
    listed = {name: [_listed(labels, cell) for cell in labels.values] for name, labels in stored.items()}
    names = in_order({label for each in listed["train"] for label in each})
    if not names:
        train = stored["train"]
        raise UserError(f"{train.place}: {train.title} is empty in every training {train.noun}; there are no labels")
    place = {name: column for column, name in enumerate(names)}
    columns = {}
    for split, lists in listed.items():
        flagged = torch.zeros(len(lists), len(names))
        for index, each in enumerate(lists):
            for label in each:
                if label not in place:
                    noun = stored[split].noun
                    raise stored[split].wrong(index, f"the label {label!r}, which no training {noun} has")
                flagged[index, place[label]] = 1
        columns[split] = flagged
    return names, columns


def _listed(labels: Labels, cell: Any) -> list[str]:
    return [label.strip() for label in str(cell).split(labels.separator) if label.strip()]
