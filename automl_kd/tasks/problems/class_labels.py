"""Stored labels as numbers of classes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from automl_kd.core import UserError
from automl_kd.tasks.labels import Labels, in_order

_FEW = 5


def class_numbers(stored: Mapping[str, Labels]) -> tuple[tuple[str, ...], dict[str, Tensor]]:
    """The classes that the training split has, and the class of every example, int64 from 0.

    Raises:
        UserError: If labels are no classes, or a class is not in the training split.
    """
    flat = {name: _flat(labels) for name, labels in stored.items()}
    train = flat["train"]
    classes = np.unique(train.values)
    if train.cells:
        classes = np.array(in_order(set(classes.tolist())))
    return tuple(str(name) for name in classes), {name: _numbers(labels, classes) for name, labels in flat.items()}


def odd_classes(labels: Labels) -> tuple[str, ...]:
    """Warnings about labels that are whole numbers with gaps, or negative."""
    values = np.unique(labels.values)
    if values.dtype.kind not in "iu" or not len(values):
        return ()
    if values[0] < 0:
        said = f"{(labels.values < 0).sum()} labels are negative ({values[0]}) and count as a class of their own"
        return (f"{labels.title}: {said}; leave these {labels.noun}s out if they have no label",)
    missing = np.setdiff1d(np.arange(values[0], values[0] + min(2 * len(values), values[-1] - values[0])), values)
    if not len(missing) or len(missing) >= len(values) or values[-1] >= values[0] + 2 * len(values):
        return ()
    shown = ", ".join(map(str, missing[:_FEW])) + (", …" if len(missing) > _FEW else "")
    return (
        f"{labels.title}: labels go from {values[0]} to {values[-1]} and none is {shown}: there are"
        f" {len(values)} classes, where a teacher may count {values[-1] + 1}",
    )


def _flat(labels: Labels) -> Labels:
    if labels.values.ndim == 2 and labels.values.shape[1] == 1:
        labels = replace(labels, values=labels.values[:, 0])
    if labels.cells:
        _refuse_cells(labels)
    elif labels.values.ndim != 1 or labels.values.dtype.kind not in "iuUb":
        raise labels.unfit(f"labels should be (N,) of integers or text{_hint(labels.title, labels.values)}")
    return labels


def _refuse_cells(labels: Labels) -> None:
    if labels.values.ndim != 1:
        raise UserError(
            f"{labels.place}: data.label names {labels.values.shape[1]} columns, {', '.join(labels.names())};"
            " a multiclass problem takes one: name one, or say problem: multilabel or regression"
        )
    for index, cell in enumerate(labels.values):
        if not cell:
            raise labels.wrong(index, f"{labels.title} is empty; every {labels.noun} needs a class")
        if labels.separator in cell:
            raise labels.wrong(
                index,
                f"{labels.title} is {str(cell)!r}, a list of {cell.count(labels.separator) + 1}; a multiclass problem"
                " takes one label: say problem: multilabel, or another data.separator",
            )


def _hint(name: str, labels: NDArray[Any]) -> str:
    if labels.ndim == 2 and labels.dtype.kind in "iufb":
        if not np.isin(labels, (0, 1)).all():
            return "; for values say problem: regression" if labels.dtype.kind == "f" else ""
        if (labels.sum(axis=1) == 1).all():
            return f"; they are one-hot: store {name}.argmax(1)"
        return "; for any number of labels each say problem: multilabel"
    if labels.ndim == 1 and labels.dtype.kind == "f":
        whole = np.isfinite(labels).all() and (labels == np.round(labels)).all()
        return (
            f"; they are whole numbers: store {name}.astype(int)" if whole else "; for values say problem: regression"
        )
    return ""


def _numbers(labels: Labels, classes: NDArray[Any]) -> Tensor:
    strange = np.setdiff1d(labels.values, classes)
    if len(strange):
        raise UserError(
            f"{labels.place}: {labels.title} holds the class {strange[0]!s}, which no training {labels.noun} has"
        )
    order = np.argsort(classes, kind="stable")
    return torch.from_numpy(order[np.searchsorted(classes, labels.values, sorter=order)].astype(np.int64))
