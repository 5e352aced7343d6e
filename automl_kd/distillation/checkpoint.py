"""The whole state of a run in one file that holds no code."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from automl_kd.core import UserError, replacing


@dataclass(frozen=True)
class Checkpoint:
    """A run between two steps.

    Attributes:
        identity: What must agree for the run to go on: recipe, task, teacher and length of the schedule.
        step: Steps taken since the start.
        student: Its state dict.
        adapters: State dict of the adapters.
        optimizer: State dict of the optimizer.
        rng: State of torch's CPU generator, uint8.
        cuda_rng: State of the CUDA generator, or None where there was none.
        objective: Losses of the epoch under way or, between epochs, the last; balance and health of the losses.
        seconds: Time spent in training.
        average: Averages of the student's weights by name, or None where none are kept.
        quantised: What is learned beside the weights of a student that is trained with integers, or None.
    """

    identity: dict[str, str]
    step: int
    student: dict[str, Any]
    adapters: dict[str, Any]
    optimizer: dict[str, Any]
    rng: Tensor
    cuda_rng: Tensor | None
    objective: dict[str, Any]
    seconds: float
    average: dict[str, Any] | None = None
    quantised: dict[str, Any] | None = None


def save(checkpoint: Checkpoint, path: Path) -> None:
    """Write a checkpoint atomically: readers see the old state or the new one, even after a loss of power."""
    content = io.BytesIO()
    torch.save(vars(checkpoint), content)  # vars, because asdict would copy every tensor
    with replacing(path) as draft:
        draft.write_bytes(content.getbuffer())  # not by torch, which does not report a full disk


def load(path: Path, identity: Mapping[str, str], torch_device: torch.device) -> Checkpoint:
    """The checkpoint in a file, of the run that ``identity`` describes, with its tensors on ``torch_device``.

    Raises:
        UserError: If the file cannot be read, or belongs to another run.
    """
    try:
        checkpoint = Checkpoint(**torch.load(path, map_location=torch_device, weights_only=True))
    except Exception as error:  # torch.load raises a type of its own for each way to be damaged
        raise UserError(
            f"checkpoint {path}: cannot be read ({type(error).__name__}); delete it to start afresh"
        ) from error
    for name, expected in identity.items():
        found = checkpoint.identity.get(name)
        if found != expected:
            raise UserError(
                f"checkpoint {path}: belongs to another run, its {name} is {found} and should be {expected};"
                " use another path, or delete it to start afresh"
            )
    return checkpoint
