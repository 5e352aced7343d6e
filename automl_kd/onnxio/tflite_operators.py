"""How each quantised ONNX operator is written in TensorFlow Lite, whose maps have their channels last."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from automl_kd.core import UserError
from automl_kd.onnxio.qdq import Integers, Step, Unit, sizes_of
from automl_kd.onnxio.tflite_file import TFLiteFile

_CHANNELS_LAST = (0, 2, 3, 1)
_CHANNELS_FIRST = (0, 3, 1, 2)
_LEAST = -128
_POOLS = {"MaxPool": "MAX_POOL_2D", "AveragePool": "AVERAGE_POOL_2D"}
_SAME, _VALID = 0, 1
_SIXTH = 1 / 6


def channels_last(shape: Sequence[int]) -> tuple[int, ...]:
    """The shape of a map with its channels last; others as they are."""
    return tuple(shape[axis] for axis in _CHANNELS_LAST) if len(shape) == 4 else tuple(shape)


class Writing:
    """Writes steps into a file, each tensor once."""

    def __init__(self, file: TFLiteFile) -> None:
        self.file = file
        self._known: dict[str, int] = {}

    def number(self, tensor: Integers, name: str | None = None) -> int:
        """The number of a tensor; constants of maps have their channels last, too."""
        if tensor.name not in self._known:
            values = tensor.values
            if values is not None and values.ndim == 4:
                values = values.transpose(_CHANNELS_LAST)
            shape = channels_last(tensor.shape)
            found = self.file.tensor(name or tensor.name, shape, values, tensor.scale, tensor.zero)
            self._known[tensor.name] = found
        return self._known[tensor.name]

    def between(
        self,
        like: Integers,
        shape: Sequence[int],
        what: str,
        scale: NDArray[np.float32] | None = None,
        zero: int | None = None,
    ) -> int:
        """A tensor that no ONNX file has; scale and zero point are another's unless they are said."""
        scales = like.scale if scale is None else scale
        return self.file.tensor(
            f"{like.name}:{what}", tuple(shape), scale=scales, zero=like.zero if zero is None else zero
        )

    def whole(self, values: Sequence[int], what: str) -> int:
        """A constant of whole numbers."""
        array = np.array(values, np.int32)
        return self.file.tensor(what, array.shape, array)

    def in_unit(self, answers: Integers, unit: Unit) -> int:
        """Answers (1, width) in floats, in their unit; the number of the tensor."""
        shape = channels_last(answers.shape)
        number = self.number(answers)
        steps = (("DEQUANTIZE", None, None), ("MUL", "MulOptions", unit.scale), ("ADD", "AddOptions", unit.shift))
        for code, options, constant in steps:
            made = self.file.tensor(f"{answers.name}:{code.lower()}", shape, type="float32")
            operands = [] if constant is None else [self.file.tensor(f"{code.lower()}:by", constant.shape, constant)]
            self.file.operator(code, 2 if constant is None else 1, [number, *operands], made, options)
            number = made
        row = self.file.tensor(f"{answers.name}:row", (1, len(unit.scale)), type="float32")
        _reshape(self, number, row, (1, len(unit.scale)), f"{answers.name}:row")
        return row

    def write(self, step: Step) -> None:
        """Write one step.

        Raises:
            UserError: If there is no operator for it.
        """
        write = _OPERATORS.get(step.op)
        if write is None:
            raise UserError(f"no operator of TensorFlow Lite is known for {step.op} ({step.name})")
        write(step, self)


def _tensor(step: Step, place: int) -> Integers:
    found = step.inputs[place]
    if not isinstance(found, Integers):
        raise UserError(f"{step.op} {step.name} has an operand in floats")
    return found


def _bias(step: Step, into: Writing, channels: int, scale: NDArray[np.float32]) -> int:
    """The bias in steps of the sums that it is added to, which are rounded here where the file has it in floats."""
    given = step.inputs[2] if len(step.inputs) > 2 else None
    if isinstance(given, Integers):
        values = given.values
    else:
        floats = np.zeros(channels) if given is None else given.astype(np.float64)
        limits = np.iinfo(np.int32)
        values = np.rint(floats / scale).clip(limits.min, limits.max)
    if values is None:
        raise _unsupported(step)
    return into.file.tensor(f"{step.name}:bias", (channels,), values.astype(np.int32), scale)


