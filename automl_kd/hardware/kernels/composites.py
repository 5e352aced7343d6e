"""Functions that one framework writes as one operator and another as several: all become one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterator, Mapping
from dataclasses import replace

from automl_kd.hardware.kernels.graph import Graph, Kind, Op

_X = "x"  # the function's argument; wherever it occurs it is the same value
Pattern = str | tuple["str | Pattern", ...]

_NORMALISED: Pattern = (
    *("div", ("sub", _X, ("mean", _X))),
    ("sqrt", ("add", ("mean", ("pow", ("sub", _X, ("mean", _X)))))),
)
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
    ("layernorm", Kind.NORMALISATION, ("add", ("mul", _NORMALISED))),
    ("layernorm", Kind.NORMALISATION, _NORMALISED),
    ("groupnorm", Kind.NORMALISATION, ("add", ("mul", ("instancenorm", _X)))),
    ("avgpool", Kind.POOLING, ("avgpool", ("pad", _X))),
)
"""(name, kind, pattern): an operator with its non-constant operands, nested; constants are left out of both."""


_ENDS = frozenset(pattern[0] for _, _, pattern in COMPOSITES)


def merge_composites(graph: Graph, names: Container[str] | None = None) -> Graph:
    """The graph with every occurrence of a pattern replaced by its one operator; of these names where some are given.

    The inner results of an occurrence must have no reader outside it. Longer patterns that contain shorter ones
    match because the outermost operator is tried first.
    """
    if not any(op.type in _ENDS for op in graph.ops):
        return graph
    makers = {value: op for op in graph.ops for value in op.outputs}
    uses = Counter(value for op in graph.ops for value in set(op.inputs))
    uses.update(graph.outputs)
    gone: set[int] = set()
    kept: list[Op] = []
    for op in reversed(graph.ops):
        if id(op) in gone:
            continue
        match = _first_match(op, makers, uses, names) if op.type in _ENDS else None
        if match is None:
            kept.append(op)
            continue
        merged, parts = match
        for part in parts:
            uses.subtract(set(part.inputs))
        uses.update(merged.inputs)
        gone.update(id(part) for part in parts)
        kept.append(merged)
    return replace(graph, ops=tuple(reversed(kept)))


def _first_match(
    op: Op, makers: Mapping[int, Op], uses: Mapping[int, int], names: Container[str] | None
) -> tuple[Op, tuple[Op, ...]] | None:
    for name, kind, pattern in COMPOSITES:
        if names is not None and name not in names:
            continue
        for x, parts in _match(pattern, op, makers, None):
            distinct = {id(part): part for part in parts}.values()
            inside = Counter(value for part in distinct for value in set(part.inputs))
            escapes = any(uses[value] > inside[value] for part in distinct if part is not op for value in part.outputs)
            if x is not None and not escapes:
                vector = max(part.vector for part in distinct)
                return replace(op, type=name, kind=kind, inputs=(x,), vector=vector, constants=0), tuple(distinct)
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
