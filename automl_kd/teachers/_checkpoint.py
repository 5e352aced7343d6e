"""State dicts of teachers: read without running what a file may hold, and loaded only where they fit."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from automl_kd.errors import UserError

# What training scripts wrap a state dict in.
_WRAPPERS = ("state_dict", "model")


def read_checkpoint(path: Path) -> dict[str, Tensor]:
    """The state dict in a ``.safetensors``, ``.pt`` or ``.pth`` file, on the CPU.

    Raises:
        UserError: If the file is missing, damaged, holds code or no state dict.
    """
    if not path.is_file():
        raise UserError(f"teacher file {path} does not exist")
    if path.suffix == ".safetensors":
        try:
            return safetensors.torch.load_file(path)
        except (safetensors.SafetensorError, OSError) as error:
            raise UserError(f"{path}: is damaged: {error}") from None
    try:
        content: Any = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise UserError(
            f"{path}: is damaged, or holds more than tensors and is not run; save its state_dict()"
        ) from None
    except (OSError, RuntimeError, EOFError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"{path}: cannot be read as a checkpoint: {reason}") from None
    for wrapper in _WRAPPERS:
        if isinstance(content, dict) and isinstance(content.get(wrapper), dict):
            content = content[wrapper]
    if not isinstance(content, dict) or not all(isinstance(value, Tensor) for value in content.values()):
        raise UserError(f"{path}: holds no state dict; save a module's state_dict()")
    return content


def fill(module: nn.Module, state: dict[str, Tensor], source: str, fitted: str) -> None:
    """Load a state dict that must fit.

    Args:
        module: What receives the weights.
        state: Tensors by name.
        source: Where they come from, for the error.
        fitted: What the module is, for the error.

    Raises:
        UserError: With the first tensor that is missing, has another shape, or belongs nowhere.
    """
    for name, expected in module.state_dict().items():
        if name not in state:
            raise UserError(f"{source}: lacks {name}, which {fitted} needs with shape {tuple(expected.shape)}")
        if state[name].shape != expected.shape:
            raise UserError(
                f"{source}: {name} has shape {tuple(state[name].shape)}, but {fitted} needs {tuple(expected.shape)}"
            )
    strange = [name for name in state if name not in module.state_dict()]
    if strange:
        raise UserError(f"{source}: holds {strange[0]}, which {fitted} does not have")
    module.load_state_dict(state)