def _convolution(step: Step, into: Writing) -> None:
    x, weight = _tensor(step, 0), _tensor(step, 1)
    group, values = step.attributes.get("group", 1), weight.values
    if len(x.shape) != 4 or values is None or weight.zero:
        raise _unsupported(step)
    channels, each = values.shape[:2]
    strides, dilations = sizes_of(step.attributes, "strides", (1, 1)), sizes_of(step.attributes, "dilations", (1, 1))
    padding, padded = _padded(step, into, x, values.shape[2:], strides, dilations)
    bias = _bias(step, into, channels, x.scale * weight.scale)
    fields = {"padding": padding, "strideH": strides[0], "strideW": strides[1]}
    fields |= {"dilationHFactor": dilations[0], "dilationWFactor": dilations[1]}
    if group == 1:
        kernel = values.transpose(_CHANNELS_LAST)
        filters = into.file.tensor(weight.name, kernel.shape, kernel, weight.scale, axis=0)
        into.file.operator("CONV_2D", 3, [padded, filters, bias], into.number(step.output), "Conv2DOptions", **fields)
    elif group == x.shape[1] and each == 1:
        kernel = values[:, 0].transpose(1, 2, 0)[None]
        filters = into.file.tensor(weight.name, kernel.shape, kernel, weight.scale, axis=3)
        fields["depthMultiplier"] = channels // group
        into.file.operator(
            "DEPTHWISE_CONV_2D",
            3,
            [padded, filters, bias],
            into.number(step.output),
            "DepthwiseConv2DOptions",
            **fields,
        )
    else:
        raise _unsupported(step)


def _padded(
    step: Step,
    into: Writing,
    x: Integers,
    kernel: Sequence[int],
    strides: Sequence[int],
    dilations: Sequence[int] = (1, 1),
    fill: int | None = None,
) -> tuple[int, int]:
    """The kind of padding, and the tensor that is read: one of its own where no kind pads like this."""
    pads = sizes_of(step.attributes, "pads", (0, 0, 0, 0))
    if not any(pads):
        return _VALID, into.number(x)
    if pads == _same_pads(x.shape[2:], kernel, strides, dilations):
        return _SAME, into.number(x)
    top, left, bottom, right = pads
    _, channels, height, width = x.shape
    shape = (1, height + top + bottom, width + left + right, channels)
    padded = into.between(x, shape, f"{step.name}:padded")
    around = into.file.tensor(
        f"{step.name}:pads", (4, 2), np.array([[0, 0], [top, bottom], [left, right], [0, 0]], np.int32)
    )
    if fill is None:
        into.file.operator("PAD", 2, [into.number(x), around], padded, "PadOptions")
    else:
        value = into.file.tensor(f"{step.name}:fill", (1,), np.array([fill], np.int8), x.scale, x.zero)
        into.file.operator("PADV2", 2, [into.number(x), around, value], padded, "PadV2Options")
    return _VALID, padded


