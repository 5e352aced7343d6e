"""Functions that one framework writes as one operator and another as several: all become one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from automl_kd.hardware._kernels.graph import Graph, Kind, Op

_X = "x"  # the function's argument; wherever it occurs it is the same value
Pattern = str | tuple["str | Pattern", ...]

COMPOSITES: tuple[tuple[str, Kind, Pattern], ...] = (
    ("silu", Kind.ELEMENTWISE, ("mul", _X, ("sigmoid", _X))),
    ("hardswish", Kind.ELEMENTWISE, ("mul", _X, ("hardsigmoid", _X))),
    ("hardswish", Kind.ELEMENTWISE, ("div", ("mul", _X, ("clip", ("add", _X))))),
    ("hardswish", Kind.ELEMENTWISE, ("mul", ("mul", _X, ("clip", ("add", _X))))),
    ("hardswish", Kind.ELEMENTWISE, ("mul", _X, ("div", ("clip", ("add", _X))))),
    ("hardswish", Kind.ELEMENTWISE, ("mul", _X, ("mul", ("clip", ("add", _X))))),
    ("hardsigmoid", Kind.ELEMENTWISE, ("div", ("clip", ("add", _X)))),
    ("mish", Kind.ELEMENTWISE, ("mul", _X, ("tanh", ("softplus", _X)))),
    ("gelu", Kind.ELEMENTWISE, ("mul", ("mul", _X, ("add", ("erf", ("div", _X)))))),
    ("gelu", Kind.ELEMENTWISE, ("mul", _X, ("mul", ("add", ("erf", ("div", _X)))))),
    ("gelu", Kind.ELEMENTWISE, ("mul", ("mul", _X), ("add", ("erf", ("div", _X))))),
    (
        "layernorm",
        Kind.NORMALISATION,
        ("div", ("sub", _X, ("mean", _X)), ("sqrt", ("add", ("mean", ("pow", ("sub", _X, ("mean", _X))))))),
    ),
)
"""(name, kind, pattern): an operator with its non-constant operands, nested; constants are left out of both."""


def merge_composites(graph: Graph) -> Graph:
    """The graph with every occurrence of a pattern replaced by its one operator.

    The inner results of an occurrence must have no reader outside it. Longer patterns that contain shorter ones
    match because the outermost operator is tried first.
    """
    ops = list(graph.ops)
    index = len(ops) - 1
    while index >= 0:
        match = _first_match(ops, index, graph)
        if match is not None:
            merged, gone = match
            ops[index] = merged
            ops = [op for op in ops if id(op) not in gone]
            index = ops.index(merged)
        index -= 1
    return replace(graph, ops=tuple(ops))


def _first_match(ops: list[Op], index: int, graph: Graph) -> tuple[Op, set[int]] | None:
    op = ops[index]
    candidates = [entry for entry in COMPOSITES if entry[2][0] == op.type]
    if not candidates:
        return None
    makers = {value: other for other in ops for value in other.outputs}
    for name, kind, pattern in candidates:
        for x, inner in _match(pattern, op, makers, None):
            parts = {id(part) for part in inner}
            inside = {value for part in inner if part is not op for value in part.outputs}
            escapes = inside & set(graph.outputs) or any(
                inside.intersection(other.inputs) for other in ops if id(other) not in parts
            )
            if x is not None and not escapes:
                vector = max(part.vector for part in inner)
                merged = Op(name, kind, (x,), op.outputs, vector=vector)
                return merged, parts - {id(op)}
    return None


def _match(
    pattern: Pattern, op: Op, makers: Mapping[int, Op], x: int | None
) -> Iterator[tuple[int | None, tuple[Op, ...]]]:
    """Every way to read ``op`` as ``pattern``: the argument it would have, and the operators it would cover."""
    wanted = pattern[1:]
    if op.type != pattern[0] or len(op.inputs) != len(wanted):
        return
    orders = [op.inputs] if len(wanted) < 2 or op.type in ("sub", "div") else [op.inputs, op.inputs[::-1]]
    for order in orders:
        yield from _match_operands(tuple(wanted), order, makers, x, (op,))


def _match_operands(
    wanted: tuple[Pattern, ...],
    operands: tuple[int, ...],
    makers: Mapping[int, Op],
    x: int | None,
    covered: tuple[Op, ...],
) -> Iterator[tuple[int | None, tuple[Op, ...]]]:
    if not wanted:
        yield x, covered
        return
    head, operand = wanted[0], operands[0]
    if isinstance(head, str):
        if x is None or x == operand:
            yield from _match_operands(wanted[1:], operands[1:], makers, operand, covered)
        return
    maker = makers.get(operand)
    if maker is not None:
        for bound, inner in _match(head, maker, makers, x):
            yield from _match_operands(wanted[1:], operands[1:], makers, bound, covered + inner)
