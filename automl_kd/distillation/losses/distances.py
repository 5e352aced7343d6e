"""Distances within a batch, without the tensor of differences."""

from __future__ import annotations

import torch
from torch import Tensor

from automl_kd.distillation.losses.tensors import full_precision


def squared_distances(embeddings: Tensor) -> Tensor:
    """|e_i - e_j|² (B, B) of embeddings (B, D), exactly 0 where rounding cannot tell two apart.

    Distances do not see a translation, and centring takes the common offset out of the cancellation in |e_i|² + |e_j|²
    - 2 <e_i, e_j>. Otherwise the rest that rounding leaves between equal embeddings would be divided by itself.
    """
    centred = full_precision(embeddings)
    centred = centred - centred.mean(dim=0)
    gram = centred @ centred.T
    lengths = gram.diagonal()
    sums = lengths.unsqueeze(1) + lengths
    squares = sums - 2 * gram
    rounding = 8 * torch.finfo(gram.dtype).eps * sums
    return torch.where(squares > rounding, squares, 0.0)
