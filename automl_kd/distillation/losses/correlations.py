"""Products of channels, averaged over the positions of a map."""

from __future__ import annotations

from torch import Tensor

from automl_kd.distillation.losses.tensors import full_precision


def correlations(first: Tensor, second: Tensor) -> Tensor:
    """F₁ F₂ᵀ / N, (B, C₁, C₂), of features (B, C, N) or maps (B, C, H, W) with N = HW positions in common."""
    x, y = full_precision(first).flatten(2), full_precision(second).flatten(2)
    return x @ y.transpose(1, 2) / x.shape[2]
