"""Attention of products and a softmax, for opsets that torch's exporter has no scaled dot-product attention of."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from unittest.mock import patch

import torch
from torch import Tensor
from torch.nn import functional

_SINCE = 14
"""The first opset that the exporter writes it in."""


@contextlib.contextmanager
def plain_attention(opset: int) -> Iterator[None]:
    """Inside, what torch's ``nn.functional`` calls attention is computed by its parts, in its own layers, too.

    Args:
        opset: That is exported to; nothing changes where the exporter knows attention.
    """
    if opset >= _SINCE:
        yield
        return
    fused = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with patch.object(functional, "scaled_dot_product_attention", _attention):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)


def _attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """``softmax(query key^T scale + mask) value``, without dropout.

    Args:
        query: (…, N, D).
        key: (…, M, D).
        value: (…, M, E).
        attn_mask: Added to the scores (…, N, M), or true where they count.
        dropout_p: Without effect in evaluation.
        is_causal: Whether the n-th query looks at the first n keys alone.
        scale: By default ``1 / sqrt(D)``.
        enable_gqa: Whether heads of queries share keys and values.
    """
    if enable_gqa:
        heads = query.shape[-3] // key.shape[-3]
        key, value = key.repeat_interleave(heads, -3), value.repeat_interleave(heads, -3)
    scores = (query * (1 / math.sqrt(int(query.shape[-1])) if scale is None else scale)) @ key.transpose(-2, -1)
    if is_causal:
        attn_mask = torch.ones(int(query.shape[-2]), int(key.shape[-2]), dtype=torch.bool, device=key.device).tril()
    if attn_mask is not None:
        hides = attn_mask.dtype == torch.bool
        scores = scores.masked_fill(~attn_mask, -math.inf) if hides else scores + attn_mask
    return scores.softmax(-1) @ value
