"""Memory of the activations that are alive at the same time."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from automl_kd.hardware.kernels.fusion import Group
from automl_kd.hardware.kernels.graph import Graph
from automl_kd.hardware.kernels.quantised import is_narrow, narrow_inputs
from automl_kd.hardware.kernels.rules import Overwrites


def peak_bytes(groups: Sequence[Group], graph: Graph, overwrites: Overwrites, element_bytes: int) -> int:
    """Bytes alive at once: a value lives from the kernel that writes it to the last that reads it.

    Args:
        groups: Kernels in execution order, free ones among them.
        graph: That they were made of.
        overwrites: Which of them write their result over their operand.
        element_bytes: Of a number.
    """
    last = {value: index for index, group in enumerate(groups) for value in group.inputs}
    last |= dict.fromkeys(graph.outputs, len(groups))
    narrow = narrow_inputs(graph) | {
        value for group in groups if is_narrow(group.ops[-1], group.lead) for value in group.outputs
    }

    def size(values: Iterable[int]) -> int:
        return sum(math.prod(graph.shapes[value]) * (1 if value in narrow else element_bytes) for value in values)

    live = peak = size(graph.inputs)
    for index, group in enumerate(groups):
        live += size(group.outputs)
        alone = len(group.inputs) == 1 and last[group.inputs[0]] <= index
        shared = _shared(group, overwrites, size(group.inputs), size(group.outputs)) if alone else 0
        peak = max(peak, live - shared)
        live -= size({value for value in (*group.inputs, *group.outputs) if last.get(value, -1) <= index})
    return peak


def _shared(group: Group, overwrites: Overwrites, operand: int, result: int) -> int:
    """Bytes that the result of a kernel has in common with its only operand, which nothing reads afterwards."""
    lead = group.lead
    if lead.kind in overwrites.by_pixel and lead.window is not None and lead.window.is_point:
        return min(operand, result)  # the operand ends where the result ends
    if lead.kind in overwrites.by_channel and result <= operand:
        return max(0, result - operand // lead.source[1])  # a channel is filtered aside, then written back
    return 0
