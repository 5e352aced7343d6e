"""Which operators of a quantised network a runtime computes with integers, and where it converts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container
from dataclasses import replace

from automl_kd.hardware.kernels.graph import COMPUTE, Graph, Kind, Op

_CONVERSIONS = frozenset({"quantize", "dequantize"})
_ACTIVATIONS = frozenset({"relu", "clip"})  # a range that quantisation keeps anyhow
_INTEGER_BITS = 8
INTEGER_CONVOLUTIONS = {False: "convinteger", True: "convsigned"}
"""A convolution that gives sums of 32 bits, for others to scale, by whether its weights have a sign."""


def with_integers(graph: Graph, kinds: Container[str] | None) -> Graph:
    """The graph as a runtime executes it that has kernels of 8-bit integers for these kinds or types.

    An operator between a dequantisation of all its operands and a quantisation of its result is one such kernel; what
    a runtime has no such kernel for it converts, computes with floats, and converts back.

    Args:
        graph: With conversions as operators.
        kinds: ``None`` of a runtime without such kernels, which drops conversions when it loads a network.
    """
    if not is_quantised(graph):
        return graph
    if kinds is None:
        floats = replace(graph, ops=tuple(_as_floats(op) for op in graph.ops))
        return _without(floats, {id(op) for op in floats.ops if op.type in _CONVERSIONS})
    makers = {value: op for op in graph.ops for value in op.outputs}
    readers: dict[int, list[Op]] = defaultdict(list)
    for op in graph.ops:
        for value in op.inputs:
            readers[value].append(op)
    integer: set[int] = set()  # operators, by identity
    absorbed: set[int] = set()
    for op in graph.ops:
        sources = [makers.get(value) for value in op.inputs]
        if op.integer or (integer_name(op) in kinds and _is_quantised(op, sources, readers[op.outputs[0]])):
            integer.add(id(op))
        elif sources and id(sources[0]) in integer | absorbed and op.type in _ACTIVATIONS | {"quantize"}:
            absorbed.add(id(op))
        elif op.type == "quantize" and sources[0] is not None and sources[0].type == "dequantize":
            absorbed.add(id(op))  # nothing, or only a view, lies between the two
    taking = integer | absorbed
    absorbed |= {
        id(op)
        for op in graph.ops
        if op.type == "dequantize"
        and op.outputs[0] not in graph.outputs
        and all(id(each) in taking for each in readers[op.outputs[0]])
    }
    marked = {id(op): replace(op, integer=id(op) in integer) for op in graph.ops}
    gone = {id(marked[each]) for each in absorbed}
    return _without(replace(graph, ops=tuple(marked[id(op)] for op in graph.ops)), gone)


def integer_name(op: Op) -> str:
    """What a table of kernels of integers calls an operator: convolutions and recurrent layers by their kind."""
    return op.kind if op.type == "conv" or op.kind is Kind.RECURRENT else op.type


def is_quantised(graph: Graph) -> bool:
    """Whether some of a graph is integers of 8 bits."""
    return any(op.integer or op.type in _CONVERSIONS for op in graph.ops)


def narrow_inputs(graph: Graph) -> frozenset[int]:
    """The inputs of a graph that are integers of 8 bits already."""
    taken = (value for op in graph.ops if op.integer or op.type == "dequantize" for value in op.inputs)
    return frozenset(taken).intersection(graph.inputs)


def is_narrow(last: Op, lead: Op) -> bool:
    """Whether a kernel writes integers of 8 bits: ``last`` of its operators, the ``lead`` among them."""
    return last.type == "quantize" or (lead.integer and last.type != "dequantize")


def precision_notes(graph: Graph, computes: bool, element_bytes: int, weight_bytes: int) -> tuple[str, ...]:
    """What is said of the precision that a file is stored in.

    Args:
        graph: With conversions as operators.
        computes: Whether the runtime computes with integers.
        element_bytes: Bytes of a number of the target.
        weight_bytes: Bytes of a weight of the target.
    """
    quantised = is_quantised(graph)
    bits, weight_bits = 8 * element_bytes, 8 * weight_bytes
    least = min((op.stored for op in graph.ops if op.stored is not None), default=weight_bits)
    if quantised and computes and bits > _INTEGER_BITS:
        return (
            "what is quantised is priced as integers by a rule, not by this target's fit; the interval allows for it",
        )
    if quantised and weight_bits < bits:
        return (f"what is quantised is priced with weights of {weight_bits} bits and other numbers of {bits}",)
    if quantised and bits > _INTEGER_BITS:
        return (f"what is quantised is priced as floats of {bits} bits, and sized as stored",)
    if least < weight_bits:
        return (f"weights stored in {least} bits are priced as numbers of {weight_bits} bits, and sized as stored",)
    return ()


def _is_quantised(op: Op, sources: list[Op | None], readers: list[Op]) -> bool:
    """Whether an operator takes quantised operands, and multiplies by quantised weights or is quantised again."""
    if not sources or not all(source is not None and source.type == "dequantize" for source in sources):
        return False
    if op.kind in COMPUTE:
        return not op.weights or (op.stored is not None and op.stored <= _INTEGER_BITS)
    return bool(readers) and all(reader.type == "quantize" for reader in readers)


def _as_floats(op: Op) -> Op:
    return replace(op, integer=False, type="conv" if op.type in INTEGER_CONVOLUTIONS.values() else op.type)


def _without(graph: Graph, gone: Container[int]) -> Graph:
    """The graph without these operators, each of which stands for its first operand."""
    same: dict[int, int] = {}
    kept: list[Op] = []
    for op in graph.ops:
        inputs = tuple(same.get(value, value) for value in op.inputs)
        if id(op) in gone:
            same |= dict.fromkeys(op.outputs, inputs[0])
        else:
            kept.append(op if inputs == op.inputs else replace(op, inputs=inputs))
    return replace(graph, ops=tuple(kept), outputs=tuple(same.get(value, value) for value in graph.outputs))
