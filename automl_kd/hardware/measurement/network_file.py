"""The ONNX file of a network, in the form in which a target is measured."""

from __future__ import annotations

import tempfile
from pathlib import Path

import onnx
import torch
from torch import nn

from automl_kd.core import Input
from automl_kd.hardware.profile_file import Target
from automl_kd.onnxio import Scheme, export, fold, quantise

_EXAMPLES = 4  # that ranges are found on; what they are changes no time


def write_network(module: nn.Module, path: Path, takes: Input, target: Target) -> Path:
    """Write a module for a target: quantised where that is measured on quantised files, else in floats.

    Args:
        module: The network.
        path: Where to.
        takes: What it takes.
        target: What it is to be measured on.

    Raises:
        UserError: If it cannot be exported, or not be folded into a graph.
    """
    if not (target.of_integers and target.from_files):
        return export(module, path, takes, target.opset)
    examples = takes.noise(_EXAMPLES, torch.Generator().manual_seed(0)).numpy()
    with tempfile.TemporaryDirectory() as scratch:
        floats = Path(scratch) / path.name
        onnx.save(fold(module, takes).model, floats)
        return quantise(floats, path, [examples], Scheme())
