"""A student's weights as a file that holds no code."""

from __future__ import annotations

import json
from pathlib import Path

import safetensors
import safetensors.torch

from automl_kd.core import Range, replacing
from automl_kd.students.student import StudentModule


def save_weights(student: StudentModule, path: Path) -> None:
    """Write a student's weights as safetensors, whole or not at all; the ranges that it has learned as metadata."""
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in student.state_dict().items()}
    with replacing(path) as draft:
        draft.write_bytes(safetensors.torch.save(state, _metadata(student)))


def load_weights(student: StudentModule, path: Path) -> StudentModule:
    """Give a student the weights that :func:`save_weights` wrote; returns it, in evaluation mode.

    Raises:
        RuntimeError: If the weights are those of another architecture.
        FileNotFoundError: If there is no such file.
    """
    student.load_state_dict(safetensors.torch.load(path.read_bytes()))
    with safetensors.safe_open(path, "pt") as file:
        stored = json.loads((file.metadata() or {}).get(_RANGES, "{}"))
    student.ranges = {name: Range(scale, zero_point) for name, (scale, zero_point) in stored.items()}
    return student.eval()


_RANGES = "ranges"


def _metadata(student: StudentModule) -> dict[str, str] | None:
    ranges = {name: (each.scale, each.zero_point) for name, each in student.ranges.items()}
    return {_RANGES: json.dumps(ranges)} if ranges else None
