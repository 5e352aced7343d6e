"""How far off a device's prices are, in a few words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from automl_kd.core import counted


def device_words(target: Mapping[str, Any]) -> str:
    """How far off a device's prices are, and how it runs networks, in a few words."""
    return f"{error_words(target['latency_error'])} · {target['runtime']} {target['precision']}"


def error_words(error: Mapping[str, Any]) -> str:
    """How far off predictions are, such as ``11 % off (median of 15 networks)``."""
    if error["basis"] == "first use":
        return "measured at the first use"
    if error["basis"] == "datasheet":
        return "ranks only: no network was measured"
    number = sum(error["networks"].values())
    return f"{100 * error['median_error']:.0f} % off (median of {counted(number, 'network')})"
