"""The layers of a plan by the names that a recipe gives them: blocks, whole stages, the first and the last."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import onnx

from automl_kd.core import UserError, unknown
from automl_kd.onnxio import scope
from automl_kd.students import Plan

FIRST, LAST = "first", "last"


def blocks_of(plan: Plan, names: Iterable[str], where: str) -> frozenset[int]:
    """The places of the blocks that are named.

    Args:
        plan: The student.
        names: ``first``, ``last``, a stage (``stage2``) or a block (``stage2.0``).
        where: What names them, for a message.

    Raises:
        UserError: If there is no such layer.
    """
    found: set[int] = set()
    for name in names:
        places = _places(plan, name)
        if not places:
            raise UserError(f"{where}: {unknown('layer', name, layer_names(plan))}")
        found |= places
    return frozenset(found)


def layer_names(plan: Plan) -> tuple[str, ...]:
    """All names of layers of a student: the first, the last, its stages and its blocks."""
    return (FIRST, LAST, *(stage for stage, _ in plan.stages), *plan.block_names)


def nodes_of(model: onnx.ModelProto, plan: Plan, places: Collection[int]) -> tuple[str, ...]:
    """The names of the nodes of the blocks at these places, in the graph of the student."""
    prefixes = tuple(scope(plan.block_names[at]) for at in sorted(places))
    return tuple(node.name for node in model.graph.node if prefixes and node.name.startswith(prefixes))


def _places(plan: Plan, name: str) -> set[int]:
    if name == FIRST:
        return {0}
    if name == LAST:
        return {len(plan.blocks) - 1}
    return {at for at, block in enumerate(plan.block_names) if block == name or block.partition(".")[0] == name}
