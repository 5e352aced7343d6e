"""The spatial energy of a map: where its activations are large."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional


def spatial_energy(features: Tensor) -> Tensor:
    """The mean over the channels of the squared map (B, C, H, W), L2-normalised: (B, HW); zero for a map of zeros."""
    return functional.normalize(features.square().mean(dim=1).flatten(1))
