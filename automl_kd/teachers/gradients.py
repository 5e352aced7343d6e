"""Derivatives of a teacher's answer with respect to what it was shown."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def input_gradients(logits: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
    """Gradient of the largest logit of each image with respect to that image.

    Images do not meet in a network in evaluation mode, so one backward pass of the sum gives all of them.

    Args:
        logits: Images (B, C, H, W) to logits (B, classes), of which no parameter requires a gradient.
        images: (B, C, H, W); left without a gradient themselves.

    Returns:
        (B, C, H, W), in float32, itself without a gradient.
    """
    with torch.inference_mode(False), torch.enable_grad():
        shown = images.detach().clone().requires_grad_()
        (gradients,) = torch.autograd.grad(logits(shown).max(dim=1).values.sum(), shown)
    return gradients.float()
