"""Random networks, each as a module and as ONNX of its own making: any rank, pads, strides, dilations and groups."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from automl_kd.hardware.kernels.graph import Shape

Random = np.random.Generator
ACTIVATIONS = {"Relu": nn.ReLU, "Sigmoid": nn.Sigmoid, "Tanh": nn.Tanh, "LeakyRelu": nn.LeakyReLU, "Elu": nn.ELU}
_OF_ANY_RANK = ("Sum", "Mean", "Max", "Add", "Mul", "Relu", "Exp", "Neg", "If")
_ALONG_AN_AXIS = ("Softmax", "MatMul", "ArgMax", "Einsum")
_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
_MAXIMA = (nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d)
_MEANS = (nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d)


@dataclass(frozen=True)
class Layer:
    """One layer of a chain; ``kind`` is an ONNX operator."""

    kind: str
    channels: int = 0
    taps: Shape = ()
    stride: Shape = ()
    dilation: Shape = ()
    pads: Shape = ()
    groups: int = 1

    def results(self, pixels: Shape) -> Shape:
        """Sizes of the result for these of the input."""
        if not self.taps:
            return pixels
        axes = zip(pixels, self.taps, self.stride, self.dilation, self.pads, strict=True)
        if self.kind == "ConvTranspose":
            return tuple((size - 1) * s - 2 * p + d * (t - 1) + 1 for size, t, s, d, p in axes)
        return tuple((size + 2 * p - d * (t - 1) - 1) // s + 1 for size, t, s, d, p in axes)

    def module(self, inputs: int) -> nn.Module:
        axes = len(self.taps) - 1
        if self.kind in ("Conv", "ConvTranspose"):
            family = _CONVOLUTIONS if self.kind == "Conv" else _TRANSPOSED
            more = {"stride": self.stride, "padding": self.pads, "dilation": self.dilation, "groups": self.groups}
            return family[axes](inputs, self.channels, self.taps, **more)
        if self.kind == "MaxPool":
            return _MAXIMA[axes](self.taps, self.stride, self.pads, self.dilation)
        if self.kind == "AveragePool":
            return _MEANS[axes](self.taps, self.stride, self.pads)
        return ACTIVATIONS[self.kind]()

    def nodes(self, name: str, x: str, inputs: int) -> tuple[onnx.NodeProto, list[TensorProto]]:
        more: dict[str, object] = {}
        if self.taps:
            more = {"kernel_shape": self.taps, "strides": self.stride, "pads": [*self.pads, *self.pads]}
        if self.kind in ("Conv", "ConvTranspose"):
            more |= {"dilations": self.dilation, "group": self.groups}
            shape = (
                (self.channels, inputs // self.groups)
                if self.kind == "Conv"
                else (inputs, self.channels // self.groups)
            )
            tensors = [_weights(f"{name}.w", (*shape, *self.taps)), _weights(f"{name}.b", (self.channels,))]
            return helper.make_node(self.kind, [x, *(each.name for each in tensors)], [name], **more), tensors
        return helper.make_node(self.kind, [x], [name], **more), []


@dataclass(frozen=True)
class Chain:
    """Layers one after another, and where there is a ``head`` a mean over pixels and a matrix at the end."""

    channels: int
    pixels: Shape
    layers: tuple[Layer, ...]
    head: int = 0

    @property
    def shape(self) -> Shape:
        return (self.channels, *self.pixels)

    def widths(self) -> Iterator[int]:
        """Channels that every layer reads, and those of the result."""
        width = self.channels
        for layer in self.layers:
            yield width
            width = layer.channels or width
        yield width

    def sizes(self) -> Iterator[Shape]:
        """Sizes that every layer reads, and those of the result."""
        pixels = self.pixels
        for layer in self.layers:
            yield pixels
            pixels = layer.results(pixels)
        yield pixels

    def is_valid(self) -> bool:
        """Whether every size is positive, and groups divide channels."""
        wide = all(
            width % layer.groups == 0 == layer.channels % layer.groups
            for width, layer in zip(self.widths(), self.layers, strict=False)
        )
        # PyTorch has no pooling whose window is larger than the input, padded or not.
        pooled = all(
            size >= tap
            for pixels, layer in zip(self.sizes(), self.layers, strict=False)
            for size, tap in zip(pixels, layer.taps, strict=False)
            if "Pool" in layer.kind
        )
        return wide and pooled and all(min(size) > 0 for size in self.sizes())

    def module(self) -> nn.Module:
        layers = [layer.module(width) for width, layer in zip(self.widths(), self.layers, strict=False)]
        if self.head:
            pool = (nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d)[len(self.pixels) - 1]
            layers += [pool(1), nn.Flatten(), nn.Linear([*self.widths()][-1], self.head)]
        return nn.Sequential(*layers)

    def model(self, opset: int = 17) -> onnx.ModelProto:
        nodes, tensors, x = [], [], "x"
        for index, (width, layer) in enumerate(zip(self.widths(), self.layers, strict=False)):
            node, own = layer.nodes(f"y{index}", x, width)
            nodes, tensors, x = [*nodes, node], [*tensors, *own], f"y{index}"
        if self.head:
            tensors += [_weights("head.w", (self.head, [*self.widths()][-1])), _weights("head.b", (self.head,))]
            nodes += [
                helper.make_node("GlobalAveragePool", [x], ["pooled"]),
                helper.make_node("Flatten", ["pooled"], ["flat"]),
                helper.make_node("Gemm", ["flat", "head.w", "head.b"], ["out"], transB=1),
            ]
            return _model(nodes, [("x", (1, *self.shape))], [("out", (1, self.head))], tensors, opset)
        result = (1, [*self.widths()][-1], *[*self.sizes()][-1])
        return _model(nodes, [("x", (1, *self.shape))], [(x, result)], tensors, opset)

    # -- a little more work -------------------------------------------------------------------------------------------

    def with_layer(self, place: int) -> Chain:
        """The same with one more convolution that keeps the size."""
        width, axes = [*self.widths()][place], len(self.pixels)
        ones = (1,) * axes
        layer = Layer("Conv", width, (3,) * axes, ones, ones, ones)
        return replace(self, layers=(*self.layers[:place], layer, *self.layers[place:]))

    def with_channel(self, place: int) -> Chain:
        """The same with one more channel a group in one convolution; depthwise ones behind it go along."""
        layers = list(self.layers)
        before = layers[place].channels
        after = before + layers[place].groups
        layers[place] = replace(layers[place], channels=after)
        for index in range(place + 1, len(layers)):
            layer = layers[index]
            if layer.channels and (layer.groups == 1 or layer.channels != before):
                break
            if layer.channels:
                layers[index] = replace(layer, channels=after, groups=after)
        return replace(self, layers=tuple(layers))

    def with_pixel(self, axis: int) -> Chain:
        """The same for an input that is one larger along one axis."""
        return replace(self, pixels=tuple(size + (index == axis) for index, size in enumerate(self.pixels)))


def random_chain(random: Random) -> Chain:
    """A valid chain of one to six layers."""
    while True:
        axes = int(random.choice([1, 2, 2, 2, 3]))
        limit = {1: 512, 2: 64, 3: 14}[axes]
        pixels = tuple(int(size) for size in random.integers(1, limit, axes))
        width, layers = int(random.integers(1, 70)), []
        start = width
        for _ in range(int(random.integers(1, 7))):
            layer = _layer(random, width, axes)
            layers.append(layer)
            width = layer.channels or width
        chain = Chain(start, pixels, tuple(layers), int(random.choice([0, 1, 10, 100])))
        if chain.is_valid():
            return chain


def _layer(random: Random, width: int, axes: int) -> Layer:
    def some(choices: Sequence[int]) -> Shape:
        return tuple(int(random.choice(choices)) for _ in range(axes))

    kind = str(random.choice(["Conv", "Conv", "Conv", "ConvTranspose", "MaxPool", "AveragePool", *ACTIVATIONS]))
    ones = (1,) * axes
    if kind in ACTIVATIONS:
        return Layer(kind)
    taps = some((1, 2, 3, 3, 5, 7))
    stride = some((1, 1, 2, 3))
    if kind in ("MaxPool", "AveragePool"):
        return Layer(kind, 0, taps, stride, ones, tuple(int(random.integers(0, size // 2 + 1)) for size in taps))
    if kind == "ConvTranspose":
        return Layer(kind, int(random.integers(1, 40)), taps, stride, ones, (0,) * axes)
    groups = int(random.choice([1, 1, 1, width]))
    channels = width if groups > 1 else int(random.choice([1, 3, 7, 8, 16, 20, 32, 63, 64, 65]))
    return Layer(kind, channels, taps, stride, some((1, 1, 2)), some((0, 1, 2, 3)), groups)


def random_model(random: Random) -> onnx.ModelProto:
    """A chain, or operators between several inputs and outputs, of any opset from 12 to 21."""
    opset = int(random.integers(12, 22))
    return random_chain(random).model(opset) if random.random() < 0.5 else _wild(random, opset)


def _wild(random: Random, opset: int) -> onnx.ModelProto:
    """Operators on matrices, stacks of them, vectors and scalars, some of them with parts that values decide."""
    rank = int(random.integers(0, 5))
    shape = tuple(int(size) for size in random.integers(1, 30, rank))
    inputs = [(f"x{index}", shape) for index in range(int(random.integers(1, 4)))]
    nodes: list[onnx.NodeProto] = []
    tensors: list[TensorProto] = []
    names = [name for name, _ in inputs]
    for index in range(int(random.integers(1, 9))):
        x, y = (str(random.choice(names)) for _ in range(2))
        out = f"y{index}"
        kind = str(random.choice((*_OF_ANY_RANK, *_ALONG_AN_AXIS) if rank else _OF_ANY_RANK))
        nodes += list(_operators(kind, x, y, out, shape, tensors))
        names.append(out)
    outputs = [names[-1], *([names[-2]] if len(nodes) > 1 and names[-2].startswith("y") else [])]
    return _model(nodes, inputs, [(name, shape) for name in outputs], tensors, opset)


def _operators(
    kind: str, x: str, y: str, out: str, shape: Shape, tensors: list[TensorProto]
) -> Iterator[onnx.NodeProto]:
    """What keeps the shape, in as many operators as that takes."""
    if kind in ("Relu", "Exp", "Neg"):
        yield helper.make_node(kind, [x], [out])
    elif kind == "Softmax":
        yield helper.make_node(kind, [x], [out], axis=-1)
    elif kind == "MatMul":
        tensors.append(_weights(f"{out}.w", (shape[-1], shape[-1])))
        yield helper.make_node("MatMul", [x, tensors[-1].name], [out])
    elif kind == "Einsum":
        tensors.append(_weights(f"{out}.w", (shape[-1], shape[-1])))
        yield helper.make_node("Einsum", [x, tensors[-1].name], [out], equation="...i,ij->...j")
    elif kind == "ArgMax":
        yield helper.make_node("ArgMax", [x], [f"{out}.most"], axis=-1, keepdims=1)
        yield helper.make_node("Cast", [f"{out}.most"], [f"{out}.float"], to=TensorProto.FLOAT)
        yield helper.make_node("Add", [f"{out}.float", y], [out])
    elif kind == "If":
        branches = {
            name: helper.make_graph(
                [helper.make_node(inner, [x], [f"{out}.{name}"])],
                name,
                [],
                [helper.make_tensor_value_info(f"{out}.{name}", TensorProto.FLOAT, shape)],
            )
            for name, inner in (("then_branch", "Tanh"), ("else_branch", "Relu"))
        }
        tensors.append(numpy_helper.from_array(np.zeros((), np.float32), f"{out}.zero"))
        tensors.append(numpy_helper.from_array(np.array([-1], np.int64), f"{out}.all"))
        yield helper.make_node("Reshape", [x, f"{out}.all"], [f"{out}.flat"])
        yield helper.make_node("ArgMax", [f"{out}.flat"], [f"{out}.most"], axis=0, keepdims=0)
        yield helper.make_node("Cast", [f"{out}.most"], [f"{out}.float"], to=TensorProto.FLOAT)
        yield helper.make_node("Greater", [f"{out}.float", f"{out}.zero"], [f"{out}.which"])
        yield helper.make_node("If", [f"{out}.which"], [out], **branches)
    else:
        yield helper.make_node(kind, [x, y], [out])


def _weights(name: str, shape: Shape) -> TensorProto:
    values = np.random.default_rng(len(name)).standard_normal(shape).astype(np.float32)
    return numpy_helper.from_array(values, name)


def _model(
    nodes: Sequence[onnx.NodeProto],
    inputs: Sequence[tuple[str, Shape]],
    outputs: Sequence[tuple[str, Shape]],
    tensors: Sequence[TensorProto],
    opset: int,
) -> onnx.ModelProto:
    feeds, results = (
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in values]
        for values in (inputs, outputs)
    )
    graph = helper.make_graph(nodes, "random", feeds, results, tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    return model
