"""Outputs of submodules as feature maps, those of transformers included."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from torch import Tensor


def tokens_to_map(tokens: Tensor) -> Tensor:
    """The tokens of a transformer laid out as the square grid of patches that they came from.

    N tokens are h·w patches, with h·w the largest square not above N, after a prefix of class, distillation or register
    tokens, which is dropped. Published vision transformers put them first (Dosovitskiy et al. 2020, arXiv:2010.11929;
    Touvron et al. 2021, arXiv:2012.12877).

    >>> tokens_to_map(torch.zeros(2, 197, 768)).shape
    torch.Size([2, 768, 14, 14])

    Args:
        tokens: (B, N, D), N ≥ 1.

    Returns:
        (B, D, h, w).
    """
    side = math.isqrt(tokens.shape[1])
    patches = tokens[:, tokens.shape[1] - side * side :]
    return patches.transpose(1, 2).reshape(len(tokens), -1, side, side)


def first_tensor(output: Any) -> Tensor | None:
    """A tensor, or the first element of a tuple, a list or a mapping if that is one; else None."""
    if isinstance(output, Mapping):
        output = next(iter(output.values()), None)
    elif isinstance(output, tuple | list):
        output = output[0] if output else None
    return output if isinstance(output, Tensor) else None


def as_map(output: Any) -> Tensor | None:
    """What a submodule returned as a map (B, C, H, W), or None where it is not one.

    Tokens (B, N, D) are laid out by :func:`tokens_to_map`; a vector (B, D) is a map of one pixel.
    """
    value = first_tensor(output)
    if value is None or 0 in value.shape or not value.is_floating_point():
        return None
    if value.ndim == 4:
        return value
    if value.ndim == 3:
        return tokens_to_map(value)
    return value[:, :, None, None] if value.ndim == 2 else None
