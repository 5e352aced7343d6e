"""Derivatives of a teacher's answer with respect to what it was shown."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from automl_kd.core import UserError


def input_gradients(outputs: Callable[[Tensor], Tensor], inputs: Tensor) -> Tensor:
    """Gradient of the largest output of each example with respect to that example.

    Examples do not meet in a network in evaluation mode, so one backward pass of the sum gives all of them.

    Args:
        outputs: Examples (B, …) to outputs (B, width), of which no parameter requires a gradient.
        inputs: (B, …); left without a gradient themselves.

    Returns:
        (B, …), in float32, itself without a gradient.

    Raises:
        UserError: If the inputs are ids, which have no gradient.
    """
    if not inputs.is_floating_point():
        raise UserError("this teacher takes ids: a loss on input gradients needs inputs of values")
    with torch.inference_mode(False), torch.enable_grad():
        shown = inputs.detach().clone().requires_grad_()
        (gradients,) = torch.autograd.grad(outputs(shown).max(dim=1).values.sum(), shown)
    return gradients.float()
