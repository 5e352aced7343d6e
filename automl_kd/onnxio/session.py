"""Run an ONNX file on the CPU with everything that affects its time and values set explicitly."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

from automl_kd.core import UserError
from automl_kd.onnxio.runtime import onnxruntime

_BATCH = 64


class Session:
    """One ONNX file under onnxruntime's CPU provider.

    Intra-operator threads are explicit, inter-operator threads are 1, and operators run one after another, so that two
    sessions with equal arguments do equal work.

    Args:
        path: A model with one input ``(N, *input_shape)`` and at least one output.
        threads: Threads inside one operator.
        output: The tensor that is returned, an output or one inside the graph; by default the first output.

    Attributes:
        path: The file.
        opset: Version of the standard operators that it uses.
        outputs: Names of its outputs.
        metadata: What its author wrote into it, by key.

    Raises:
        UserError: If the file is missing, is not an ONNX model, or cannot be run by onnxruntime.
    """

    def __init__(self, path: str | Path, threads: int = 1, output: str | None = None) -> None:
        model = load_model(path)
        self.outputs = tuple(each.name for each in model.graph.output)
        self.metadata = {entry.key: entry.value for entry in model.metadata_props}
        content = None
        if output is not None and output not in self.outputs:
            model.graph.output.append(onnx.ValueInfoProto(name=output))
            content = model.SerializeToString()
        self._session = _opened(path, threads, content)
        inputs = self._session.get_inputs()
        if len(inputs) != 1:
            listed = ", ".join(each.name for each in inputs)
            raise UserError(f"{path} has {len(inputs)} inputs ({listed}); a session needs a model with one")
        self.path = Path(path)
        self._threads = threads
        self.opset: int = next(item.version for item in model.opset_import if item.domain in ("", "ai.onnx"))
        self._input = inputs[0]
        returned = self._session.get_outputs()
        self._output = next((each for each in returned if each.name == output), returned[0])

    @property
    def input_shape(self) -> tuple[int | None, ...]:
        """Shape of one input without the batch axis; ``None`` stands for a dynamic size."""
        return _sizes(self._input.shape[1:])

    @property
    def returned(self) -> str:
        """The name of the tensor that ``run`` returns."""
        name: str = self._output.name
        return name

    def returning(self, output: str) -> Session:
        """The same file with another tensor returned: itself where that is the one already."""
        return self if output == self.returned else Session(self.path, self._threads, output)

    @property
    def batch(self) -> int | None:
        """How many inputs it takes at a time; ``None`` where any number."""
        fixed = self._input.shape[0]
        return fixed if isinstance(fixed, int) else None

    @property
    def dtype(self) -> npt.DTypeLike:
        """The type that inputs are cast to."""
        return _DTYPES.get(self._input.type, np.float32)

    @property
    def output_shape(self) -> tuple[int | None, ...]:
        """Shape of one output without the batch axis; ``None`` stands for a dynamic size."""
        return _sizes(self._output.shape[1:])

    def run(self, x: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The output for a batch.

        Args:
            x: ``(N, *input_shape)``; cast to the model's input type, and fed in parts of bounded memory.

        Returns:
            ``(N, *output_shape)``.

        Raises:
            UserError: If the shape does not fit the model or the batch is empty.
        """
        expected = self.input_shape
        fits = len(x.shape) == len(expected) + 1 and all(
            want in (None, have) for want, have in zip(expected, x.shape[1:], strict=True)
        )
        if not fits or len(x) == 0:
            raise UserError(f"{self.path} expects inputs of shape (N, {_spell(expected)}), N ≥ 1; got {x.shape}")
        size = self.batch or _BATCH
        if len(x) % size and self.batch:
            raise UserError(f"{self.path} takes batches of exactly {size}; got {len(x)} inputs")
        x = np.ascontiguousarray(x, dtype=self.dtype)
        parts = [self._run(x[start : start + size]) for start in range(0, len(x), size)]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def every_output(self, x: npt.NDArray[Any]) -> dict[str, npt.NDArray[Any]]:
        """All outputs that are arrays, by name, for one batch that fits.

        Args:
            x: ``(N, *input_shape)``, as for ``run``.

        Raises:
            UserError: If the model fails on it.
        """
        try:
            results = self._session.run(None, {self._input.name: np.ascontiguousarray(x, dtype=self.dtype)})
        except Exception as error:  # as above
            raise UserError(f"{self.path} failed on input {x.shape}: {_reason(error)}") from error
        returned = zip(self._session.get_outputs(), results, strict=True)
        return {output.name: result for output, result in returned if isinstance(result, np.ndarray)}

    def _run(self, x: npt.NDArray[Any]) -> npt.NDArray[Any]:
        try:
            (result,) = self._session.run([self._output.name], {self._input.name: x})
        except Exception as error:  # as above
            raise UserError(f"{self.path} failed on input {x.shape}: {_reason(error)}") from error
        return np.asarray(result)


