"""A student's weights as a file that holds no code."""

from __future__ import annotations

from pathlib import Path

import safetensors.torch

from automl_kd.core import replacing
from automl_kd.students.student import StudentModule


def save_weights(student: StudentModule, path: Path) -> None:
    """Write a student's weights as safetensors, whole or not at all."""
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in student.state_dict().items()}
    with replacing(path) as draft:
        draft.write_bytes(safetensors.torch.save(state))


def load_weights(student: StudentModule, path: Path) -> StudentModule:
    """Give a student the weights that :func:`save_weights` wrote; returns it, in evaluation mode.

    Raises:
        RuntimeError: If the weights are those of another architecture.
        FileNotFoundError: If there is no such file.
    """
    student.load_state_dict(safetensors.torch.load(path.read_bytes()))
    return student.eval()
