"""The number format in which a network computes in training."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch

from automl_kd.core import UserError
from automl_kd.recipes import Precision

_BFLOAT16 = ("avx512_bf16", "amx_bf16", "bf16", "sve_bf16")
"""The capabilities of a CPU, as torch names them, any of which multiplies in bfloat16."""


def autocast(precision: Precision | None, torch_device: torch.device) -> AbstractContextManager[object]:
    """A context, used again at every step, in which a forward pass computes in a precision.

    Args:
        precision: ``train.precision`` of a recipe; None for bfloat16 on CUDA and float32 elsewhere.
        torch_device: Where it is computed.

    Raises:
        UserError: If this CPU has no bfloat16, which it could imitate only slowly.
    """
    if precision == "float32" or (precision is None and torch_device.type != "cuda"):
        return nullcontext()
    if torch_device.type == "cpu" and not has_bfloat16():
        raise UserError(
            "train.precision: this CPU does not compute in bfloat16 (AVX-512 BF16, AMX or Armv8.6 would):"
            " leave it out, or use float32"
        )
    return torch.autocast(torch_device.type, torch.bfloat16)


def has_bfloat16() -> bool:
    """Whether this machine's CPU multiplies in bfloat16."""
    capabilities = torch.cpu.get_capabilities()
    return any(capabilities.get(name, False) for name in _BFLOAT16)
