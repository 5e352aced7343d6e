"""Whether a space that leaves layers to be decided on trained weights leaves anything to decide."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from automl_kd.core import UserError
from automl_kd.hardware import Profile
from automl_kd.recipes import Space


def check_decidable(space: Space, name: str, limit_ms: float | None, profile: Profile) -> None:
    """Refuse a space that leaves layers to be decided, where there is no limit or no choice.

    Args:
        space: The space.
        name: What the user calls it.
        limit_ms: What a student may take on the device, if anything was said.
        profile: The device.

    Raises:
        UserError: If a quantisation of it may have ``keep_float: auto``, and nothing was said, or the device computes
            with integers alone.
    """
    if not _leaves_open(space.document.get("compress")):
        return
    where = f"space {name}: compress: keep_float"
    if limit_ms is None:
        raise UserError(f"{where}: auto is decided under a limit: give --max-latency, such as 4ms, or name the layers")
    refusal = profile.quantisation_refusal(None, keeps=True)
    if refusal is not None:
        raise UserError(f"{where}: {refusal}")


def _leaves_open(node: Any, inside: bool = False) -> bool:
    """Whether ``auto`` is a value, or an option, of a field ``keep_float``."""
    if isinstance(node, Mapping):
        return any(_leaves_open(each, inside or key == "keep_float") for key, each in node.items())
    if isinstance(node, list | tuple):
        return any(_leaves_open(each, inside) for each in node)
    return inside and node == "auto"
