"""Primitive operators with their dataflow: what a traced module and an ONNX file have in common."""

from __future__ import annotations

import enum
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

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

_NAMES: dict[Kind, str] = {
    Kind.POOLING: "maxpool avgpool mean reduce",
    Kind.ELEMENTWISE: (
        "add sub mul div pow power sqrt rsqrt exp log neg abs erf sin cos floor maximum minimum where compare logical "
        "relu clip sigmoid tanh silu hardswish hardsigmoid gelu elu selu leakyrelu prelu mish softplus softsign cast "
        "sum quantize dequantize"
    ),
    Kind.NORMALISATION: "batchnorm layernorm groupnorm instancenorm lrn",
    Kind.COPY: "transpose concat slice pad resize gather repeat scatter update",
    Kind.EMBEDDING: "embedding",
    Kind.SOFTMAX: "softmax logsoftmax",
}
KIND_OF: dict[str, Kind] = {name: kind for kind, names in _NAMES.items() for name in names.split()}
"""The kind of every type that has only one."""

TYPES: frozenset[str] = frozenset(
    {*KIND_OF, "conv", "convinteger", "convsigned", "dense", "attention", "lstm", "gru", "rnn"}
)
"""Every type of operator that this room knows."""

_WITHOUT_ATTRIBUTES = frozenset({"relu", "sigmoid", "tanh", "silu", "hardswish", "hardsigmoid", "gelu", "mish"})

KEEPS_ZERO = frozenset(
    {
        *("maxpool", "avgpool", "mean", "reduce", "transpose", "slice", "resize", "gather", "repeat"),
        *("neg", "abs", "sqrt", "sin", "erf", "floor", "cast", "relu", "tanh", "silu", "hardswish", "gelu"),
        *("elu", "selu", "leakyrelu", "mish", "softsign"),
    }
)
"""Types that give zero from zero; further constant operands are axes and sizes."""

SUMS = frozenset({"add", "sub", "sum", "maximum", "minimum", "concat", "update"})
"""Types that give zero where every operand is zero."""

KEEPS_UNIFORM = frozenset({"batchnorm", "maxpool", "resize"}) | {
    name for name, kind in KIND_OF.items() if kind is Kind.ELEMENTWISE
}
"""Types that give one constant per channel from one constant per channel."""


@dataclass(frozen=True, slots=True)
class Window:
    """How a convolution or a pooling slides over its input, one number an axis.

    Attributes:
        taps: Elements that it reads along the axis.
        stride: From one position to the next.
        dilation: From one tap to the next.
        before: Padding in front of the first element.
    """

    taps: Shape
    stride: Shape
    dilation: Shape
    before: Shape

    @staticmethod
    def of(
        taps: Sequence[int],
        stride: Sequence[int] = (1,),
        dilation: Sequence[int] = (1,),
        before: Sequence[int] = (0,),
    ) -> Window:
        """A window; one number may stand for all axes."""
        edges = (tuple(each) * len(taps) if len(each) == 1 else tuple(each) for each in (stride, dilation, before))
        return Window(tuple(taps), *edges)

    @property
    def turned(self) -> Window:
        """The same with its axes the other way round."""
        return Window(self.taps[::-1], self.stride[::-1], self.dilation[::-1], self.before[::-1])

    @property
    def size(self) -> int:
        """Elements that one output reads."""
        return math.prod(self.taps)

    @property
    def is_point(self) -> bool:
        """Whether every output reads the one element at its own place."""
        return self.size == 1 and set(self.stride) <= {1} and not any(self.before)


@dataclass(frozen=True, slots=True)
class Op:
    """One primitive operator.

    Attributes:
        type: Canonical name, ``conv``, ``dense``, ``relu``, …; unknown operators keep their own name.
        kind: What prices it.
        inputs: Values it reads, constants left out.
        outputs: Values it writes.
        flops: Two per multiply-accumulate; 0 for operators without any.
        work: Elementary operations of operators without multiply-accumulates: window x outputs of a pooling, the
            elements that a reduction reads or an embedding looks up, the outputs of the rest; 0 where data only moves.
        weights: Elements of its weight tensor; of an embedding those of the whole table.
        vector: Elements of its longest per-channel constant (bias, scale). A normalisation folded into a
            convolution leaves one such vector.
        constants: How many operands are constant.
        zero: Whether one of the constant operands is zero everywhere.
        stored: Bits in which a file keeps a weight; ``None`` where the target's precision decides.
        integer: Whether it computes with integers of 8 bits or fewer.
        times: How often it is executed in one run.
        weight: Shape of a convolution's weight, ``(O, I/groups, *window)``, or transposed ``(I, O/groups, *window)``.
        window: Of a convolution, and of a pooling where it is known.
        source: Shape of a convolution's input as it reads it; later operators may see it otherwise.
        result: The same of the result of a convolution or a matrix product.
        steps: Of a recurrent operator, one after another.
        across: Whether a softmax or a reduction gathers what lies apart: a softmax off the last axis, a reduction of
            the first axis that is longer than one.
    """

    type: str
    kind: Kind
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    flops: int = 0
    work: int = 0
    weights: int = 0
    vector: int = 0
    constants: int = 0
    zero: bool = False
    weight: Shape = ()
    window: Window | None = None
    source: Shape = ()
    result: Shape = ()
    steps: int = 1
    across: bool = False
    stored: int | None = None
    integer: bool = False
    times: int = 1


