"""Collects the operators of a network while it is traced or read."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from automl_kd.hardware.kernels.graph import (
    KEEPS_UNIFORM,
    KEEPS_ZERO,
    KIND_OF,
    SUMS,
    Graph,
    Kind,
    Op,
    Shape,
    Window,
    gathers,
)

ZERO = -1
"""Operand that is zero everywhere."""
ONE = -2
"""Operand that is one everywhere."""

UNIFORM = -3
"""Operand that is one constant per channel."""

Operand = int | None
"""A value, one of the constants above, or ``None`` for any other constant."""


@dataclass(slots=True)
class GraphBuilder:
    """Adds operators in execution order and folds constants on the way.

    An operator whose operands are all constant is itself constant. A transposition is written down when its result is
    first read, so that several in a row become one, as exporters and runtimes make of them.
    """

    shapes: list[Shape] = field(default_factory=list)
    ops: list[Op] = field(default_factory=list)
    _transposed: dict[int, tuple[int, Shape, tuple[int, ...]]] = field(default_factory=dict)
    _written: set[int] = field(default_factory=set)
    _products: set[int] = field(default_factory=set)

    def value(self, shape: Sequence[int]) -> int:
        self.shapes.append(tuple(shape))
        return len(self.shapes) - 1

    def read(self, x: Operand) -> Operand:
        """``x`` after the transposition that it waits for, if any."""
        if x in self._transposed and x not in self._written:
            self._written.add(x)
            self.ops.append(Op("transpose", Kind.COPY, (self._transposed[x][0],), (x,)))
        return x

    def transpose(self, x: Operand, shape: Shape, order: Sequence[int]) -> Operand:
        """The axes of ``x``, at present of shape ``shape``, in another order; free where no element moves."""
        if x is None or x < 0:
            return x
        base, own, turned = x, shape, tuple(order)
        if x in self._transposed:
            before, first, earlier = self._transposed[x]
            if tuple(first[axis] for axis in earlier) == shape:
                base, own, turned = before, first, tuple(earlier[axis] for axis in order)
        if not _moves(own, turned):
            return base
        self.read(base)
        result = self.value([own[axis] for axis in turned])
        self._transposed[result] = (base, own, turned)
        return result

    def stored(self, x: Operand) -> Operand:
        """The value that ``x`` is a part or another order of, for a kernel that reads it where it lies."""
        if x in self._transposed:
            return self.stored(self._transposed[x][0])
        made = next((op for op in reversed(self.ops) if x in op.outputs), None)
        return self.stored(made.inputs[0]) if made is not None and made.type == "slice" else x

    def narrow(self, x: Operand, shape: Shape) -> None:
        """Give the result of the last operator, a pooling, without axes of size 1."""
        if self.ops and self.ops[-1].kind is Kind.POOLING and self.ops[-1].outputs == (x,):
            self.shapes[self.ops[-1].outputs[0]] = shape

    def convolution(
        self,
        operands: Sequence[Operand],
        source: Shape,
        weight: Shape,
        output: Shape,
        window: Window,
        groups: int,
        back: bool,
    ) -> Operand:
        """A convolution.

        Args:
            operands: The input, the weight, and if given a bias, and a tensor to add, as large as the result.
            source: ``(N, I, *pixels)`` of the input.
            weight: ``(O, I/groups, *window)``, or ``(I, O/groups, *window)`` when ``back``.
            output: ``(N, O, *pixels)``.
            window: How it slides.
            groups: How many parts of the channels are convolved on their own.
            back: Whether this is a transposed convolution.
        """
        inputs = self._inputs(operands)
        if not inputs:
            return None if operands[0] != ZERO else ZERO if len(operands) == 2 else UNIFORM
        result = self.value(output)
        # A transposed convolution scatters: every input element meets every weight of its group once.
        macs = (math.prod(source) if back else math.prod(output)) * math.prod(weight[1:])
        kind = Kind.TRANSPOSED if back else convolution_kind(weight, window, groups)
        vector = output[1] if len(operands) > 2 and not is_value(operands[2]) else 0
        weights = 0 if is_value(operands[1]) else math.prod(weight)
        constants = len(operands) - len(inputs)
        op = Op("conv", kind, inputs, (result,), 2 * macs, 0, weights, vector, constants)
        self.ops.append(replace(op, weight=tuple(weight), window=window, source=tuple(source), result=tuple(output)))
        return result

    def dense(self, operands: Sequence[Operand], sizes: Sequence[Shape], output: Shape, depth: int) -> Operand:
        """A matrix product with ``depth`` products per output; a third operand is added to the result.

        Rows of a batch are rows of the product: the result is kept as ``(rows, columns)``, or for two activations
        as ``(products, rows, columns)``, however many axes the framework spreads them over.
        """
        inputs = self._inputs(operands)
        if not inputs:
            return ZERO if ZERO in operands and len(operands) == 2 else None
        constant = [0 if is_value(o) else math.prod(s) for o, s in zip(operands, sizes, strict=True)]
        weights, vector = sum(constant[:2]), sum(constant[2:])
        activations = not weights
        kept = 3 if activations else 2
        shape = (math.prod(output[: 1 - kept]), *output[1 - kept :]) if len(output) > kept else output
        result = self.value(shape)
        name, kind = ("attention", Kind.ATTENTION) if activations else ("dense", Kind.DENSE)
        flops = 2 * math.prod(output) * depth
        constants = len(operands) - len(inputs)
        op = Op(name, kind, inputs, (result,), flops, 0, weights, vector, constants, result=tuple(shape))
        self.ops.append(op)
        self._products.add(result)
        return result

    def attention(self, operands: Sequence[Operand], output: Shape, flops: int, weights: int) -> Operand:
        """An attention layer that a runtime executes as one kernel."""
        inputs = self._inputs(operands)
        if not inputs:
            return None
        result = self.value(output)
        constants = len(operands) - len(inputs)
        op = Op("attention", Kind.ATTENTION, inputs, (result,), flops, 0, weights, 0, constants, result=tuple(output))
        self.ops.append(op)
        return result

    def recurrent(
        self,
        name: str,
        operands: Sequence[Operand],
        positions: tuple[int, int],
        hidden: int,
        weights: Sequence[int],
        biases: Sequence[int],
    ) -> list[Operand]:
        """All steps of one layer, one operator per direction.

        Args:
            name: ``lstm``, ``gru`` or ``rnn``.
            operands: The input, and where they are given the states that the first step starts from.
            positions: Steps and batch, ``(T, N)``.
            hidden: Features that one direction returns.
            weights: Elements of all matrices, for each direction.
            biases: Elements of all biases, for each direction.

        Returns:
            The results of all steps ``(T x N, directions x hidden)``, and the last of each state ``(N, directions x
            hidden)``; an LSTM has two.
        """
        inputs = self._inputs(operands)
        rows = math.prod(positions)
        sizes = [(rows, hidden), *[(positions[1], hidden)] * (2 if name == "lstm" else 1)]
        if not inputs:
            return [None] * len(sizes)
        parts: list[tuple[int, ...]] = []
        for count, bias in zip(weights, biases, strict=True):
            outputs = tuple(self.value(size) for size in sizes)
            flops = 2 * count * rows
            op = Op(name, Kind.RECURRENT, inputs, outputs, flops, 0, count, bias, 2 if bias else 1)
            self.ops.append(replace(op, result=sizes[0], steps=positions[0]))
            parts.append(outputs)
        if len(parts) == 1:
            return list(parts[0])
        # Both directions write where their results are wanted, side by side.
        whole = [self.value((count, len(parts) * width)) for count, width in sizes]
        joined = zip(zip(*parts, strict=True), whole, strict=True)
        self.ops += [Op("update", Kind.COPY, halves, (result,)) for halves, result in joined]
        return [*whole]

    def simple(
        self,
        name: str,
        operands: Sequence[Operand],
        sizes: Sequence[Shape],
        outputs: Sequence[Shape],
        window: Window | None = None,
        reads: int | None = None,
        axes: Sequence[int] = (),
    ) -> list[Operand]:
        """Any other operator; a split is as many slices, since frameworks write one as the other.

        Args:
            name: One of ``TYPES``, or a name that this room does not know.
            operands: In the framework's order.
            sizes: Their shapes.
            outputs: Shapes of the results.
            window: Of a pooling.
            reads: Inputs that one output of anything else reads, where that is known.
            axes: Along which a softmax or a reduction works.
        """
        if name == "split":
            return [self.simple("slice", operands, sizes, [shape])[0] for shape in outputs]
        inputs = self._inputs(operands)
        if not inputs:
            return [_constant(name, operands)] * len(outputs)
        if len(operands) == 2 and len(outputs) == 1 and _neutral(name, operands, sizes, outputs[0]):
            return [inputs[0]]
        if name in ("gather", "slice") and operands[0] is None:
            name = "embedding"
        if name == "add" and len(inputs) == 1 and inputs[0] in self._products:
            outputs = [self.shapes[inputs[0]]]  # a bias leaves the result as rows and columns
        results = tuple(self.value(shape) for shape in outputs)
        constant = [_elements(o, s) for o, s in zip(operands, sizes, strict=True) if not is_value(o)]
        kind = KIND_OF.get(name, Kind.OTHER)
        # Constants of other kinds are axes and sizes, or tables of which only the looked-up rows move.
        computes = kind in (Kind.ELEMENTWISE, Kind.NORMALISATION)
        vector = max((count for count in constant if count > 1), default=0) if computes else 0
        weights = math.prod(sizes[0]) if kind is Kind.EMBEDDING else 0
        work = _work(kind, sizes, outputs, window.size if window else reads)
        # A zero of the size of a channel is a bias or a shift that was not trained yet, and no runtime looks for it.
        sums = name in SUMS and math.prod(outputs[0]) not in constant
        zero = ZERO in operands and kind is Kind.ELEMENTWISE and not sums
        op = Op(name, kind, inputs, results, 0, work, weights, vector, len(constant), zero, (), window)
        self.ops.append(replace(op, across=True) if axes and gathers(kind, sizes[0], axes) else op)
        return list(results)

    def graph(self, inputs: Sequence[int], outputs: Sequence[tuple[Operand, Shape]], parameters: int) -> Graph:
        """The graph between these inputs and outputs, each output with the shape that its last view gave it."""
        kept: list[int] = []
        for value, shape in outputs:
            if value is None or value < 0:
                continue
            self.read(value)
            kept.append(value)
            if math.prod(self.shapes[value]) == math.prod(shape):
                self.shapes[value] = tuple(shape)
        return Graph(tuple(self.ops), tuple(self.shapes), tuple(inputs), tuple(kept), parameters)

    def _inputs(self, operands: Sequence[Operand]) -> tuple[int, ...]:
        if self._transposed:
            for operand in operands:
                self.read(operand)
        return tuple(operand for operand in operands if operand is not None and operand >= 0)


def is_value(operand: Operand) -> bool:
    """Whether an operand is computed, and no constant."""
    return operand is not None and operand >= 0


def _elements(operand: Operand, shape: Shape) -> int:
    """How many numbers a constant holds."""
    return shape[1] if operand == UNIFORM and len(shape) > 2 else math.prod(shape)


def _constant(name: str, operands: Sequence[Operand]) -> Operand:
    """What an operator makes of constants alone: many make zero of zero."""
    zeros = [operand == ZERO for operand in operands]
    if any(zeros) if name == "mul" else all(zeros) if name in SUMS else zeros[0] and name in KEEPS_ZERO:
        return ZERO
    known = [operand in (ZERO, ONE, UNIFORM) for operand in operands]
    uniform = name in KEEPS_UNIFORM and (all(known) if KIND_OF[name] is Kind.ELEMENTWISE else known[0])
    return UNIFORM if uniform else None


def _neutral(name: str, operands: Sequence[Operand], sizes: Sequence[Shape], output: Shape) -> bool:
    """Whether this is a sum with the number zero or a product with the number one, which no runtime computes."""
    for place, operand in enumerate(operands):
        if operand in (ZERO, ONE) and math.prod(sizes[place]) == 1:
            second = place == 1
            wanted = {"add": ZERO, "mul": ONE, "sub": ZERO if second else None, "div": ONE if second else None}
            return wanted.get(name) == operand and math.prod(sizes[1 - place]) == math.prod(output)
    return False


def _work(kind: Kind, sizes: Sequence[Shape], outputs: Sequence[Shape], reads: int | None) -> int:
    written = sum(math.prod(shape) for shape in outputs)
    if reads is not None:
        return reads * written
    if kind is Kind.COPY:
        return 0
    if kind is Kind.EMBEDDING:
        return math.prod(sizes[1]) * sizes[0][-1] if len(sizes) > 1 else written
    return math.prod(sizes[0]) if kind is Kind.POOLING else written


def _moves(shape: Shape, order: Sequence[int]) -> bool:
    """Whether a permutation of axes changes the memory layout: moving axes of size 1 does not."""
    kept = [axis for axis in order if shape[axis] != 1]
    return kept != sorted(kept)


def convolution_kind(weight: Shape, window: Window, groups: int) -> Kind:
    """What prices a convolution with a weight ``(O, I/groups, *window)``."""
    if groups > 1:
        return Kind.DEPTHWISE if weight[1] == 1 else Kind.GROUPED
    if window.size == 1:
        return Kind.POINTWISE
    winograd = window.taps == (3, 3) and {*window.stride, *window.dilation} == {1}
    return Kind.CONV3X3 if winograd else Kind.CONV
