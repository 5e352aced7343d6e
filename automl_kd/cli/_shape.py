"""Shapes of inputs as users write them."""

from __future__ import annotations

from automl_kd.errors import UserError


def shape(text: str | None) -> tuple[int, int, int] | None:
    """``C,H,W`` as numbers, None where nothing was written.

    Raises:
        UserError: If it is no such shape.
    """
    if text is None:
        return None
    parts = text.replace("x", ",").split(",")
    if len(parts) != 3 or not all(part.strip().isdigit() and int(part) > 0 for part in parts):
        raise UserError(f"--input-shape {text}: write C,H,W, for example 3,224,224")
    channels, height, width = map(int, parts)
    return channels, height, width
