"""The precision in which losses are computed."""

from __future__ import annotations

import torch
from torch import Tensor


def wide(outputs: Tensor) -> Tensor:
    """Outputs at least in float32."""
    return outputs if outputs.dtype in (torch.float32, torch.float64) else outputs.float()
