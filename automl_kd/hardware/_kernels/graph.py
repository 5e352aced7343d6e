"""Primitive operators with their dataflow: what a traced module and an ONNX file have in common."""

from __future__ import annotations

import enum
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

Shape = tuple[int, ...]


class Kind(enum.StrEnum):
    """What limits a kernel, and so which coefficients price it."""

    CONV3X3 = "conv3x3"
    """3x3 convolution of stride 1, where runtimes use Winograd's algorithm."""
    CONV = "conv"
    POINTWISE = "pointwise"
    DEPTHWISE = "depthwise"
    GROUPED = "grouped"
    TRANSPOSED = "transposed"
    DENSE = "dense"
    """Matrix product by weights."""
    ATTENTION = "attention"
    """Matrix product of two activations."""
    RECURRENT = "recurrent"
    """All steps of one layer of an LSTM, a GRU or a plain recurrent network in one direction."""
    POOLING = "pooling"
    """Pooling and every other reduction."""
    ELEMENTWISE = "elementwise"
    NORMALISATION = "normalisation"
    COPY = "copy"
    """Data that only moves: transposition, concatenation, padding, resize."""
    EMBEDDING = "embedding"
    """Rows of a constant table looked up by index."""
    SOFTMAX = "softmax"
    OTHER = "other"
    """An operator that this room does not know; it is priced as memory traffic and lowers the coverage."""


COMPUTE = frozenset(
    {
        *(Kind.CONV3X3, Kind.CONV, Kind.POINTWISE, Kind.DEPTHWISE, Kind.GROUPED, Kind.TRANSPOSED),
        *(Kind.DENSE, Kind.ATTENTION, Kind.RECURRENT),
    }
)
"""Kinds made of multiply-accumulates."""

_KINDS: dict[Kind, str] = {
    Kind.POOLING: "maxpool avgpool mean reduce",
    Kind.ELEMENTWISE: (
        "add sub mul div pow sqrt rsqrt exp log neg abs erf sin cos floor maximum minimum where compare logical "
        "relu clip sigmoid tanh silu hardswish hardsigmoid gelu elu selu leakyrelu prelu mish softplus softsign cast"
    ),
    Kind.NORMALISATION: "batchnorm layernorm groupnorm instancenorm",
    Kind.COPY: "transpose concat slice pad resize gather repeat scatter update",
    Kind.SOFTMAX: "softmax logsoftmax",
}
_KIND_OF: dict[str, Kind] = {name: kind for kind, names in _KINDS.items() for name in names.split()}

TYPES = frozenset({"conv", "dense", *_KIND_OF})
"""Every canonical type of an operator; what has another type is unknown."""

_WITHOUT_ATTRIBUTES = frozenset({"relu", "sigmoid", "tanh", "silu", "hardswish", "hardsigmoid", "gelu", "mish"})


@dataclass(frozen=True, slots=True)
class Op:
    """One primitive operator.

    Attributes:
        type: Canonical name, ``conv``, ``dense``, ``relu``, …; unknown operators keep their own name.
        kind: What prices it.
        inputs: Values it reads, constants left out.
        outputs: Values it writes.
        flops: Two per multiply-accumulate; other arithmetic is priced by the bytes that it moves and counts 0.
        weights: Elements of its weight tensor.
        vector: Elements of its longest per-channel constant (bias, scale). A normalisation folded into a
            convolution leaves one such vector.
        constants: How many operands are constant.
    """

    type: str
    kind: Kind
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    flops: int = 0
    weights: int = 0
    vector: int = 0
    constants: int = 0


