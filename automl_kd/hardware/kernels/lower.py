"""Graphs to the kernels that a runtime executes."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Container, Sequence, Set
from dataclasses import dataclass, replace

from automl_kd.hardware.kernels.blocked import BlockedLayout
from automl_kd.hardware.kernels.builder import convolution_kind
from automl_kd.hardware.kernels.composites import merge_composites
from automl_kd.hardware.kernels.fusion import Group, fuse
from automl_kd.hardware.kernels.graph import COMPUTE, Graph, Kind, Op
from automl_kd.hardware.kernels.kernel import Kernel, Network
from automl_kd.hardware.kernels.peak import peak_bytes
from automl_kd.hardware.kernels.quantised import integer_name, precision_notes, with_integers
from automl_kd.hardware.kernels.rules import Dead, Rules, Zeros, rules_of


def lower(
    graph: Graph,
    runtime: str,
    element_bytes: int,
    lanes: int | None = None,
    weight_bytes: int | None = None,
    dead_code: tuple[Zeros, Dead] | None = None,
) -> Network:
    """The kernels that ``runtime`` executes for ``graph``.

    Args:
        graph: Of a module or a file.
        runtime: One of ``runtimes()``.
        element_bytes: Bytes of a number.
        lanes: Numbers in a vector register, where the runtime lays activations out in blocks of as many channels.
        weight_bytes: Bytes of a weight, where they are not those of other numbers.
        dead_code: What becomes of zeros and of dead operators, where that is not as the runtime's table says.

    Raises:
        UserError: If there are no rules for the runtime.
    """
    rules = rules_of(runtime)
    if dead_code is not None:
        rules = replace(rules, zeros=dead_code[0], dead=dead_code[1])
    widths = _Widths(element_bytes, element_bytes if weight_bytes is None else weight_bytes)
    notes = (*graph.notes, *precision_notes(graph, rules.integers is not None, element_bytes, widths.weight))
    graph = merge_composites(with_integers(graph, rules.integers), rules.composites)
    if rules.zeros == "fold":
        graph = graph.without_zeros()
    elif rules.zeros == "store":
        graph = graph.with_zeros_stored()
    if rules.dead == "drop":
        graph = graph.live().without_duplicates()
    if rules.rescaled and widths.weight == 1:
        graph = _rescaled(graph, rules.rescaled)
    groups = fuse(graph, rules)
    paid = [group for group in groups if group.lead.type not in rules.free]
    on_host = _on_host(paid, graph, rules)
    single = [_kernel(group, graph, rules, widths, n in on_host) for n, group in enumerate(paid)]
    if rules.unrolled:
        single = [
            _step(kernel, group.lead.steps) if group.lead.type in rules.unrolled else kernel
            for kernel, group in zip(single, paid, strict=True)
        ]
    kernels, even = tuple(single), tuple[Kernel, ...]()
    if rules.blocked is not None and lanes is not None:
        layout = BlockedLayout(graph, rules.blocked, lanes, element_bytes)
        kernels = _laid_out(layout, paid, single)
        if layout.uneven:
            even = _laid_out(BlockedLayout(graph, rules.blocked, lanes, element_bytes, even=True), paid, single)
    return Network(
        kernels=kernels,
        peak=peak_bytes(groups, graph, rules.overwrites, element_bytes),
        weights=sum(_bytes(group, _weights(group), rules, widths, group.lead.stored) for group in paid),
        parameters=graph.parameters,
        input=graph.shapes[graph.inputs[0]] if graph.inputs else (),
        output=graph.shapes[graph.outputs[0]] if graph.outputs else (),
        unknown=tuple(sorted({op.type for op in graph.ops if op.kind is Kind.OTHER})),
        notes=(*notes, *_host_notes(paid, on_host)),
        even=even,
    )


def _laid_out(layout: BlockedLayout, groups: Sequence[Group], single: Sequence[Kernel]) -> tuple[Kernel, ...]:
    """The kernels of groups in a layout, from those without one."""
    kernels = (kernel for pair in zip(groups, single, strict=True) for kernel in layout.kernels(*pair))
    return tuple(each if each.speed is None else _sped_up(each, each.speed) for each in kernels)


def _step(kernel: Kernel, steps: int) -> Kernel:
    """One step of a recurrent kernel, executed as often as there are; weights stay near, and are read once in all."""
    return replace(
        kernel,
        flops=kernel.flops // steps,
        operations=kernel.operations // steps,
        read=kernel.read // steps,
        written=kernel.written // steps,
        weights=kernel.weights // steps,
        times=kernel.times * steps,
    )


def _rescaled(graph: Graph, types: Container[str]) -> Graph:
    """The graph with a conversion behind operators of these types, where others read some of their operands too."""
    uses = Counter([*graph.outputs, *(value for op in graph.ops for value in op.inputs)])
    ops, shapes = list[Op](), list(graph.shapes)
    for op in graph.ops:
        if op.type not in types or all(uses[value] == 1 for value in op.inputs):
            ops.append(op)
            continue
        shape = shapes[op.outputs[0]]
        shapes.append(shape)
        before = (len(shapes) - 1,)
        ops += [
            replace(op, outputs=before),
            Op("cast", Kind.ELEMENTWISE, before, op.outputs, work=math.prod(shape), times=op.times),
        ]
    return replace(graph, ops=tuple(ops), shapes=tuple(shapes))


@dataclass(frozen=True, slots=True)
class _Widths:
    """Bytes of one activation and of one weight."""

    activation: int
    weight: int


def _on_host(groups: Sequence[Group], graph: Graph, rules: Rules) -> Set[int]:
    """Which kernels run beside the accelerator: those it lacks an operator for, and those that the rules let follow."""
    alone = {
        number
        for number, group in enumerate(groups)
        if _rows(graph, group.lead) >= rules.host.get(group.lead.type, math.inf)
    }
    accelerated = rules.accelerated
    if accelerated is None:
        return alone
    lacking = (n for n, group in enumerate(groups) if any(op.type not in accelerated for op in group.ops))
    return alone | set(range(next(lacking, len(groups)), len(groups)))


def _rows(graph: Graph, op: Op) -> int:
    return math.prod(graph.shapes[op.outputs[0]][:-1])


def _host_notes(groups: Sequence[Group], on_host: Set[int]) -> tuple[str, ...]:
    """What is said of kernels that run beside the accelerator."""
    if not on_host:
        return ()
    types = ", ".join(sorted({groups[number].lead.type for number in on_host}))
    return (f"{len(on_host)} of {len(groups)} kernels run beside the accelerator, on the host: {types}",)


def _kernel(group: Group, graph: Graph, rules: Rules, widths: _Widths, on_host: bool) -> Kernel:
    lead = group.lead
    inputs = tuple(graph.shapes[value] for value in group.inputs)
    outputs = [graph.shapes[value] for value in group.outputs]
    read = sum(math.prod(shape) for shape in inputs)
    if lead.type in ("slice", "gather"):
        read = min(read, math.prod(outputs[0]))  # what is not selected is not read
    weights = lead.work if lead.kind is Kind.EMBEDDING else _weights(group)  # only the rows looked up are read
    number = 1 if lead.integer else widths.activation
    kernel = Kernel(
        kind=lead.kind,
        flops=lead.flops,
        operations=lead.flops if lead.kind in COMPUTE else round(_elementary(group, rules)),
        read=read * number,
        written=sum(math.prod(shape) for shape in outputs) * number,
        weights=_bytes(group, weights, rules, widths, lead.stored if lead.integer else None),
        inputs=inputs,
        output=outputs[0],
        on_host=on_host,
        speed=_speed(lead, rules),
        times=lead.times,
    )
    return _of_a_group(kernel, lead) if lead.kind is Kind.GROUPED and rules.groups == "apart" else kernel


def _of_a_group(kernel: Kernel, lead: Op) -> Kernel:
    """The convolution of one group of channels, as often as there are groups."""
    assert lead.window is not None
    groups = lead.source[1] // lead.weight[1]
    (source, *others), output = kernel.inputs, kernel.output
    return replace(
        kernel,
        kind=convolution_kind(lead.weight, lead.window, 1),
        flops=kernel.flops // groups,
        operations=kernel.operations // groups,
        read=kernel.read // groups,
        written=kernel.written // groups,
        weights=kernel.weights // groups,
        inputs=((source[0], source[1] // groups, *source[2:]), *others),
        output=(output[0], output[1] // groups, *output[2:]),
        times=kernel.times * groups,
    )


def _elementary(group: Group, rules: Rules) -> float:
    """Elementary operations of operators without multiply-accumulates."""
    return sum(op.work * rules.elementary.get(f"{op.type} across" if op.across else op.type, 1.0) for op in group.ops)


def _speed(lead: Op, rules: Rules) -> float | None:
    """How many times as fast as with floats an operator's arithmetic is; ``None`` of floats."""
    if rules.integers is None or not lead.integer:
        return None
    return rules.integers.get(integer_name(lead), 1.0)


def _sped_up(kernel: Kernel, speed: float) -> Kernel:
    return replace(kernel, operations=round(kernel.operations / speed))


def _bytes(group: Group, weights: int, rules: Rules, widths: _Widths, stored: int | None) -> int:
    """Bytes of so many weights: of the target's precision, unless the runtime keeps fewer or they are stored in fewer.

    A runtime that computes with floats makes floats of stored integers when it loads a network.
    """
    bits = 8 * widths.weight
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
