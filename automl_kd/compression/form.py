"""A student in the form of its file: what is scored where no module computes what the file does."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from automl_kd.onnxio import Session
from automl_kd.students import Plan


class FileForm(nn.Module):
    """An ONNX file as a module: inputs (B, …) to outputs (B, width), computed by onnxruntime on the CPU.

    Args:
        path: The file, which is read at once and may go afterwards.
        plan: What it costs.
        threads: Of onnxruntime.
    """

    def __init__(self, path: Path, plan: Plan, threads: int = 1) -> None:
        super().__init__()
        self.plan = plan
        self._session = Session(path, threads)

    def forward(self, inputs: Tensor) -> Tensor:
        return torch.from_numpy(self._session.run(inputs.detach().cpu().numpy())).to(inputs.device)
