"""Spaces that leave to a training what a search decides before it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from automl_kd.core import UserError
from automl_kd.recipes import Space


def refuse_undecided(space: Space, name: str) -> None:
    """Refuse a space in which a quantisation may have ``keep_float: auto``.

    Which layers that keeps is decided on trained weights, and candidates are priced before they have any.

    Args:
        space: The space.
        name: What the user calls it.

    Raises:
        UserError: If it has.
    """
    if _leaves_open(space.document.get("compress")):
        raise UserError(
            f"space {name}: compress: keep_float: auto is decided on trained weights: name layers here, and let"
            " automl-kd distill recipe.yaml --max-latency decide it for a student that was found"
        )


def _leaves_open(node: Any, inside: bool = False) -> bool:
    """Whether ``auto`` is a value, or an option, of a field ``keep_float``."""
    if isinstance(node, Mapping):
        return any(_leaves_open(each, inside or key == "keep_float") for key, each in node.items())
    if isinstance(node, list | tuple):
        return any(_leaves_open(each, inside) for each in node)
    return inside and node == "auto"
