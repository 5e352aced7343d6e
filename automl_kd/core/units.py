"""Quantities as users write them."""

from __future__ import annotations

import math
import re

from automl_kd.core.errors import UserError

_LONGEST = 100 * 365 * 86400.0
"""Seconds of a hundred years: whoever writes more means something else."""
_SECONDS = {"ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_MILLISECONDS = {"us": 1e-3, "µs": 1e-3, "ms": 1.0, "s": 1e3, "": 1.0}
_COUNT = {"": 1.0, "k": 1e3, "m": 1e6, "g": 1e9}
_BYTES = {
    "": 1.0,
    "b": 1.0,
    "kb": 1e3,
    "mb": 1e6,
    "gb": 1e9,
    "tb": 1e12,
    "kib": 2.0**10,
    "mib": 2.0**20,
    "gib": 2.0**30,
}
_ENERGIES = {"": 1.0, "uj": 1e-3, "µj": 1e-3, "mj": 1.0, "j": 1e3}
_SHARES = {"": 1.0, "%": 0.01}


def units_of(unit: str) -> dict[str, float]:
    """What may stand behind a number of a unit, in lower case, and how many of the unit it is.

    >>> units_of("ms")["s"], units_of("%")["%"], units_of("nats")
    (1000.0, 0.01, {'': 1.0, 'nats': 1.0})

    Args:
        unit: That of an objective: ``ms``, ``bytes``, ``mJ``, ``%`` for a share in [0, 1], ``count``, or any other.
    """
    known = {"ms": _MILLISECONDS, "bytes": _BYTES, "mJ": _ENERGIES, "%": _SHARES, "count": _COUNT}
    return known[unit] if unit in known else {"": 1.0} | ({unit.lower(): 1.0} if unit else {})


def parse_duration(value: str | float, name: str = "budget") -> float:
    """Seconds from ``90s``, ``3m``, ``1h30m``, ``2d``, or a number of seconds.

    Raises:
        UserError: If it is no positive duration.
    """
    if isinstance(value, str):
        pieces = re.findall(r"(\d+(?:\.\d+)?)\s*([a-z]+)", value.strip().lower())
        if not pieces or re.sub(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)\s*", "", value.strip().lower()):
            raise UserError(f"{name} {value!r}: write a duration such as 90s, 3m, 1h30m or 2d")
        seconds = sum(float(number) * _SECONDS[unit] for number, unit in pieces)
    else:
        seconds = _number(value)
    if not seconds > 0:
        raise UserError(f"{name} {value!r}: must be above zero")
    if seconds > _LONGEST:
        raise UserError(f"{name} {value!r}: is longer than a hundred years")
    return seconds


def parse_latency(value: str | float | None, name: str = "max_latency") -> float | None:
    """Milliseconds from ``4ms``, ``800us``, ``0.1s``, or a number of milliseconds; None stays None.

    Raises:
        UserError: If it is no positive time.
    """
    return _parse(value, _MILLISECONDS, f"{name} {value!r}: write a time such as 4ms or 800us")


def parse_count(value: str | float | None, name: str = "max_params") -> float | None:
    """A number from ``100k``, ``1.5M`` or ``20000``; None stays None.

    Raises:
        UserError: If it is no positive number.
    """
    return _parse(value, _COUNT, f"{name} {value!r}: write a number such as 20000, 100k or 1.5M")


def parse_bytes(value: str | float | None, name: str = "max_memory") -> float | None:
    """Bytes from ``512KB``, ``4MiB`` or a number; None stays None.

    Raises:
        UserError: If it is no positive size.
    """
    return _parse(value, _BYTES, f"{name} {value!r}: write a size such as 512KB, 4MiB or 2GB")


def parse_resources(value: str, name: str = "per_trial") -> dict[str, float]:
    """Resources in Ray's names from ``cpu=1,gpu=0.25``; other names than these two are the cluster's own.

    Raises:
        UserError: If it is no such list, or asks for nothing.
    """
    resources: dict[str, float] = {}
    for piece in value.split(","):
        match = re.fullmatch(r"\s*([\w.:-]+)\s*=\s*(\d+(?:\.\d+)?)\s*", piece)
        if match is None:
            raise UserError(f"{name} {value!r}: write resources such as cpu=1,gpu=0.25")
        resources[{"cpu": "CPU", "gpu": "GPU"}.get(match[1].lower(), match[1])] = float(match[2])
    if not any(resources.values()):
        raise UserError(f"{name} {value!r}: must ask for something, or any number of trials would run at a time")
    return resources


def _number(value: float) -> float:
    """A number as a float; an integer that none holds is infinite."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _parse(value: str | float | None, units: dict[str, float], message: str) -> float | None:
    if value is None:
        return None
    match = re.fullmatch(r"(\d+(?:\.\d+)?(?:e[+-]?\d+)?)\s*([a-zµ]*)", str(value).strip().lower())
    if match is None or match[2] not in units:
        raise UserError(message)
    number = float(match[1]) * units[match[2]]
    if number == math.inf:
        raise UserError(f"{message}; it must be finite")
    if not number > 0:
        raise UserError(f"{message}; it must be above zero")
    return number
