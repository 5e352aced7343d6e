"""Values for every input of an ONNX file, so that it can be timed without data."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx

from automl_kd.core import UserError
from automl_kd.hardware.kernels.graph import Shape
from automl_kd.hardware.kernels.onnx_file import load
from automl_kd.hardware.kernels.onnx_inputs import settle_inputs


def made_up(
    path: str | Path, input_shape: Shape | None = None, inputs: Mapping[str, Shape] | None = None
) -> dict[str, npt.NDArray[Any]]:
    """An array for every input of a file, by name.

    Real numbers are standard normal. Integers and booleans are 1: a token that every vocabulary has, a position that
    every mask keeps, and no divisor of zero.

    Args:
        path: An ONNX file.
        input_shape: Shape of one input without the batch axis, where the file leaves sizes open.
        inputs: Whole shapes by name.

    Raises:
        UserError: If the file is no ONNX model, a size stays open or is contradicted, or an input holds no numbers.
    """
    draw = np.random.default_rng(0)
    return {name: _values(draw, *fed) for name, fed in fed_inputs(path, input_shape, inputs).items()}


def fed_inputs(
    path: str | Path, input_shape: Shape | None = None, inputs: Mapping[str, Shape] | None = None
) -> dict[str, tuple[Shape, np.dtype[Any]]]:
    """Whole shape and type of the numbers of every input of a file, by name.

    Args, errors: As :func:`made_up`.
    """
    file = load(path)
    settled = settle_inputs(file, input_shape, inputs)
    return {name: (shape, _numbers(file.path, name, element)) for name, (element, shape) in settled.items()}


def _numbers(path: Path, name: str, element: int) -> np.dtype[Any]:
    """The type of an input's numbers."""
    if element in _FED:
        return onnx.helper.tensor_dtype_to_np_dtype(element)
    called = onnx.TensorProto.DataType.Name(element).lower()
    fed = ", ".join(onnx.TensorProto.DataType.Name(each).lower() for each in sorted(_FED))
    raise UserError(f"{path}: input {name!r} holds {called}; what can be made up to measure a model is {fed}")


def _values(draw: np.random.Generator, shape: Shape, numbers: np.dtype[Any]) -> npt.NDArray[Any]:
    if numbers.kind != "f":
        return np.ones(shape, numbers)
    return draw.standard_normal(math.prod(shape), dtype=np.float32).reshape(shape).astype(numbers)


_FED = frozenset(
    {
        *(onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE, onnx.TensorProto.FLOAT16, onnx.TensorProto.BOOL),
        *(onnx.TensorProto.INT8, onnx.TensorProto.INT16, onnx.TensorProto.INT32, onnx.TensorProto.INT64),
        *(onnx.TensorProto.UINT8, onnx.TensorProto.UINT16, onnx.TensorProto.UINT32, onnx.TensorProto.UINT64),
    }
)
