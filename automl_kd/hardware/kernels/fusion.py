"""Which operators a runtime executes as one kernel."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from automl_kd.hardware.kernels.graph import Graph, Op, Shape
from automl_kd.hardware.kernels.rules import Rules, Step


@dataclass(frozen=True, slots=True)
class Group:
    """Operators executed as one kernel.

    Attributes:
        lead: The operator that decides the kernel's kind.
        ops: All of them, in execution order.
        inputs: Values read from outside the group.
        outputs: Values that the last operator writes.
    """

    lead: Op
    ops: tuple[Op, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


def fuse(graph: Graph, rules: Rules) -> tuple[Group, ...]:
    """The kernels that a runtime makes of a graph, in execution order; free operators are among them."""
    return _Fusion(graph, rules).groups()


class _Fusion:
    def __init__(self, graph: Graph, rules: Rules) -> None:
        self._graph = graph
        self._rules = rules
        self._readers: dict[int, list[Op]] = defaultdict(list)
        self._made_at: dict[int, int] = {}
        for index, op in enumerate(graph.ops):
            for value in set(op.inputs):
                self._readers[value].append(op)
            for value in op.outputs:
                self._made_at[value] = index
        self._outputs = frozenset(graph.outputs)
        self._absorbed: set[int] = set()

    def groups(self) -> tuple[Group, ...]:
        groups: list[Group] = []
        waiting: dict[int, Op] = {}
        for index, op in enumerate(self._graph.ops):
            if id(op) in self._absorbed:
                continue
            reader = self._only_reader(op)
            if reader is not None and op.type in self._rules.before.get(reader.type, ()):
                waiting[id(reader)] = op
                continue
            chain = [op]
            self._extend(chain, index)
            before = waiting.pop(id(op), None)
            groups.append(_group(op, chain if before is None else [before, *chain]))
        return tuple(groups)

    def _extend(self, chain: list[Op], index: int) -> None:
        """Absorb the epilogue of the operator at ``index``."""
        steps = self._rules.then.get(chain[0].type)
        if not steps or chain[0].integer:  # what joins a kernel of integers has done so before
            return
        channels = _channels(chain[0], self._graph.shapes)
        for step in steps:
            while True:
                reader = self._only_reader(chain[-1])
                if reader is None or id(reader) in self._absorbed:
                    return
                if not self._joins(reader, step, chain[-1].outputs[0], index, channels):
                    break
                chain.append(reader)
                self._absorbed.add(id(reader))
                if not step.repeated:
                    break

    def _only_reader(self, op: Op) -> Op | None:
        """Who reads the result of ``op``, if that is one operator and the result is no output."""
        value = op.outputs[0]
        readers = self._readers.get(value)
        if readers is None or len(readers) > 1 or len(op.outputs) > 1 or value in self._outputs:
            return None
        return readers[0] if readers[0].times == op.times else None

    def _joins(self, reader: Op, step: Step, value: int, index: int, channels: int) -> bool:
        others = [other for other in reader.inputs if other != value]
        if step.followed is not None:
            follower = self._only_reader(reader)
            if follower is None or follower.type not in step.followed:
                return False
        if reader.type in step.types:
            # A second operand must have been computed when the kernel starts.
            return all(self._made_at.get(other, -1) < index for other in others)
        return reader.type in step.constants and not others and reader.vector <= channels


def _channels(op: Op, shapes: tuple[Shape, ...]) -> int:
    """How many channels the result has: convolutions count them on the second axis, matrix products on the last."""
    shape = shapes[op.outputs[0]] or (1,)
    return shape[-1] if op.type == "dense" or len(shape) < 2 else shape[1]


def _group(lead: Op, ops: list[Op]) -> Group:
    inside = {value for op in ops for value in op.outputs}
    inputs = dict.fromkeys(value for op in ops for value in op.inputs if value not in inside)
    return Group(lead, tuple(ops), tuple(inputs), ops[-1].outputs)
