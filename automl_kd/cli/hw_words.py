"""A target's latency error and the parts of a price, in words and rows."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from automl_kd.cli.answer import table
from automl_kd.core import UNKNOWN, counted, percent, three_digits

_WIDTH = 100
"""Characters of a line where nothing tells how wide the screen is."""
_RUNTIME_WIDTH = 16
"""Of the column with a target's runtime; longer names go over two lines."""
_NOTEWORTHY = 0.1
"""Share of a price from which on it is said that no measured network has such kernels."""
_NAMED = 0.01
_DENSE_CONVOLUTIONS = ("conv3x3", "conv", "pointwise")
_COMPUTE = (*_DENSE_CONVOLUTIONS, "depthwise", "grouped", "transposed", "dense", "attention", "recurrent")
_NOUNS = {"published": "published model", "cells": "NAS-Bench-201 cell", "own": "measured network"}
_SHORT_NOUNS = {"published": "model", "cells": "cell", "own": "network"}

_STAND_INS = {
    "{floats}": "student.float.onnx, or student.onnx where nothing is compressed",
    "{input}": "name of the student's input",
    "{shape}": "sizes of a batch of one, such as 1,3,32,32",
    "{type}": "f32, or i64 of a text's ids",
    "{sizes}": "sizes of a batch of one, such as 1x3x32x32",
    "{reversed}": "sizes of one input from the last to the first, such as 32,32,3",
}


def stand_ins(commands: Sequence[str]) -> list[str]:
    """What the places of commands stand for, a line for each that they have; a model card has them filled in."""
    return [f"{place}: {words}" for place, words in _STAND_INS.items() if any(place in each for each in commands)]


def targets_table(devices: Sequence[Mapping[str, Any]]) -> str:
    """A row for every target of every device, the default one under the name of its device.

    Args:
        devices: As ``hw list --json`` prints them.
    """
    header = ["device\n  :target", "runtime", "median\nerror", "families\nleft out", "90 %\ninterval"]
    header += ["measured\non", "good for"]
    rows = [_target_row(target) for device in devices for target in device["targets"]]
    if all(row[3] == UNKNOWN for row in rows):
        header, *rows = [row[:3] + row[4:] for row in (header, *rows)]
    return table(rows, header, shutil.get_terminal_size((_WIDTH, 0)).columns)


def _target_row(target: Mapping[str, Any]) -> list[str]:
    error = target["latency_error"]
    _, colon, other = target["name"].partition(":")
    known = {"first use": "measured at the first use", "datasheet": "ranking only"}
    return [
        f"  :{other}" if colon else target["name"],
        "\n".join(textwrap.wrap(f"{target['runtime']} {target['precision']}", _RUNTIME_WIDTH)),
        percent(error["median_error"]),
        percent(error["family_error"]),
        factor(error["interval"]),
        "\n".join(_networks(error, _SHORT_NOUNS)) or UNKNOWN,
        known.get(error["basis"], ", ".join(_kinds(error))),
    ]


def latency_error_lines(error: Mapping[str, Any]) -> list[str]:
    """How far off a target's predictions are, and for which kinds of kernel that holds.

    Args:
        error: A :class:`~automl_kd.hardware.LatencyError` as plain data.
    """
    if error["basis"] == "first use":
        return ["latency: measured on this machine at the first use (≤ 30 s)"]
    interval = f"90 % interval {factor(error['interval'])}"
    if error["basis"] == "datasheet":
        return [f"latency: no network was measured, so prices only rank; {interval} is an assumption"]
    lacking = [kind for kind in _COMPUTE if kind not in error["kinds"]]
    families = error["family_error"]
    return [
        f"latency: median error {percent(error['median_error'])}"
        + ("" if families is None else f", of families left out {percent(families)}")
        + f", {interval}, on {' and '.join(_networks(error, _NOUNS))} left out one at a time",
        f"good for: {', '.join(_kinds(error))}" + (f"; not for: {', '.join(lacking)}" if lacking else ""),
    ]


def factor(value: float | None) -> str:
    """How far off something may be either way: ``×/÷1.6``."""
    return UNKNOWN if value is None else f"×/÷{value:.3g}"


def _networks(error: Mapping[str, Any], nouns: Mapping[str, str]) -> list[str]:
    return [counted(number, nouns[source]) for source, number in error["networks"].items() if number]


def _kinds(error: Mapping[str, Any]) -> list[str]:
    """Kinds made of multiply-accumulates that were measured; those of dense convolutions together where all were."""
    kinds = [kind for kind in _COMPUTE if kind in error["kinds"]]
    count = len(_DENSE_CONVOLUTIONS)
    return ["conv", *kinds[count:]] if tuple(kinds[:count]) == _DENSE_CONVOLUTIONS else kinds


def extrapolation(shares: Mapping[str, float], hw: str, of: str) -> str | None:
    """That a noteworthy share of a time is in kernels that no measured network has; None where it is not.

    Args:
        shares: Of the time, by such kinds, dearest first.
        hw: Name of the target.
        of: Whose time it is, such as ``the time``.
    """
    whole = sum(shares.values())
    if whole < _NOTEWORTHY:
        return None
    named = ", ".join(kind for kind, share in shares.items() if share >= min(_NAMED, max(shares.values())))
    return f"{100 * whole:.0f} % of {of} is in kinds of kernels that no measured network of {hw} has: {named}"


def parts_table(parts: Sequence[Mapping[str, Any]], ms: float) -> str:
    """A row for every part of a price, and their sum.

    Args:
        parts: Each a :class:`~automl_kd.hardware.Part` as plain data.
        ms: The price.
    """
    most = max((part["gflops"] or 0.0 for part in parts), default=0.0)
    unit, size = ("GFLOP", 1.0) if most >= 0.1 else ("MFLOP", 1e-3)
    header = ["part", "kernels", unit, "MB", "ms", "share", "arith-\nmetic", "memory", "launch"]
    header += ["measured\nin", "may be\noff by"]
    rows = [list(_part_row(part, size)) for part in parts]
    total = ["total", *[""] * 3, three_digits(ms), "100 %", *[""] * 5]
    return table([*rows, total], header)


def _part_row(part: Mapping[str, Any], size: float) -> Iterator[str]:
    kind = part["kernels"] is not None
    yield part["name"]
    yield f"{part['kernels']}" if kind else ""
    yield _short(part["gflops"] / size) if part["gflops"] else ""
    yield _short(part["mb"]) if kind else ""
    yield _short(part["ms"])
    yield f"{100 * part['share']:.0f} %"
    for limit in ("arithmetic", "memory", "launch"):
        share = 100 * part[limit] / part["ms"] if kind and part["ms"] else 0.0
        yield f"{share:.0f} %" if share >= 0.5 else ""
    yield _measured_in(part) if kind else ""
    yield factor(part["off_by"]) if kind else ""


def _short(value: float) -> str:
    return three_digits(value) if abs(value) >= 0.01 else f"{value:.3f}"


def _measured_in(part: Mapping[str, Any]) -> str:
    return "extrapolated" if part["extrapolated"] else counted(part["networks"], "network")