@dataclass(frozen=True, slots=True)
class Graph:
    """Operators in execution order; a value is an index into ``shapes``."""

    ops: tuple[Op, ...]
    shapes: tuple[Shape, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    parameters: int

    def live(self) -> Graph:
        """The same graph without operators that lead to no output."""
        needed = set(self.outputs)
        kept: list[Op] = []
        for op in reversed(self.ops):
            if needed.intersection(op.outputs):
                kept.append(op)
                needed.update(op.inputs)
        return replace(self, ops=tuple(reversed(kept)))

    def without_duplicates(self) -> Graph:
        """The same graph with each activation of one value computed once: runtimes share common subexpressions."""
        same: dict[int, int] = {}
        known: dict[tuple[str, tuple[int, ...]], int] = {}
        kept: list[Op] = []
        for op in self.ops:
            inputs = tuple(same.get(value, value) for value in op.inputs)
            if op.type in _WITHOUT_ATTRIBUTES and not op.constants:
                first = known.setdefault((op.type, inputs), op.outputs[0])
                if first != op.outputs[0]:
                    same[op.outputs[0]] = first
                    continue
            kept.append(replace(op, inputs=inputs))
        outputs = tuple(same.get(value, value) for value in self.outputs)
        return replace(self, ops=tuple(kept), outputs=outputs)


@dataclass(slots=True)
class GraphBuilder:
    """Collects operators while a module or a file is read, and folds constants on the way.

    A value is a number; ``None`` stands for a constant. An operator whose operands are all constant is itself constant.
    """

    shapes: list[Shape] = field(default_factory=list)
    ops: list[Op] = field(default_factory=list)

    def value(self, shape: Sequence[int]) -> int:
        self.shapes.append(tuple(shape))
        return len(self.shapes) - 1

    def convolution(
        self, x: int | None, weight: Shape, bias: bool, output: Shape, stride: Sequence[int], groups: int, back: bool
    ) -> int | None:
        """A convolution; ``weight`` is ``(O, I/groups, *window)``, or ``(I, O/groups, *window)`` when ``back``."""
        if x is None:
            return None
        result = self.value(output)
        read = math.prod(self.shapes[x])
        # A transposed convolution scatters: every input element meets every weight of its group once.
        macs = (read if back else math.prod(output)) * math.prod(weight[1:])
        kind = Kind.TRANSPOSED if back else _convolution_kind(weight, stride, groups)
        vector = output[1] if bias else 0
        op = Op("conv", kind, (x,), (result,), 2 * macs, math.prod(weight), vector, 1 + bias)
        self.ops.append(op)
        return result

    def dense(self, operands: Sequence[int | None], sizes: Sequence[Shape], output: Shape, depth: int) -> int | None:
        """A matrix product with ``depth`` products per output; a third operand is added to the result."""
        if all(operand is None for operand in operands):
            return None
        result = self.value(output)
        weights = sum(math.prod(s) for o, s in zip(operands[:2], sizes[:2], strict=True) if o is None)
        vector = sum(math.prod(s) for o, s in zip(operands[2:], sizes[2:], strict=True) if o is None)
        inputs = tuple(operand for operand in operands if operand is not None)
        constants = len(operands) - len(inputs)
        flops = 2 * math.prod(output) * depth
        self.ops.append(Op("dense", Kind.DENSE, inputs, (result,), flops, weights, vector, constants))
        return result

    def simple(
        self, name: str, operands: Sequence[int | None], sizes: Sequence[Shape], outputs: Sequence[Shape]
    ) -> list[int | None]:
        """Any other operator; a split is as many slices, since frameworks write one as the other."""
        if name == "split":
            return [self.simple("slice", operands, sizes, [shape])[0] for shape in outputs]
        inputs = tuple(operand for operand in operands if operand is not None)
        if not inputs:
            return [None] * len(outputs)
        results = tuple(self.value(shape) for shape in outputs)
        constant = [math.prod(s) for o, s in zip(operands, sizes, strict=True) if o is None]
        kind = _KIND_OF.get(name, Kind.OTHER)
        # Constants of other kinds are axes and sizes, or tables of which only the looked-up rows move.
        computes = kind in (Kind.ELEMENTWISE, Kind.NORMALISATION)
        vector = max((count for count in constant if count > 1), default=0) if computes else 0
        self.ops.append(Op(name, kind, inputs, results, vector=vector, constants=len(constant)))
        return list(results)

    def graph(self, inputs: Sequence[int], outputs: Sequence[int | None], parameters: int) -> Graph:
        kept = tuple(output for output in outputs if output is not None)
        return Graph(tuple(self.ops), tuple(self.shapes), tuple(inputs), kept, parameters)


def moves(shape: Shape, order: Sequence[int]) -> bool:
    """Whether a permutation of axes changes the memory layout: moving axes of size 1 does not."""
    kept = [axis for axis in order if shape[axis] != 1]
    return kept != sorted(kept)


def _convolution_kind(weight: Shape, stride: Sequence[int], groups: int) -> Kind:
    window = weight[2:]
    if groups > 1:
        return Kind.DEPTHWISE if weight[1] == 1 else Kind.GROUPED
    if all(size == 1 for size in window):
        return Kind.POINTWISE
    winograd = all(size == 3 for size in window) and all(step == 1 for step in stride)
    return Kind.CONV3X3 if winograd and len(window) == 2 else Kind.CONV
