"""Precision and sizes that the losses share."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from automl_kd.core import Output


def full_precision(tensor: Tensor) -> Tensor:
    """Half precision to float32, in which every loss is computed; float32 and float64 as they are."""
    return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor


def in_units_of_labels(outputs: Tensor, output: Output) -> Tensor:
    """Values (B, width) with the mean and the deviation of their labels taken out; logits as they are."""
    if output.meaning != "real":
        return outputs
    values = full_precision(outputs)
    mean, std = (torch.tensor(each, dtype=values.dtype, device=values.device) for each in (output.mean, output.std))
    return (values - mean) / std


def pool_to_common(student: Tensor, teacher: Tensor) -> tuple[Tensor, Tensor]:
    """Feature maps (B, C, H, W) average-pooled to the smaller height and width of the two."""
    size = (min(student.shape[2], teacher.shape[2]), min(student.shape[3], teacher.shape[3]))
    return _pool(student, size), _pool(teacher, size)


def unit_rows(rows: Tensor) -> Tensor:
    """Rows (N, D) divided by their length; a row of zeros stays, with a gradient of 0.

    ``functional.normalize`` divides such a row by 1e-12, and with it the gradient.
    """
    squares = rows.square().sum(dim=1, keepdim=True)
    inverse = squares.where(squares > 0, 1.0).rsqrt()
    return rows * inverse.where(squares > 0, 0.0)


def _pool(features: Tensor, size: tuple[int, int]) -> Tensor:
    return features if features.shape[2:] == size else functional.adaptive_avg_pool2d(features, size)