def _same_pads(
    sizes: Sequence[int], kernel: Sequence[int], strides: Sequence[int], dilations: Sequence[int]
) -> tuple[int, ...]:
    """What TensorFlow adds where it keeps sizes: more at the end than at the beginning."""
    needed = [
        max(0, (-(-size // stride) - 1) * stride + (width - 1) * dilation + 1 - size)
        for size, width, stride, dilation in zip(sizes, kernel, strides, dilations, strict=True)
    ]
    return (*(each // 2 for each in needed), *(each - each // 2 for each in needed))


def _dense(step: Step, into: Writing) -> None:
    x, weight = _tensor(step, 0), _tensor(step, 1)
    turned = bool(step.attributes.get("transB", 0))
    plain = step.attributes.get("alpha", 1.0) == step.attributes.get("beta", 1.0) == 1.0
    if weight.values is None or weight.zero or not plain or step.attributes.get("transA", 0):
        raise _unsupported(step)
    kernel = weight.values if turned else weight.values.T
    outputs, inputs = kernel.shape
    bias, answer = _bias(step, into, outputs, x.scale * weight.scale), into.number(step.output)
    if len(weight.scale) == 1:
        filters = into.file.tensor(weight.name, kernel.shape, kernel, weight.scale)
        options = "FullyConnectedOptions"
        into.file.operator("FULLY_CONNECTED", 4, [into.number(x), filters, bias], answer, options)
        return
    if weight.axis != (0 if turned else 1):
        raise _unsupported(step)
    # Scales by output are those of a convolution alone.
    filters = into.file.tensor(weight.name, (outputs, 1, 1, inputs), kernel, weight.scale, axis=0)
    pixel = into.between(x, (1, 1, 1, inputs), f"{step.name}:pixel")
    answers = into.between(step.output, (1, 1, 1, outputs), "pixel")
    _reshape(into, into.number(x), pixel, (1, 1, 1, inputs), f"{step.name}:in")
    fields = {"padding": _VALID, "strideH": 1, "strideW": 1, "dilationHFactor": 1, "dilationWFactor": 1}
    into.file.operator("CONV_2D", 3, [pixel, filters, bias], answers, "Conv2DOptions", **fields)
    _reshape(into, answers, answer, (1, outputs), f"{step.name}:out")


def _reshape(into: Writing, source: int, target: int, shape: Sequence[int], name: str) -> None:
    sizes = (-1, *shape[1:])  # any batch
    fields = {"newShape": list(sizes)}
    into.file.operator("RESHAPE", 1, [source, into.whole(sizes, f"{name}:shape")], target, "ReshapeOptions", **fields)


def _flatten(step: Step, into: Writing) -> None:
    x = _tensor(step, 0)
    source = into.number(x)
    if len(x.shape) == 4 and x.shape[2:] != (1, 1):  # channels come first in the row
        first = into.between(x, x.shape, f"{step.name}:channels first")
        order = into.whole(_CHANNELS_FIRST, f"{step.name}:order")
        into.file.operator("TRANSPOSE", 2, [source, order], first, "TransposeOptions")
        source = first
    if len(step.output.shape) == 4 and step.output.shape[2:] != (1, 1):
        raise _unsupported(step)
    _reshape(into, source, into.number(step.output), channels_last(step.output.shape), step.name)


def _mean(step: Step, into: Writing) -> None:
    """Over the two axes of maps."""
    x, kept = _tensor(step, 0), True
    if step.op == "ReduceMean":
        kept = bool(step.attributes.get("keepdims", 1))
        over = {axis % len(x.shape) for axis in step.attributes.get("axes", ())}
        if len(x.shape) != 4 or over != {2, 3}:
            raise _unsupported(step)
    axes = into.whole((1, 2), f"{step.name}:axes")
    into.file.operator("MEAN", 2, [into.number(x), axes], into.number(step.output), "ReducerOptions", keepDims=kept)


def _sum_or_product(step: Step, into: Writing) -> None:
    code, options = {"Add": ("ADD", "AddOptions"), "Mul": ("MUL", "MulOptions"), "Sub": ("SUB", "SubOptions")}[step.op]
    operands = [into.number(_of_axes(_tensor(step, place), len(step.output.shape), step)) for place in (0, 1)]
    into.file.operator(code, 2, operands, into.number(step.output), options)


def _of_axes(tensor: Integers, axes: int, step: Step) -> Integers:
    """A tensor with so many axes, the missing ones in front: ONNX means them there, whatever comes last here."""
    missing = axes - len(tensor.shape)
    if not missing:
        return tensor
    if tensor.values is None:
        raise _unsupported(step)
    shape = (1,) * missing + tensor.shape
    return replace(tensor, shape=shape, values=tensor.values.reshape(shape))


def _one_operand(code: str, version: int) -> Callable[[Step, Writing], None]:
    def write(step: Step, into: Writing) -> None:
        into.file.operator(code, version, [into.number(_tensor(step, 0))], into.number(step.output))

    return write


def _clip(step: Step, into: Writing) -> None:
    bounds = tuple(float(each) for each in step.inputs[1:] if isinstance(each, np.ndarray))
    if bounds != (0.0, 6.0):
        raise _unsupported(step)
    _one_operand("RELU6", 2)(step, into)


def _sigmoid(step: Step, into: Writing) -> None:
    # The operator answers with 256 steps from 0 to 1 and no others.
    x, scale = _tensor(step, 0), np.array([1 / 256], np.float32)
    steps = into.between(step.output, channels_last(step.output.shape), "steps", scale=scale, zero=_LEAST)
    into.file.operator("LOGISTIC", 2, [into.number(x)], steps)
    into.file.operator("QUANTIZE", 2, [steps], into.number(step.output), "QuantizeOptions")


def _hard_sigmoid(step: Step, into: Writing) -> None:
    """min(max(0, x + 3), 6) / 6: there is no operator for it."""
    alpha, beta = step.attributes.get("alpha", 0.2), step.attributes.get("beta", 0.5)
    if not (abs(alpha - _SIXTH) < 1e-6 and beta == 0.5):
        raise _unsupported(step)
    x, shape = _tensor(step, 0), channels_last(step.output.shape)
    three, sixth = (
        into.file.tensor(f"{step.name}:{value}", (1,), np.array([127], np.int8), np.array([value / 127], np.float32))
        for value in (3.0, _SIXTH)
    )
    scale = np.array([6 / 255], np.float32)
    shifted = into.between(step.output, shape, "shifted", scale=scale, zero=_LEAST)
    relu6 = into.file.schema.ActivationFunctionType.RELU6
    into.file.operator("ADD", 2, [into.number(x), three], shifted, "AddOptions", fusedActivationFunction=relu6)
    into.file.operator("MUL", 2, [shifted, sixth], into.number(step.output), "MulOptions")


def _pool(step: Step, into: Writing) -> None:
    x, kernel = _tensor(step, 0), sizes_of(step.attributes, "kernel_shape", ())
    strides = sizes_of(step.attributes, "strides", (1, 1))
    largest = step.op == "MaxPool"
    odd = step.attributes.get("ceil_mode", 0) or set(sizes_of(step.attributes, "dilations", (1, 1))) != {1}
    counted = any(sizes_of(step.attributes, "pads", (0, 0, 0, 0))) and not largest
    same_scale = np.array_equal(x.scale, step.output.scale) and x.zero == step.output.zero
    if len(x.shape) != 4 or odd or counted or not same_scale:
        raise _unsupported(step)
    padding, padded = _padded(step, into, x, kernel, strides, fill=_LEAST)
    fields = {
        "padding": padding,
        "strideH": strides[0],
        "strideW": strides[1],
        "filterHeight": kernel[0],
        "filterWidth": kernel[1],
    }
    into.file.operator(_POOLS[step.op], 2, [padded], into.number(step.output), "Pool2DOptions", **fields)


def _unsupported(step: Step) -> UserError:
    return UserError(f"TensorFlow Lite has no {step.op} like {step.name} in integers")


_OPERATORS: dict[str, Callable[[Step, Writing], None]] = {
    "Conv": _convolution,
    "Gemm": _dense,
    "Flatten": _flatten,
    "Reshape": _flatten,
    "GlobalAveragePool": _mean,
    "ReduceMean": _mean,
    "Add": _sum_or_product,
    "Mul": _sum_or_product,
    "Sub": _sum_or_product,
    "Relu": _one_operand("RELU", 2),
    "HardSwish": _one_operand("HARD_SWISH", 1),
    "Clip": _clip,
    "Sigmoid": _sigmoid,
    "HardSigmoid": _hard_sigmoid,
    "MaxPool": _pool,
    "AveragePool": _pool,
}
