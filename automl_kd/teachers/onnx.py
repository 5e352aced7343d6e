"""An ONNX file as a teacher: outputs only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from automl_kd.core import Signature, UserError
from automl_kd.onnxio import Session
from automl_kd.students import Shape
from automl_kd.teachers.answers import OpenedTeacher
from automl_kd.teachers.batches import Batches
from automl_kd.teachers.onnx_card import Layout
from automl_kd.teachers.teacher import Outputs, Teacher

_LARGEST_BATCH = 4_096  # a session cuts what it is given once more


class SessionTeacher(OpenedTeacher):
    """Runs on the CPU, wherever the inputs are; it has no stages.

    Args:
        session: A network of that signature, its input laid out as ``layout`` says.
        layout: Of its input.
        signature: What it takes and answers.
        sha256: Hash of the file and of what is read from it.
        batch: How many examples it takes at a time, None where any number.
    """

    def __init__(self, session: Session, layout: Layout, signature: Signature, sha256: str, batch: int | None) -> None:
        self._session = session
        self._layout = layout
        self._batches = Batches(batch or 1, batch or _LARGEST_BATCH)
        self.signature = signature
        self.device = torch.device("cpu")
        self.sha256 = sha256

    def stage_names(self) -> tuple[str, ...]:
        return ()

    def outputs(self, inputs: Tensor, stages: Sequence[str] = ()) -> Outputs:
        if stages:
            raise self._no_stage(stages[0])
        parts = [self._answer(part) for part in torch.split(inputs.detach().cpu(), self._batches.most)]
        return Outputs(self.answers(torch.cat(parts)).to(inputs.device), {})

    def feature_shapes(self, paths: Sequence[str] | None = None) -> dict[str, Shape]:
        if paths:
            raise self._no_stage(paths[0])
        return {}

    def input_gradients(self, inputs: Tensor) -> Tensor:
        raise UserError(f"{self._session.path} gives outputs only: a loss on input gradients needs a teacher of layers")

    def to(self, device: torch.device | str) -> Teacher:
        return self

    def _answer(self, inputs: Tensor) -> Tensor:
        fed = fed_to(self._session, self._layout, self._batches.padded(inputs))
        return torch.from_numpy(self._session.run(fed)).float().reshape(len(fed), -1)[: len(inputs)]

    def _no_stage(self, stage: str) -> UserError:
        return UserError(f"{self._session.path} gives outputs only; no loss can use its stage {stage!r}")


def fed_to(session: Session, layout: Layout, inputs: Tensor) -> NDArray[Any]:
    """Examples (B, …) as a session takes them."""
    values: NDArray[Any] = (inputs.permute(0, 2, 3, 1) if layout.last else inputs).numpy()
    if not np.issubdtype(session.dtype, np.integer):
        return values
    limits = np.iinfo(session.dtype)  # a cast would cut off what is behind the point, and wrap around
    whole: NDArray[Any] = np.clip(np.rint(values), limits.min, limits.max)
    return whole.astype(session.dtype)