def gathers(kind: Kind, shape: Shape, axes: Sequence[int]) -> bool:
    """Whether an operator along these axes gathers what lies apart: see ``Op.across``."""
    places = [axis % len(shape) for axis in axes] if shape else []
    if not places or math.prod(shape[max(places) + 1 :]) == 1:
        return False
    return kind is Kind.SOFTMAX or (kind is Kind.POOLING and math.prod(shape[: min(places)]) == 1)


@dataclass(frozen=True, slots=True)
class Graph:
    """Operators in execution order; a value is an index into ``shapes``, and ``notes`` say what was assumed."""

    ops: tuple[Op, ...]
    shapes: tuple[Shape, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    parameters: int
    notes: tuple[str, ...] = ()

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
            kept.append(op if inputs == op.inputs else replace(op, inputs=inputs))
        outputs = tuple(same.get(value, value) for value in self.outputs)
        return replace(self, ops=tuple(kept), outputs=outputs)

    def without_zeros(self) -> Graph:
        """The same graph with everything folded that follows from a multiplication by zero, and no dead operators.

        What is multiplied by zero is zero; a sum with zero is its other operand; an operator that reads only constants
        is a constant; and what led only to constants is dropped. Not every runtime does so: in floating point
        0 x inf is no zero.
        """
        constants: dict[int, int] = {}  # value -> elements of the constant that it became; 0 for a zero
        same: dict[int, int] = {}
        kept: list[Op] = []
        for original in self.ops:
            inputs = tuple(same.get(value, value) for value in original.inputs)
            folded = [constants[value] for value in inputs if value in constants]
            zeros = folded.count(0) + original.zero
            op = _with_constants(original, tuple(value for value in inputs if value not in constants), folded)
            if _is_zero(op, zeros):
                constants.update(dict.fromkeys(op.outputs, 0))
            elif not op.inputs:
                constants.update({value: self._elements(op, folded, value) for value in op.outputs})
            elif op.type == "add" and zeros and self._passes(op):
                same[op.outputs[0]] = op.inputs[0]
            else:
                kept.append(op)
        results = (same.get(value, value) for value in self.outputs)
        outputs = tuple(value for value in results if value not in constants)
        return replace(self, ops=tuple(kept), outputs=outputs).live()

    def with_zeros_stored(self) -> Graph:
        """The same graph where a product with zero is a stored constant; what reads that is computed all the same."""
        kept = (op for op in self.ops if not (op.zero and op.type in ("mul", "div")))
        return replace(self, ops=tuple(kept)).live()

    def _passes(self, op: Op) -> bool:
        """Whether a sum with zero is its other operand: it is where that has the size of the result already."""
        size = math.prod(self.shapes[op.outputs[0]])
        return len(op.inputs) == op.constants == 1 and math.prod(self.shapes[op.inputs[0]]) == size

    def _elements(self, op: Op, folded: list[int], value: int) -> int:
        """How many numbers a constant result holds: one per channel as long as it is the same everywhere."""
        shape = self.shapes[value]
        uniform = op.type in KEEPS_UNIFORM or not any(folded)
        return shape[1] if uniform and len(shape) > 2 else math.prod(shape)


def _with_constants(op: Op, inputs: tuple[int, ...], folded: list[int]) -> Op:
    """The operator after some of its operands became constants with these numbers of elements."""
    if not folded:
        return op if inputs == op.inputs else replace(op, inputs=inputs)
    changed = replace(op, inputs=inputs, constants=op.constants + len(folded), zero=op.zero or 0 in folded)
    if op.type == "attention" and all(folded):  # a product by a constant is one by weights
        return replace(changed, type="dense", kind=Kind.DENSE, weights=max(folded))
    return replace(changed, vector=max(op.vector, *folded)) if op.kind is Kind.ELEMENTWISE else changed


def _is_zero(op: Op, zeros: int) -> bool:
    """Whether the result is zero everywhere because ``zeros`` of the operands are."""
    if not zeros:
        return False
    if op.type in ("mul", "div") or (op.type == "attention" and len(op.inputs) + op.constants == 2):
        return True
    if op.inputs or op.vector:
        return False
    return op.type in KEEPS_ZERO or op.type in ("conv", "dense") or (op.type in SUMS and zeros == op.constants)
