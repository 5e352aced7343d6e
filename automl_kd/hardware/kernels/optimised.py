"""Let onnxruntime's own optimiser say which operators it executes as one kernel."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import onnx
from torch import nn

from automl_kd.core import Input, UserError, first_line, unknown
from automl_kd.hardware.kernels.graph import Graph, Shape
from automl_kd.hardware.kernels.onnx_file import load
from automl_kd.hardware.kernels.onnx_inputs import settle_inputs
from automl_kd.hardware.kernels.onnx_shapes import Shapes
from automl_kd.hardware.kernels.read_onnx import graph_of
from automl_kd.onnxio import export, onnxruntime

_LEVELS: Mapping[str, str] = {
    "basic": "ORT_ENABLE_BASIC",
    "extended": "ORT_ENABLE_EXTENDED",
    "all": "ORT_ENABLE_ALL",
}
_INLINE = 1 << 30  # bytes; protobuf stores at most two gigabytes in one file


def optimised_graph(path: str | Path, input_shape: tuple[int, ...] | None, level: str = "extended") -> Graph:
    """The kernels that onnxruntime executes on a CPU; every operator of the graph is one, and nothing more fuses.

    Args:
        path: As for ``read_onnx``.
        input_shape: As for ``read_onnx``.
        level: ``basic``: constants folded, redundant operators removed; ``extended``: fused as on ARM; ``all``: in
            the blocked layout that onnxruntime chooses for the processor it runs on, which on x86 adds reorders.

    Raises:
        UserError: As ``read_onnx``, if there is no such level, or if onnxruntime cannot load the model.
    """
    if level not in _LEVELS:
        raise unknown("optimisation level", level, _LEVELS)
    file = load(path)
    settled = settle_inputs(file, input_shape)
    before = Shapes(file, settled)
    with tempfile.TemporaryDirectory() as folder:
        shapes = {name: shape for name, (_, shape) in settled.items()}
        optimised = load(optimised_file(Path(path), shapes, level, Path(folder)))
    # A fused operator writes what the last of its parts wrote, under the same name.
    optimised = replace(optimised, recorded=before.types(), parameters=file.parameters)
    return graph_of(optimised, Shapes(optimised, settled))


def optimised_module_graph(module: nn.Module, takes: Input, opset: int, level: str = "extended") -> Graph:
    """As ``optimised_graph``, of the file that the project exports for a module.

    Args:
        module: With weights; onnxruntime folds them.
        takes: What it takes.
        opset: Of the file, 11 to 21.
        level: As for ``optimised_graph``.

    Raises:
        UserError: As ``optimised_graph`` and ``onnxio.export``.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = export(module, Path(folder) / "module.onnx", takes, opset)
        return optimised_graph(path, None, level)


def optimised_file(path: Path, shapes: Mapping[str, Shape], level: str, folder: Path) -> Path:
    """Write the optimised model into a folder; sizes are settled first, since open ones prevent fusions.

    Args:
        path: An ONNX file.
        shapes: Of inputs that the file leaves open.
        level: As for ``optimised_graph``.
        folder: Of the result.

    Raises:
        UserError: If onnxruntime cannot load the model.
    """
    model = onnx.load(path)
    for value in model.graph.input:
        for dim, size in zip(value.type.tensor_type.shape.dim, shapes.get(value.name, ()), strict=False):
            dim.dim_value = size
    del model.graph.value_info[:]
    for output in model.graph.output:
        output.type.tensor_type.ClearField("shape")
    settled, result = folder / "settled.onnx", folder / "optimised.onnx"
    large = model.ByteSize() > _INLINE
    onnx.save(model, settled, save_as_external_data=large, location="weights.bin")
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, _LEVELS[level])
    options.optimized_model_filepath = str(result)
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    options.add_session_config_entry("session.disable_prepacking", "1")
    if large:
        options.add_session_config_entry("session.optimized_model_external_initializers_file_name", "optimised.bin")
    try:
        onnxruntime.InferenceSession(str(settled), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises a dozen unrelated types of its own
        raise UserError(f"onnxruntime cannot run {path}: {first_line(error)}") from error
    return result
