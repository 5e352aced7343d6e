"""Where answers are wrong: confusions of classes, labels that are missed, errors of values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from automl_kd.results import ClassRow, Confusion, ValueRow

LARGEST_MATRIX = 100
"""Classes of the largest confusion matrix that is given; of more, the largest confusions alone."""
_CONFUSIONS = 10
_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
_Counts = NDArray[np.int64]


def confusion_matrix(outputs: Tensor, labels: Tensor, classes: int) -> _Counts:
    """How often each class (row) is answered as each (column), (classes, classes).

    Args:
        outputs: Logits (N, classes, …).
        labels: Class numbers (N, …).
        classes: How many there are.
    """
    pairs = labels.long().flatten() * classes + outputs.argmax(dim=1).flatten()
    counts: _Counts = np.bincount(pairs.numpy(), minlength=classes**2).reshape(classes, classes)
    return counts


def class_rows(matrix: _Counts, names: Sequence[str]) -> tuple[ClassRow, ...]:
    """Each class of a confusion matrix."""
    return _rows(names, matrix.sum(axis=1), matrix.sum(axis=0), matrix.diagonal())


def confusions(matrix: _Counts, names: Sequence[str]) -> tuple[Confusion, ...]:
    """The largest confusions of a matrix, the most frequent first."""
    wrong = matrix - np.diag(matrix.diagonal())
    order = np.argsort(-wrong, axis=None, kind="stable")[:_CONFUSIONS]
    places = zip(*np.unravel_index(order, wrong.shape), strict=True)
    return tuple(
        Confusion(
            label=names[label],
            answer=names[answer],
            count=int(wrong[label, answer]),
            share=float(wrong[label, answer] / matrix[label].sum()),
        )
        for label, answer in places
        if wrong[label, answer]
    )


def label_rows(outputs: Tensor, labels: Tensor, names: Sequence[str]) -> tuple[ClassRow, ...]:
    """Each label of a multilabel problem.

    Args:
        outputs: Logits (N, labels, …); a label is answered where its logit is above 0.
        labels: Zeros and ones of the same shape.
        names: Of the labels.
    """
    answers, there = _by_column(outputs > 0), _by_column(labels > 0)
    return _rows(names, there.sum(axis=0), answers.sum(axis=0), (answers & there).sum(axis=0))


def value_rows(outputs: Tensor, labels: Tensor, names: Sequence[str]) -> tuple[ValueRow, ...]:
    """Each value of a regression.

    Args:
        outputs: Values (N, D, …), or (N,).
        labels: Of the same shape.
        names: Of the values.
    """
    errors = _by_column(outputs.double()) - _by_column(labels.double())
    return tuple(
        ValueRow(
            name=name,
            bias=float(column.mean()),
            rmse=float(np.sqrt((column**2).mean())),
            mae=float(np.abs(column).mean()),
            quantiles=tuple(np.quantile(column, _QUANTILES).tolist()),
            worst=float(np.abs(column).max()),
        )
        for name, column in zip(names, errors.T, strict=True)
    )


def _rows(names: Sequence[str], examples: _Counts, answered: _Counts, right: _Counts) -> tuple[ClassRow, ...]:
    counts = zip(names, examples.tolist(), answered.tolist(), right.tolist(), strict=True)
    return tuple(
        ClassRow(
            name=name,
            examples=there,
            answered=said,
            right=both,
            recall=both / there if there else None,
            precision=both / said if said else None,
        )
        for name, there, said, both in counts
    )


def _by_column(values: Tensor) -> NDArray[Any]:
    """Values (N, D, …) as (N ⋅ …, D)."""
    wide = values[:, None] if values.ndim == 1 else values
    array: NDArray[Any] = wide.movedim(1, -1).flatten(end_dim=-2).numpy()
    return array
