"""A TensorFlow Lite file while it is written: tensors and operators in the order of execution."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from automl_kd.core import import_extra, replacing

_TYPES = {"int8": "INT8", "int32": "INT32", "float32": "FLOAT32"}
_NEEDS = "a TensorFlow Lite file"
_NEW_CODES = 127
"""Codes of operators from here on do not fit the field that old readers read."""


def schema() -> ModuleType:
    """The format of the file as classes.

    Raises:
        UserError: If LiteRT is not installed.
    """
    return import_extra("ai_edge_litert.schema_py_generated", "tflite", _NEEDS)


class TFLiteFile:
    """Collects one graph."""

    def __init__(self) -> None:
        self.schema = schema()
        self._graph = self.schema.SubGraphT()
        self._graph.tensors, self._graph.operators = [], []
        self._buffers = [self.schema.BufferT()]  # the first is that of all tensors without values
        self._codes: dict[tuple[str, int], int] = {}

    def tensor(
        self,
        name: str,
        shape: tuple[int, ...],
        values: NDArray[Any] | None = None,
        scale: NDArray[np.float32] | None = None,
        zero: int = 0,
        axis: int = 0,
        type: str = "int8",
    ) -> int:
        """Add a tensor.

        Args:
            name: Its name.
            shape: With a batch of one.
            values: Of a constant.
            scale: One, or one for each place of ``axis``; None where it is no quantised one.
            zero: The integer that stands for 0.
            axis: Of the scales.
            type: Of its values, where they are not given.

        Returns:
            Its number.
        """
        found = self.schema.TensorT()
        found.name, found.shape, found.buffer = name, list(shape), 0
        found.type = getattr(self.schema.TensorType, _TYPES[type if values is None else values.dtype.name])
        if values is not None:
            buffer = self.schema.BufferT()
            buffer.data = np.frombuffer(np.ascontiguousarray(values).tobytes(), np.uint8)
            found.buffer = len(self._buffers)
            self._buffers.append(buffer)
        if scale is not None:
            found.quantization = self.schema.QuantizationParametersT()
            found.quantization.scale = scale.astype(np.float32)
            found.quantization.zeroPoint = np.full(len(scale), zero, np.int64)
            found.quantization.quantizedDimension = axis
        self._graph.tensors.append(found)
        return len(self._graph.tensors) - 1

    def operator(
        self, code: str, version: int, inputs: list[int], output: int, options: str | None = None, **fields: Any
    ) -> None:
        """Add an operator.

        Args:
            code: ``CONV_2D``.
            version: The one that computes with integers of 8 bits.
            inputs: Numbers of tensors.
            output: Number of the tensor that it makes.
            options: The class of its options, without its ending: ``Conv2DOptions``.
            fields: Of the options.
        """
        found = self.schema.OperatorT()
        found.opcodeIndex = self._codes.setdefault((code, version), len(self._codes))
        found.inputs, found.outputs = inputs, [output]
        if options is not None:
            found.builtinOptionsType = getattr(self.schema.BuiltinOptions, options)
            found.builtinOptions = getattr(self.schema, f"{options}T")()
            for name, value in fields.items():
                setattr(found.builtinOptions, name, value)
        self._graph.operators.append(found)

    def write(self, path: Path, takes: int, answers: int) -> None:
        """Write the file, whole."""
        self._graph.inputs, self._graph.outputs = [takes], [answers]
        model = self.schema.ModelT()
        model.version, model.description = 3, "made of a quantised ONNX file"
        model.subgraphs, model.buffers = [self._graph], self._buffers
        model.operatorCodes = [self._code(*each) for each in self._codes]
        builder = import_extra("flatbuffers", "tflite", _NEEDS).Builder(1024)
        builder.Finish(model.Pack(builder), b"TFL3")
        with replacing(path) as draft:
            draft.write_bytes(bytes(builder.Output()))

    def _code(self, name: str, version: int) -> Any:
        found = self.schema.OperatorCodeT()
        found.builtinCode = getattr(self.schema.BuiltinOperator, name)
        found.deprecatedBuiltinCode = min(found.builtinCode, _NEW_CODES)
        found.version = version
        return found
