"""A quantised ONNX file as a TensorFlow Lite file of integers: the same integers, scales and zero points."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from automl_kd.core import import_extra
from automl_kd.onnxio.qdq import read_integers
from automl_kd.onnxio.session import load_model
from automl_kd.onnxio.tflite_file import TFLiteFile
from automl_kd.onnxio.tflite_operators import Writing

TFLITE = "student.tflite"
"""What a delivery calls the file."""
COMMAND = f"python -m automl_kd.onnxio student.onnx {TFLITE}"
"""What converts a delivery later."""


def litert() -> Any:
    """LiteRT, which reads and writes these files.

    Raises:
        UserError: If it is not installed.
    """
    return import_extra("ai_edge_litert.interpreter", "tflite", "a TensorFlow Lite file")


def to_tflite(source: str | Path, target: str | Path) -> Path:
    """Convert a quantised file, whose images have their channels last then and are integers, as its answers are.

    Nothing is calibrated anew: every tensor keeps its scale and its zero point.

    Args:
        source: A quantised ONNX file (QDQ).
        target: Where the file goes; appears whole.

    Returns:
        ``target``.

    Raises:
        UserError: If LiteRT is not installed, or an operator has no counterpart in integers.
    """
    graph = read_integers(load_model(source))
    file = TFLiteFile()
    into = Writing(file)
    takes = into.number(graph.takes, graph.takes.name.removesuffix("_QuantizeLinear_Output"))
    for step in graph.steps:
        into.write(step)
    answers = into.number(graph.answers)
    file.write(Path(target), takes, answers if graph.unit is None else into.in_unit(graph.answers, graph.unit))
    return Path(target)


class TFLiteSession:
    """A TensorFlow Lite file of integers under LiteRT on the CPU, from floats to floats as its ONNX file is.

    Args:
        path: The file.

    Raises:
        UserError: If LiteRT is not installed.
    """

    def __init__(self, path: str | Path) -> None:
        interpreters = litert()
        # A delegate would say on the screen that it is there.
        kernels = interpreters.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        self._interpreter: Any = interpreters.Interpreter(
            model_path=str(path), num_threads=1, experimental_op_resolver_type=kernels
        )

    def run(self, inputs: NDArray[Any]) -> NDArray[Any]:
        """Inputs (N, C, H, W) to answers (N, width)."""
        interpreter = self._interpreter
        takes, answers = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
        maps = inputs.transpose(0, 2, 3, 1) if inputs.ndim == 4 else inputs
        interpreter.resize_tensor_input(takes["index"], maps.shape)
        interpreter.allocate_tensors()
        (scale, zero), (unit, origin) = takes["quantization"], answers["quantization"]
        interpreter.set_tensor(takes["index"], np.clip(np.rint(maps / scale) + zero, -128, 127).astype(np.int8))
        interpreter.invoke()
        found = interpreter.get_tensor(answers["index"]).astype(np.float32)
        if unit == 0:  # floats
            return np.asarray(found)
        return np.asarray((found - origin) * unit, np.float32)
