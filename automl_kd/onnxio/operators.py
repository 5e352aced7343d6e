"""The operators of exported networks, at opset 13, as differentiable functions of torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import onnx
import torch
from onnx import helper
from torch import Tensor
from torch.nn import functional

Operator = Callable[..., Tensor | Sequence[Tensor]]
"""``(attributes, *inputs)`` to the output or outputs; an input that is left out is None."""


@dataclass(frozen=True)
class Attributes:
    """The attributes of a node.

    Attributes:
        values: By name, those that it has.
    """

    values: Mapping[str, Any]

    @classmethod
    def of(cls, node: onnx.NodeProto) -> Attributes:
        """The attributes of a node of a graph."""
        return cls({each.name: helper.get_attribute_value(each) for each in node.attribute})

    def get(self, name: str, default: Any = None) -> Any:
        """One of them, text decoded."""
        found = self.values.get(name, default)
        return found.decode() if isinstance(found, bytes) else found


def _conv(given: Attributes, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    axes = weight.dim() - 2
    x, padding = _padded(given, x, axes, 0.0)
    strides, dilations = given.get("strides", [1] * axes), given.get("dilations", [1] * axes)
    convolve = {1: functional.conv1d, 2: functional.conv2d, 3: functional.conv3d}[axes]
    return convolve(x, weight, bias, strides, padding, dilations, given.get("group", 1))


def _conv_transpose(given: Attributes, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    axes = weight.dim() - 2
    strides, dilations = given.get("strides", [1] * axes), given.get("dilations", [1] * axes)
    pads = given.get("pads", [0] * 2 * axes)
    extra = given.get("output_padding", [0] * axes)
    convolve = {1: functional.conv_transpose1d, 2: functional.conv_transpose2d}[axes]
    return convolve(x, weight, bias, strides, pads[:axes], extra, given.get("group", 1), dilations)


def _gemm(given: Attributes, a: Tensor, b: Tensor, c: Tensor | None = None) -> Tensor:
    a = a.T if given.get("transA", 0) else a
    weight = b if given.get("transB", 0) else b.T
    alpha, beta = given.get("alpha", 1.0), given.get("beta", 1.0)
    if alpha == beta == 1:
        return functional.linear(a, weight, c)
    product: Tensor = alpha * functional.linear(a, weight)
    return product if c is None else product + beta * c


def _pool(kind: str) -> Operator:
    def pool(given: Attributes, x: Tensor) -> Tensor:
        kernel = given.get("kernel_shape")
        axes = len(kernel)
        strides, ceil = given.get("strides", [1] * axes), bool(given.get("ceil_mode", 0))
        if kind == "max":
            x, padding = _padded(given, x, axes, -float("inf"))
            dilations = given.get("dilations", [1] * axes)
            largest = {1: functional.max_pool1d, 2: functional.max_pool2d}[axes]
            return largest(x, kernel, strides, padding, dilations, ceil)
        x, padding = _padded(given, x, axes, 0.0)
        mean = {1: functional.avg_pool1d, 2: functional.avg_pool2d}[axes]
        return mean(x, kernel, strides, padding, ceil, bool(given.get("count_include_pad", 0)))

    return pool


def _padded(given: Attributes, x: Tensor, axes: int, value: float) -> tuple[Tensor, list[int]]:
    """What is left for the operator to pad where both ends of every axis are padded alike, else nothing."""
    pads = given.get("pads", [0] * 2 * axes)
    before, after = pads[:axes], pads[axes:]
    if before == after:
        return x, before
    ends = [end for pair in zip(reversed(before), reversed(after), strict=True) for end in pair]
    return functional.pad(x, ends, value=value), [0] * axes


def _over(reduce: Callable[[Tensor, list[int], bool], Tensor]) -> Operator:
    """A reduction, whose axes are an attribute or, of sums, an input."""

    def reduced(given: Attributes, x: Tensor, axes: Tensor | None = None) -> Tensor:
        chosen = given.get("axes") if axes is None else axes.tolist()
        if not chosen and given.get("noop_with_empty_axes", 0):
            return x
        return reduce(x, chosen or list(range(x.dim())), bool(given.get("keepdims", 1)))

    return reduced


def _reshape(given: Attributes, x: Tensor, shape: Tensor) -> Tensor:
    sizes = shape.tolist()
    if not given.get("allowzero", 0):
        sizes = [x.shape[place] if size == 0 else size for place, size in enumerate(sizes)]
    return x.reshape(sizes)


def _flatten(given: Attributes, x: Tensor) -> Tensor:
    axis = given.get("axis", 1) % (x.dim() + 1)
    rows = int(np.prod(x.shape[:axis]))
    return x.reshape(rows, -1)


def _transpose(given: Attributes, x: Tensor) -> Tensor:
    return x.permute(given.get("perm", list(reversed(range(x.dim())))))


def _slice(
    given: Attributes,
    x: Tensor,
    starts: Tensor,
    ends: Tensor,
    axes: Tensor | None = None,
    steps: Tensor | None = None,
) -> Tensor:
    places = list(range(len(starts))) if axes is None else axes.tolist()
    strides = [1] * len(places) if steps is None else steps.tolist()
    for start, end, axis, step in zip(starts.tolist(), ends.tolist(), places, strides, strict=True):
        taken = range(x.shape[axis])[start:end:step]
        if step == 1:
            x = x.narrow(axis, taken.start, len(taken))
        else:
            x = x.index_select(axis, torch.tensor(list(taken), device=x.device))
    return x


def _split(given: Attributes, x: Tensor, sizes: Tensor) -> Sequence[Tensor]:
    return torch.split(x, sizes.tolist(), given.get("axis", 0))


def _pad(given: Attributes, x: Tensor, pads: Tensor, value: Tensor | None = None) -> Tensor:
    sizes = pads.tolist()
    axes = len(sizes) // 2
    ends = [end for axis in reversed(range(axes)) for end in (sizes[axis], sizes[axis + axes])]
    mode = {"constant": "constant", "reflect": "reflect", "edge": "replicate"}[given.get("mode", "constant")]
    if mode == "constant":
        return functional.pad(x, ends, value=0.0 if value is None else value.item())
    while len(ends) > 2 and ends[-2:] == [0, 0]:  # torch reflects the last axes alone
        del ends[-2:]
    return functional.pad(x, ends, mode=mode)


def _gather(given: Attributes, x: Tensor, index: Tensor) -> Tensor:
    axis = given.get("axis", 0) % x.dim()
    index = index.to(x.device)
    index = torch.where(index < 0, index + x.shape[axis], index)
    if axis == 0 and x.is_floating_point() and x.dim() == 2:
        return functional.embedding(index, x)
    taken = x.index_select(axis, index.reshape(-1))
    return taken.reshape((*x.shape[:axis], *index.shape, *x.shape[axis + 1 :]))


def _cast(given: Attributes, x: Tensor) -> Tensor:
    return x.to(torch.from_numpy(np.empty(0, helper.tensor_dtype_to_np_dtype(given.get("to")))).dtype)


def _squeeze(given: Attributes, x: Tensor, axes: Tensor | None = None) -> Tensor:
    return x.squeeze() if axes is None else x.squeeze(tuple(axes.tolist()))


def _unsqueeze(given: Attributes, x: Tensor, axes: Tensor) -> Tensor:
    final = x.dim() + len(axes)
    for axis in sorted(axis % final for axis in axes.tolist()):
        x = x.unsqueeze(axis)
    return x


def _expand(given: Attributes, x: Tensor, shape: Tensor) -> Tensor:
    return x.expand(np.broadcast_shapes(tuple(x.shape), tuple(shape.tolist())))


def _resize(
    given: Attributes, x: Tensor, region: Tensor | None, scales: Tensor | None = None, sizes: Tensor | None = None
) -> Tensor:
    target = sizes.tolist()[2:] if sizes is not None else None
    if target is None:
        assert scales is not None
        target = [int(size * scale) for size, scale in zip(x.shape[2:], scales.tolist()[2:], strict=True)]
    transformed = given.get("coordinate_transformation_mode", "half_pixel")
    if given.get("mode", "nearest") == "nearest":
        if transformed != "asymmetric" or given.get("nearest_mode", "round_prefer_floor") != "floor":
            raise NotImplementedError(f"nearest neighbours by {transformed}")
        return functional.interpolate(x, target, mode="nearest")
    if given.get("mode") != "linear" or transformed not in ("half_pixel", "pytorch_half_pixel", "align_corners"):
        raise NotImplementedError(f"{given.get('mode')} by {transformed}")
    return functional.interpolate(x, target, mode="bilinear", align_corners=transformed == "align_corners")


def _clip(given: Attributes, x: Tensor, low: Tensor | None = None, high: Tensor | None = None) -> Tensor:
    return x.clamp(None if low is None else low.item(), None if high is None else high.item())


def _hard_sigmoid(given: Attributes, x: Tensor) -> Tensor:
    alpha: float = given.get("alpha", 0.2)
    beta: float = given.get("beta", 0.5)
    return (alpha * x + beta).clamp(0.0, 1.0)


def _prelu(given: Attributes, x: Tensor, slope: Tensor) -> Tensor:
    return torch.where(x < 0, x * slope, x)


def _layer_norm(given: Attributes, x: Tensor, scale: Tensor, bias: Tensor | None = None) -> Tensor:
    return functional.layer_norm(x, list(x.shape[given.get("axis", -1) :]), scale, bias, given.get("epsilon", 1e-5))


def _divide(given: Attributes, a: Tensor, b: Tensor) -> Tensor:
    return a / b if a.is_floating_point() else torch.div(a, b, rounding_mode="trunc")


def _constant_of_shape(given: Attributes, shape: Tensor) -> Tensor:
    value = given.get("value")
    array = np.zeros(1, np.float32) if value is None else onnx.numpy_helper.to_array(value)
    return torch.from_numpy(array.copy()).expand(shape.tolist())


def _each(function: Callable[[Tensor], Tensor]) -> Operator:
    return lambda given, x: function(x)


def _both(function: Callable[[Tensor, Tensor], Tensor]) -> Operator:
    return lambda given, a, b: function(a, b)


def _folded(function: Callable[[Tensor, Tensor], Tensor]) -> Operator:
    def fold(given: Attributes, first: Tensor, *others: Tensor) -> Tensor:
        for other in others:
            first = function(first, other)
        return first

    return fold


OPERATORS: Mapping[str, Operator] = MappingProxyType(
    {
        "Abs": _each(torch.abs),
        "Add": _both(torch.add),
        "And": _both(torch.logical_and),
        "AveragePool": _pool("mean"),
        "Cast": _cast,
        "Ceil": _each(torch.ceil),
        "Clip": _clip,
        "Concat": lambda given, *parts: torch.cat(parts, given.get("axis")),
        "ConstantOfShape": _constant_of_shape,
        "Conv": _conv,
        "ConvTranspose": _conv_transpose,
        "Div": _divide,
        "Elu": lambda given, x: functional.elu(x, given.get("alpha", 1.0)),
        "Equal": _both(torch.eq),
        "Erf": _each(torch.erf),
        "Exp": _each(torch.exp),
        "Expand": _expand,
        "Flatten": _flatten,
        "Floor": _each(torch.floor),
        "Gather": _gather,
        "Gemm": _gemm,
        "GlobalAveragePool": lambda given, x: x.mean(tuple(range(2, x.dim())), keepdim=True),
        "GlobalMaxPool": lambda given, x: x.amax(tuple(range(2, x.dim())), keepdim=True),
        "Greater": _both(torch.gt),
        "HardSigmoid": _hard_sigmoid,
        "HardSwish": _each(functional.hardswish),
        "Identity": _each(lambda x: x),
        "LayerNormalization": _layer_norm,
        "LeakyRelu": lambda given, x: functional.leaky_relu(x, given.get("alpha", 0.01)),
        "Less": _both(torch.lt),
        "Log": _each(torch.log),
        "LogSoftmax": lambda given, x: x.log_softmax(given.get("axis", -1)),
        "MatMul": _both(torch.matmul),
        "Max": _folded(torch.maximum),
        "MaxPool": _pool("max"),
        "Min": _folded(torch.minimum),
        "Mul": _both(torch.mul),
        "Neg": _each(torch.neg),
        "Not": _each(torch.logical_not),
        "PRelu": _prelu,
        "Pad": _pad,
        "Pow": _both(torch.pow),
        "Reciprocal": _each(torch.reciprocal),
        "ReduceMax": _over(torch.amax),
        "ReduceMean": _over(torch.mean),
        "ReduceMin": _over(torch.amin),
        "ReduceSum": _over(torch.sum),
        "Relu": _each(functional.relu),
        "Reshape": _reshape,
        "Resize": _resize,
        "Shape": lambda given, x: torch.tensor(x.shape),
        "Sigmoid": _each(torch.sigmoid),
        "Slice": _slice,
        "Softmax": lambda given, x: x.softmax(given.get("axis", -1)),
        "Softplus": _each(functional.softplus),
        "Split": _split,
        "Sqrt": _each(torch.sqrt),
        "Squeeze": _squeeze,
        "Sub": _both(torch.sub),
        "Tanh": _each(torch.tanh),
        "Transpose": _transpose,
        "Unsqueeze": _unsqueeze,
        "Where": lambda given, which, a, b: torch.where(which, a, b),
    }
)
"""By type."""
