"""What of a quantised student still computes with floats: by the recipe's wish, or because nothing quantises it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from automl_kd.onnxio import float_operators, scope
from automl_kd.recipes import FLOAT32, Recipe
from automl_kd.students import Plan


@dataclass(frozen=True)
class Fallback:
    """Operators of one type that compute with floats.

    Attributes:
        operator: Their type: ``Softmax``.
        count: How many.
        layers: The blocks that they stand in, in order.
        kept: Whether the recipe keeps them so; else nothing quantises them.
    """

    operator: str
    count: int
    layers: tuple[str, ...]
    kept: bool


def form_in_words(recipe: Recipe, plan: Plan) -> str:
    """What ships, in a word or two: ``int8``; ``int8 (mixed)`` or ``float32`` where some or all layers are kept so.

    A recipe knows no layers, so that its own ``form`` is what it asks for.

    Args:
        recipe: What makes the student.
        plan: Of what ships.
    """
    if not plan.integers or all(plan.integers):
        return recipe.form
    return f"{recipe.form} (mixed)" if any(plan.integers) else FLOAT32


def fallbacks(plan: Plan, path: Path) -> tuple[Fallback, ...] | None:
    """What computes with floats in the file of a quantised student, also where that is all of it; else None.

    Args:
        plan: Of what ships.
        path: Its file.
    """
    if not plan.integers:
        return None
    found: dict[tuple[str, bool], list[int | None]] = defaultdict(list)
    for each in float_operators(path):
        at = _block_of(each.name, plan)
        found[each.type, at is not None and not plan.integers[at]].append(at)
    return tuple(
        Fallback(operator, len(places), _names(plan, places), kept) for (operator, kept), places in found.items()
    )


def _block_of(node: str, plan: Plan) -> int | None:
    """The place of the block that a node stands in, by its name; None where it is in none."""
    return next((at for at, block in enumerate(plan.block_names) if node.startswith(scope(block))), None)


def _names(plan: Plan, places: list[int | None]) -> tuple[str, ...]:
    return tuple(plan.block_names[at] for at in sorted({at for at in places if at is not None}))
