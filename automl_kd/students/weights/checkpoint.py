"""Files of weights: read without running what a file may hold, and loaded only where they fit."""

from __future__ import annotations

import pickle
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from automl_kd.core import UserError
from automl_kd.students.weights.state_dict import find_state, main_state, same

_POINTER = b"version https://git-lfs"
_SAYING = (RuntimeError, ValueError)  # the errors of torch's reader that say what is wrong with a file
_REFUSED = re.compile(r"GLOBAL ([\w.]+)")  # how torch names what it does not unpickle


class UnfitWeightsError(UserError):
    """Weights that can be read, and are those of another network."""


def load_weights(module: nn.Module, path: Path, fitted: str) -> tuple[str, tuple[str, ...]]:
    """Fill a module from a checkpoint as training code writes it.

    The weights may lie under any keys and behind any prefix, beside optimizer states and whatever else is plain data;
    :func:`find_state` says which are taken where several fit.

    Args:
        module: What receives the weights.
        path: A file of torch or of safetensors.
        fitted: What the module is, for the error.

    Returns:
        Where in the file they were, in words, empty where it holds nothing else; and what a user should know of it.

    Raises:
        UserError: If the file is missing, damaged, holds code or no state dict, or none that fits: with the first
            tensor that is missing, has another shape, or belongs nowhere.
    """
    expected = module.state_dict()
    found = find_state(_content(path), expected)
    if not found:
        raise UserError(f"{path}: holds no state dict; save a module's state_dict()")
    best, *others = found
    state = {name: tensor for name, tensor in expected.items() if name.endswith("num_batches_tracked")} | best.state
    fill(module, state, f"{path} ({best.where})" if best.where else str(path), fitted)
    unused = [other.where or "the file as such" for other in others if not same(best, other)]
    if not unused:
        return best.where, ()
    return best.where, (
        f"{path}: weights {best.where or 'of the file as such'} are taken, and others that fit are not"
        f" ({'; '.join(unused)}); to learn from those, save them alone",
    )


def read_checkpoint(path: Path) -> dict[str, Tensor]:
    """The tensors by name in a file that holds nothing else, on the CPU.

    Raises:
        UserError: If the file is missing, damaged, or holds anything else.
    """
    content = _content(path)
    if not isinstance(content, dict) or not all(isinstance(value, Tensor) for value in content.values()):
        raise UserError(f"{path}: holds no state dict; save a module's state_dict()")
    return content


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors by name of the network that a checkpoint is about, wherever in the file they are, on the CPU.

    Raises:
        UserError: If the file is missing, damaged, holds code, or no state dict.
    """
    state = main_state(_content(path))
    if not state:
        raise UserError(f"{path}: holds no state dict; save a module's state_dict()")
    return state


def fill(module: nn.Module, state: Mapping[str, Tensor], source: str, fitted: str) -> None:
    """Load a state dict that must fit.

    Args:
        module: What receives the weights.
        state: Tensors by name.
        source: Where they come from, for the error.
        fitted: What the module is, for the error.

    Raises:
        UnfitWeightsError: With the first tensor that is missing, has another shape, or belongs nowhere.
    """
    expected = module.state_dict()
    for name, wanted in expected.items():
        if name not in state:
            other = next((each for each in state if each not in expected), None)
            instead = f" (it holds {other} instead)" if other else ""
            raise UnfitWeightsError(
                f"{source}: lacks {name}, which {fitted} needs with shape {tuple(wanted.shape)}{instead}"
            )
        if state[name].shape != wanted.shape:
            raise UnfitWeightsError(
                f"{source}: {name} has shape {tuple(state[name].shape)}, but {fitted} needs {tuple(wanted.shape)}"
            )
    strange = [name for name in state if name not in expected]
    if strange:
        raise UnfitWeightsError(f"{source}: holds {strange[0]}, which {fitted} does not have")
    module.load_state_dict(state)


def _content(path: Path) -> Any:
    if not path.is_file():
        raise UserError(f"{path} does not exist")
    with path.open("rb") as file:
        if file.read(len(_POINTER)) == _POINTER:
            raise UserError(f"{path}: is a pointer of Git LFS and not the weights: fetch them with git lfs pull")
    if path.suffix.lower() == ".safetensors":
        try:
            return safetensors.torch.load_file(path)
        except (safetensors.SafetensorError, OSError) as error:
            raise UserError(f"{path}: is damaged: {error}") from None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of formats that are old, and read all the same
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise _pickled(path, error) from None
    except Exception as error:  # the reader raises what its many parts raise
        # The first sentence: those that follow may advise to run what the file holds.
        said = str(error).splitlines()[0].split(". ")[0] if str(error) and isinstance(error, _SAYING) else ""
        reason = said or (
            "it is empty" if path.stat().st_size == 0 else "it is no file of torch.save, or a damaged one"
        )
        raise UserError(f"{path}: cannot be read as a checkpoint: {reason}") from None


def _pickled(path: Path, error: pickle.UnpicklingError) -> UserError:
    refused = _REFUSED.search(str(error))
    if refused is None:
        return UserError(f"{path}: is damaged, or holds more than tensors and is not run; save its state_dict()")
    return UserError(
        f"{path}: holds more than tensors ({refused[1]}), and is not run; where you trust it, load it with"
        " torch.load(FILE, weights_only=False) and save its state_dict() alone"
    )
