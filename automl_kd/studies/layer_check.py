"""Whether a space that leaves layers to be decided on trained weights says under what limit."""

from __future__ import annotations

from automl_kd.compression import undecided
from automl_kd.core import UserError
from automl_kd.recipes import Space
from automl_kd.studies.options import drawn


def check_decidable(space: Space, name: str, limit_ms: float | None) -> None:
    """Refuse a space that leaves layers to be decided, where there is no limit.

    Args:
        space: The space, without what the device does not load.
        name: What the user calls it.
        limit_ms: What a student may take on the device, if anything was said.

    Raises:
        UserError: If a quantisation of it has ``keep_float: auto``, and nothing was said.
    """
    if limit_ms is None and any(undecided(each.recipe.compress) for each in drawn(space)):
        raise UserError(
            f"space {name}: compress: keep_float: auto is decided under a limit: give --max-latency, such as 4ms, or"
            " name the layers"
        )
