"""An ONNX file as a teacher: logits only."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from automl_kd.errors import UserError
from automl_kd.files import sha256_of
from automl_kd.onnxio import Session
from automl_kd.students import Shape
from automl_kd.teachers._teacher import Outputs, Teacher


class SessionTeacher(Teacher):
    """Runs on the CPU, wherever the images are; it has no stages.

    Args:
        path: A network from images (B, C, H, W) to logits (B, classes).
        input_shape: Channels, height, width of an image.
        classes: Number of logits.

    Raises:
        UserError: If the file is missing, is no such network, or its shapes are others.
    """

    def __init__(self, path: Path, input_shape: Shape, classes: int) -> None:
        self._session = Session(path, threads=torch.get_num_threads())
        self._path = path
        self.input_shape = input_shape
        self.classes = classes
        self.device = torch.device("cpu")
        self.sha256 = sha256_of(path)
        for what, stated, needed in (
            ("takes images of shape", self._session.input_shape, input_shape),
            ("returns logits of shape", self._session.output_shape, (classes,)),
        ):
            if len(stated) != len(needed) or any(
                size not in (None, need) for size, need in zip(stated, needed, strict=True)
            ):
                raise UserError(f"{path} {what} {_spelled(stated)}; the task needs {_spelled(needed)}")

    def stage_names(self) -> tuple[str, ...]:
        return ()

    def outputs(self, images: Tensor, stages: Sequence[str] = ()) -> Outputs:
        if stages:
            raise self._no_stage(stages[0])
        logits = torch.from_numpy(self._session.run(images.detach().cpu().numpy()))
        return Outputs(logits.float().to(images.device), {})

    def feature_shapes(self, paths: Sequence[str] | None = None) -> dict[str, Shape]:
        if paths:
            raise self._no_stage(paths[0])
        return {}

    def input_gradients(self, images: Tensor) -> Tensor:
        raise UserError(f"{self._path} gives logits only: a loss on input gradients needs a teacher of layers")

    def to(self, device: torch.device | str) -> Teacher:
        return self

    def _no_stage(self, stage: str) -> UserError:
        return UserError(f"{self._path} gives logits only; no loss can use its stage {stage!r}")


def _spelled(shape: Sequence[int | None]) -> str:
    return "(" + ", ".join("any" if size is None else str(size) for size in shape) + ")"
