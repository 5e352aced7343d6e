"""Graphs to the kernels that a runtime executes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

from automl_kd.hardware._kernels.blocked import BlockedLayout
from automl_kd.hardware._kernels.composites import merge_composites
from automl_kd.hardware._kernels.fusion import Group, fuse
from automl_kd.hardware._kernels.graph import COMPUTE, Graph, Kind, Op
from automl_kd.hardware._kernels.kernel import Kernel, Network
from automl_kd.hardware._kernels.quantised import is_narrow, precision_notes, with_integers
from automl_kd.hardware._kernels.rules import Dead, Rules, Zeros, rules_of


def lower(
    graph: Graph,
    runtime: str,
    element_bytes: int,
    lanes: int | None = None,
    dead_code: tuple[Zeros, Dead] | None = None,
) -> Network:
    """The kernels that ``runtime`` executes for ``graph``, with every number stored in ``element_bytes`` bytes.

    Args:
        graph: Of a module or a file.
        runtime: One of ``runtimes()``.
        element_bytes: Bytes of a number.
        lanes: Numbers in a vector register, where the runtime lays activations out in blocks of as many channels.
        dead_code: What becomes of zeros and of dead operators, where that is not as the runtime's table says.

    Raises:
        UserError: If there are no rules for the runtime.
    """
    rules = rules_of(runtime)
    if dead_code is not None:
        rules = replace(rules, zeros=dead_code[0], dead=dead_code[1])
    notes = (*graph.notes, *precision_notes(graph, rules.integers is not None, element_bytes))
    graph = merge_composites(with_integers(graph, rules.integers), rules.composites)
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
    kernels, even = tuple(single), tuple[Kernel, ...]()
    if rules.blocked is not None and lanes is not None:
        layout = BlockedLayout(graph, rules.blocked, lanes, element_bytes)
        kernels = _laid_out(layout, paid, single)
        if layout.uneven:
            even = _laid_out(BlockedLayout(graph, rules.blocked, lanes, element_bytes, even=True), paid, single)
    return Network(
        kernels=kernels,
        peak=_peak(groups, graph, element_bytes),
        weights=sum(_bytes(group, _weights(group), rules, element_bytes, group.lead.stored) for group in paid),
        parameters=graph.parameters,
        input=graph.shapes[graph.inputs[0]] if graph.inputs else (),
        output=graph.shapes[graph.outputs[0]] if graph.outputs else (),
        unknown=tuple(sorted({op.type for op in graph.ops if op.kind is Kind.OTHER})),
        notes=notes,
        even=even,
    )


def _laid_out(layout: BlockedLayout, groups: Sequence[Group], single: Sequence[Kernel]) -> tuple[Kernel, ...]:
    """The kernels of groups in a layout, from those without one."""
    kernels = (kernel for pair in zip(groups, single, strict=True) for kernel in layout.kernels(*pair))
    return tuple(each if each.speed is None else _sped_up(each, each.speed) for each in kernels)


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
    number = 1 if lead.integer else element_bytes
    return Kernel(
        kind=lead.kind,
        flops=lead.flops,
        operations=lead.flops if lead.kind in COMPUTE else round(_elementary(group, rules)),
        read=read * number,
        written=sum(math.prod(shape) for shape in outputs) * number,
        weights=_bytes(group, weights, rules, element_bytes, lead.stored if lead.integer else None),
        inputs=inputs,
        output=outputs[0],
        on_host=on_host,
        speed=_speed(lead, rules),
        times=lead.times,
    )


def _elementary(group: Group, rules: Rules) -> float:
    """Elementary operations of operators without multiply-accumulates."""
    return sum(op.work * rules.elementary.get(f"{op.type} across" if op.across else op.type, 1.0) for op in group.ops)


def _speed(lead: Op, rules: Rules) -> float | None:
    """How many times as fast as with floats an operator's arithmetic is; ``None`` of floats."""
    if rules.integers is None or not lead.integer:
        return None
    return rules.integers.get(lead.type, rules.integers.get(lead.kind, 1.0))


def _sped_up(kernel: Kernel, speed: float) -> Kernel:
    return replace(kernel, operations=round(kernel.operations / speed))


def _bytes(group: Group, weights: int, rules: Rules, element_bytes: int, stored: int | None) -> int:
    """Bytes of so many weights: of the target's precision, unless the runtime keeps fewer or they are stored in fewer.

    A runtime that computes with floats makes floats of stored integers when it loads a network.
    """
    bits = 8 * element_bytes
    if rules.dense_weight_bytes is not None and group.lead.kind is Kind.DENSE:
        bits = min(bits, 8 * rules.dense_weight_bytes)
    if stored is not None:
        bits = min(bits, stored)
    return -(-weights * bits // 8)


def _weights(group: Group) -> int:
    """Elements of weights: scales and biases fold to one vector, a normalisation of its own keeps scale and shift."""
    if group.lead.kind is Kind.EMBEDDING:
        return group.lead.weights
    vectors = [op.vector for op in group.ops]
    if group.lead.kind in COMPUTE:
        return group.lead.weights + max(vectors)
    return 2 * vectors[0] if group.lead.kind is Kind.NORMALISATION else sum(vectors)


def _peak(groups: Sequence[Group], graph: Graph, element_bytes: int) -> int:
    """Bytes alive at once: a value lives from the kernel that writes it to the last that reads it."""
    last = {value: index for index, group in enumerate(groups) for value in group.inputs}
    last |= dict.fromkeys(graph.outputs, len(groups))
    narrow = {value for group in groups if is_narrow(group.ops[-1], group.lead) for value in group.outputs}

    def size(values: Iterable[int]) -> int:
        return sum(math.prod(graph.shapes[value]) * (1 if value in narrow else element_bytes) for value in values)

    live = peak = size(graph.inputs)
    for index, group in enumerate(groups):
        live += size(group.outputs)
        peak = max(peak, live)
        live -= size({value for value in (*group.inputs, *group.outputs) if last.get(value, -1) <= index})
    return peak