def repeatable(path: str | Path, feeds: Mapping[str, npt.NDArray[Any]], threads: int = 1) -> Callable[[], None]:
    """A model on fixed inputs, to be called again and again for timing: nothing is checked or copied in between.

    Args:
        path: A model of any number of inputs and outputs.
        feeds: Every input by name.
        threads: Threads inside one operator.

    Raises:
        UserError: If onnxruntime cannot load the file, or it fails on these inputs.
    """
    session = _opened(path, threads)
    plain = functools.partial(session.run, None, dict(feeds))
    try:
        plain()
    except Exception as error:  # as in _opened
        shapes = ", ".join(f"{name} of shape {values.shape}" for name, values in feeds.items())
        raise UserError(f"{path} failed on made-up values for {shapes}: {_reason(error)}") from error
    bound = _bound(session, feeds)
    try:
        for _ in range(2):
            bound()
    except Exception:
        # From the second run on results are written over the first, which a file forbids that declares other shapes
        # than it returns.
        return plain
    return bound


def _bound(session: Any, feeds: Mapping[str, npt.NDArray[Any]]) -> Callable[[], None]:
    binding = session.io_binding()
    for name, values in feeds.items():
        binding.bind_cpu_input(name, values)
    for output in session.get_outputs():
        binding.bind_output(output.name)
    return functools.partial(session.run_with_iobinding, binding)


def load_model(path: str | Path) -> onnx.ModelProto:
    """The parsed and checked ONNX file.

    Raises:
        UserError: If the file is missing or is not a complete ONNX model.
    """
    if not Path(path).is_file():
        raise UserError(f"ONNX file {path} does not exist")
    try:
        model = onnx.load(path)
        onnx.checker.check_model(model)
    except (DecodeError, onnx.checker.ValidationError, OSError, ValueError) as error:
        raise UserError(f"{path} is not a complete ONNX model: {_reason(error)}") from error
    return model


def _opened(path: str | Path, threads: int, content: bytes | None = None) -> Any:
    """An onnxruntime session with all that affects time and values set; of a file, or of other content made from it."""
    if threads < 1:
        raise UserError(f"threads is {threads}; it must be at least 1")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = 4
    # Without it, products of 8-bit integers saturate at 16 bits on processors that have AVX2 and no VNNI.
    options.add_session_config_entry("session.x64quantprecision", "1")
    try:
        return onnxruntime.InferenceSession(
            str(path) if content is None else content, options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # onnxruntime raises a dozen unrelated types of its own
        raise UserError(f"onnxruntime cannot run {path}: {_reason(error)}") from error


_DTYPES = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
    "tensor(uint8)": np.uint8,
}


def _sizes(shape: list[Any]) -> tuple[int | None, ...]:
    return tuple(size if isinstance(size, int) else None for size in shape)


def _spell(shape: tuple[int | None, ...]) -> str:
    return ", ".join("any" if size is None else str(size) for size in shape)


def _reason(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
