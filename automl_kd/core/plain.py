"""Plain data that any reader of JSON takes."""

from __future__ import annotations

import math
from typing import Any


def finite(data: Any) -> Any:
    """The same data with None for numbers that are not finite, which JSON does not know, and texts as keys."""
    if isinstance(data, float):
        return data if math.isfinite(data) else None
    if isinstance(data, dict):
        return {str(key): finite(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [finite(value) for value in data]
    return data
