"""Graphs to the kernels that a runtime executes."""

from __future__ import annotations

import math
from collections.abc import Sequence

from automl_kd.hardware._kernels.blocked import BlockedLayout
from automl_kd.hardware._kernels.composites import merge_composites
from automl_kd.hardware._kernels.fusion import Group, fuse
from automl_kd.hardware._kernels.graph import COMPUTE, Graph, Kind
from automl_kd.hardware._kernels.kernel import Kernel, Network
from automl_kd.hardware._kernels.rules import Rules, rules_of


def lower(graph: Graph, runtime: str, element_bytes: int, lanes: int | None = None) -> Network:
    """The kernels that ``runtime`` executes for ``graph``, with every number stored in ``element_bytes`` bytes.

    Args:
        graph: Of a module or a file.
        runtime: One of ``runtimes()``.
        element_bytes: Bytes of a number.
        lanes: Numbers in a vector register, where the runtime lays activations out in blocks of as many channels.

    Raises:
        UserError: If there are no rules for the runtime.
    """
    rules = rules_of(runtime)
    graph = merge_composites(graph)
    if rules.zeros == "fold":
        graph = graph.without_zeros()
    elif rules.zeros == "store":
        graph = graph.with_zeros_stored()
    if rules.dead == "drop":
        graph = graph.live().without_duplicates()
    groups = fuse(graph, rules)
    paid = [group for group in groups if group.lead.type not in rules.free]
    supported = len(paid) if rules.accelerated is None else _supported(paid, rules.accelerated)
    single = [_kernel(group, graph, rules, element_bytes, n >= supported) for n, group in enumerate(paid)]
    kernels = single
    if rules.blocked is not None and lanes is not None:
        layout = BlockedLayout(graph, rules.blocked, lanes, element_bytes)
        kernels = [each for pair in zip(paid, single, strict=True) for each in layout.kernels(*pair)]
    return Network(
        kernels=tuple(kernels),
        peak=_peak(groups, graph) * element_bytes,
        weights=sum(_weights(group) * _weight_bytes(group, rules, element_bytes) for group in paid),
        parameters=graph.parameters,
        input=graph.shapes[graph.inputs[0]],
        output=graph.shapes[graph.outputs[0]] if graph.outputs else (),
        unknown=tuple(sorted({op.type for op in graph.ops if op.kind is Kind.OTHER})),
    )


def _supported(groups: Sequence[Group], accelerated: frozenset[str]) -> int:
    """How many kernels come before the first with an operator that the accelerator lacks."""
    for number, group in enumerate(groups):
        if any(op.type not in accelerated for op in group.ops):
            return number
    return len(groups)


def _kernel(group: Group, graph: Graph, rules: Rules, element_bytes: int, on_host: bool) -> Kernel:
    lead = group.lead
    inputs = tuple(graph.shapes[value] for value in group.inputs)
    outputs = [graph.shapes[value] for value in group.outputs]
    read = sum(math.prod(shape) for shape in inputs)
    if lead.type in ("slice", "gather"):
        read = min(read, math.prod(outputs[0]))  # what is not selected is not read
    weights = lead.work if lead.kind is Kind.EMBEDDING else _weights(group)  # only the rows looked up are read
    return Kernel(
        kind=lead.kind,
        flops=lead.flops,
        operations=lead.flops if lead.kind in COMPUTE else sum(op.work for op in group.ops),
        read=read * element_bytes,
        written=sum(math.prod(shape) for shape in outputs) * element_bytes,
        weights=weights * _weight_bytes(group, rules, element_bytes),
        inputs=inputs,
        output=outputs[0],
        on_host=on_host,
    )


def _weight_bytes(group: Group, rules: Rules, element_bytes: int) -> int:
    """Bytes of one weight."""
    narrow = rules.dense_weight_bytes if group.lead.kind is Kind.DENSE else None
    return element_bytes if narrow is None else min(element_bytes, narrow)


def _weights(group: Group) -> int:
    """Elements of weights: scales and biases fold to one vector, a normalisation of its own keeps scale and shift."""
    if group.lead.kind is Kind.EMBEDDING:
        return group.lead.weights
    vectors = [op.vector for op in group.ops]
    if group.lead.kind in COMPUTE:
        return group.lead.weights + max(vectors)
    return 2 * vectors[0] if group.lead.kind is Kind.NORMALISATION else sum(vectors)


def _peak(groups: Sequence[Group], graph: Graph) -> int:
    """Elements alive at once: a value lives from the kernel that writes it to the last that reads it."""
    last = {value: index for index, group in enumerate(groups) for value in group.inputs}
    last |= dict.fromkeys(graph.outputs, len(groups))
    live = sum(math.prod(graph.shapes[value]) for value in graph.inputs)
    peak = live
    for index, group in enumerate(groups):
        live += sum(math.prod(graph.shapes[value]) for value in group.outputs)
        peak = max(peak, live)
        dead = {value for value in (*group.inputs, *group.outputs) if last.get(value, -1) <= index}
        live -= sum(math.prod(graph.shapes[value]) for value in dead)
    return peak
