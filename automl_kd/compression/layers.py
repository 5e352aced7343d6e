"""The layers of a plan by the names that a recipe gives them: blocks, whole stages, the first and the last."""

from __future__ import annotations

from collections.abc import Iterable

from automl_kd.core import UserError, unknown
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
            stages = [stage for stage, _ in plan.stages]
            raise UserError(f"{where}: {unknown('layer', name, [FIRST, LAST, *stages, *plan.block_names])}")
        found |= places
    return frozenset(found)


def node_prefix(block: str) -> str:
    """How the names of the nodes of a block begin in an exported graph: ``/stage2/stage2.0/``."""
    return f"/{block.partition('.')[0]}/{block}/"


def _places(plan: Plan, name: str) -> set[int]:
    if name == FIRST:
        return {0}
    if name == LAST:
        return {len(plan.blocks) - 1}
    return {at for at, block in enumerate(plan.block_names) if block == name or block.partition(".")[0] == name}
