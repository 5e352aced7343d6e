"""Recipes that leave open which layers compute with floats, and what they say once that is decided."""

from __future__ import annotations

from collections.abc import Sequence

from automl_kd.compression.chain import Stages
from automl_kd.compression.stages.quantise import AUTO, Quantise
from automl_kd.recipes import StagePart
from automl_kd.students import Plan


def undecided(compress: Stages) -> Quantise | None:
    """The stage whose ``keep_float`` is ``auto``, if any."""
    return next((part for part in compress if isinstance(part, Quantise) and part.keep_float == AUTO), None)


def decided(compress: Stages, kept: tuple[str, ...]) -> tuple[StagePart, ...]:
    """The stages with these layers instead of ``auto``; those of a recipe that leaves nothing open as they are."""
    part = undecided(compress)
    return tuple(each if each is not part else each.model_copy(update={"keep_float": kept}) for each in compress)


def kept_names(plan: Plan, integers: Sequence[bool]) -> tuple[str, ...]:
    """The layers that compute with floats as a recipe names them: blocks, or the stage where all of it does.

    Args:
        plan: The student.
        integers: For each of its blocks whether it computes with integers.
    """
    names: list[str] = []
    rest = iter(zip(plan.block_names, integers, strict=True))
    for stage, blocks in plan.stages:
        kept = [name for name, integer in (next(rest) for _ in blocks) if not integer]
        names += [stage] if len(kept) == len(blocks) else kept
    return tuple(names)
