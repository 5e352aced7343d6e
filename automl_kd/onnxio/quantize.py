"""An ONNX file computed in integers, as integer accelerators do."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from automl_kd.core import Range, UserError, first_line, replacing
from automl_kd.onnxio.ranges import find_ranges
from automl_kd.onnxio.session import load_model

Ranges = Literal["min-max", "entropy", "percentile"]
"""How the range of an activation comes from the values seen: all of them, those of least divergence, most of them."""

_MORE_TYPES = ("Add", "Mul", "Sub", "Concat", "GlobalAveragePool", "HardSigmoid", "HardSwish", "LeakyRelu", "PRelu")
"""What runtimes of integers have, beside the types that onnxruntime quantises by itself."""
_MORE_OF_THEM = ("ReduceMean", "Sigmoid", "Softmax", "Tanh", "Gelu", "Expand", "Div")


@dataclass(frozen=True)
class Scheme:
    """How a network is quantised.

    Attributes:
        per_channel: Whether every output channel of a weight has a scale of its own, or the whole tensor one.
        activation_bits: Of an activation; weights have 8.
        symmetric: Whether ranges of activations lie around 0, so that all zero points are 0.
        ranges: How ranges of activations are found.
        excluded: Names of nodes that compute with floats.
        known: The ranges of activations that are not to be found, by the name of the tensor.
    """

    per_channel: bool = True
    activation_bits: Literal[8, 16] = 8
    symmetric: bool = False
    ranges: Ranges = "min-max"
    excluded: tuple[str, ...] = ()
    known: Mapping[str, Range] = field(default_factory=dict)

    @property
    def zero(self) -> str:
        """The type of an activation, and of its zero point."""
        if self.activation_bits == 16:
            return "int16"
        return "int8" if self.symmetric else "uint8"


class NoRangeError(UserError):
    """What is to be quantised is not finite."""


def quantise(
    source: str | Path,
    target: str | Path,
    batches: Iterable[NDArray[Any]],
    scheme: Scheme,
    ranges_file: Path | None = None,
) -> Path:
    """Quantise weights and activations after training (Jacob et al. 2018, arXiv:1712.05877).

    Values are rounded to integers and back around every operator (QDQ), so that onnxruntime computes what a
    full-integer runtime computes. Weights are symmetric and signed. Activations have a zero point and no sign: on x86
    onnxruntime has no kernels for signed ones, and converts only those that a single operator reads, so that networks
    with shortcuts took up to 2.5 times as long. Those of a symmetric scheme have a sign, and 0 for a zero point; biases
    are then stored as floats, because TensorRT, which asks for such a scheme, reads no integers of 32 bits. Runtimes
    round them to steps of the sums that they are added to, as other schemes store them.

    Args:
        source: A float32 model.
        target: Where the model goes; appears whole.
        batches: Inputs (N, …) to see ranges on.
        scheme: How.
        ranges_file: Where the ranges that were found are kept, for calls that differ in what they exclude: where it is
            there already, no batch is looked at.

    Returns:
        ``target``.

    Raises:
        NoRangeError: If a weight, or an activation on these inputs, is not finite; :func:`check_finite` says which.
        UserError: If the file is no ONNX model.
    """
    from onnxruntime.quantization.calibrate import CalibrationDataReader, CalibrationMethod
    from onnxruntime.quantization.quant_utils import QuantFormat, QuantType
    from onnxruntime.quantization.quantize import quantize_static
    from onnxruntime.quantization.registry import QDQRegistry, QLinearOpsRegistry

    class Batches(CalibrationDataReader):
        def __init__(self, name: str) -> None:
            self._rest = ({name: batch} for batch in batches)

        def get_next(self) -> dict[str, Any]:
            return next(self._rest, None)  # type: ignore[arg-type]  # None ends the data, whatever is declared

    graph = load_model(source).graph
    name = graph.input[0].name
    odd = next((each.name for each in graph.initializer if not _is_finite(each)), None)
    if odd is not None:
        raise NoRangeError(f"cannot quantise: {odd} is not finite")
    method = {
        "min-max": CalibrationMethod.MinMax,
        "entropy": CalibrationMethod.Entropy,
        "percentile": CalibrationMethod.Percentile,
    }[scheme.ranges]
    known = {
        each: [{"scale": np.array(found.scale, np.float32), "zero_point": np.array(found.zero_point, scheme.zero)}]
        for each, found in scheme.known.items()
    }
    per_tensor = {each: [{"quant_type": QuantType.QInt8, "symmetric": True}] for each in _grouped_upwards(graph)}
    overrides = known | (per_tensor if scheme.per_channel else {})
    types = sorted({*QDQRegistry, *QLinearOpsRegistry, *_MORE_TYPES, *_MORE_OF_THEM})
    with TemporaryDirectory() as scratch, replacing(Path(target)) as draft, _silence():
        kept = Path(scratch) / "ranges.json" if ranges_file is None else ranges_file
        try:
            if scheme.ranges != "min-max" and not kept.exists():
                find_ranges(source, kept, name, batches, method, types)
            quantize_static(
                str(source),
                str(draft),
                Batches(name),
                quant_format=QuantFormat.QDQ,
                op_types_to_quantize=types,
                per_channel=scheme.per_channel,
                activation_type={"uint8": QuantType.QUInt8, "int8": QuantType.QInt8, "int16": QuantType.QInt16}[
                    scheme.zero
                ],
                weight_type=QuantType.QInt8,
                nodes_to_exclude=list(scheme.excluded) or None,
                calibrate_method=method,
                calibration_cache_path=kept,
                extra_options={
                    "ForceQuantizeNoInputCheck": True,
                    "ActivationSymmetric": scheme.symmetric,
                    "QuantizeBias": not scheme.symmetric,
                }
                | ({"TensorQuantOverrides": overrides} if overrides else {}),
            )
        except (ValueError, AssertionError) as error:  # the second of ranges that are too wide for a float
            raise NoRangeError(f"cannot quantise: {first_line(error)}") from error
    return Path(target)


def to_int8(
    source: str | Path, target: str | Path, batches: Iterable[NDArray[Any]], activation_bits: Literal[8, 16] = 8
) -> Path:
    """Quantise a file by channel, with ranges of the smallest and largest values seen; see :func:`quantise`."""
    return quantise(source, target, batches, Scheme(activation_bits=activation_bits))


def _grouped_upwards(graph: onnx.GraphProto) -> Iterator[str]:
    """The weights of transposed convolutions in groups, of which each output channel has none of its own."""
    for node in graph.node:
        groups = next((item.i for item in node.attribute if item.name == "group"), 1)
        if node.op_type == "ConvTranspose" and groups > 1:
            yield node.input[1]


def _is_finite(tensor: onnx.TensorProto) -> bool:
    values = numpy_helper.to_array(tensor)
    return values.dtype.kind != "f" or bool(np.isfinite(values).all())


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    logger = logging.getLogger()
    level = logger.level
    logger.setLevel(logging.ERROR)  # it advises preprocessing that changes nothing for networks exported here
    try:
        # It prints what its search for ranges does, and warns of values that are refused afterwards.
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
