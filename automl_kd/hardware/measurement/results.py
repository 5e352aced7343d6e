"""Results of a kit: read, checked against the kit, and summarised as one latency for each model."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from automl_kd.core import UserError
from automl_kd.hardware.measurement.kit import Kit, KitTarget
from automl_kd.hardware.measurement.kit_script import apart

_DRIFT = 0.03  # rounds whose sentinels moved further are left out while enough remain, or rescaled
_NOISIEST = 0.10
_LEAST_ROUNDS = 3


class _Line(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class _Header(_Line):
    automl_kd_results: int
    target: KitTarget
    runtime_version: str
    device: dict[str, Any]


class _Visit(_Line):
    model: str
    sha256: str
    round: int
    runs: int
    min: float
    p10: float
    median: float


class _End(_Line):
    rounds: int


_L = TypeVar("_L", bound=_Line)


@dataclass(frozen=True)
class Results:
    """Latencies of a kit's models.

    Attributes:
        pairs: Name of a model and its milliseconds, in the order of the kit, without sentinels.
        label: Which quantile of the runs they are: the median where clocks were fixed, else p10, because on a machine
            that others share low quantiles repeat and the median does not.
        rounds: Rounds that count, without disturbed ones.
        repeat_error: Share by which the sentinels of one of these rounds moved apart, at worst.
        runtime_version: Version that they were measured under.
        device: What the device said of itself.
    """

    pairs: tuple[tuple[str, float], ...]
    label: str
    rounds: int
    repeat_error: float
    runtime_version: str
    device: dict[str, Any]


def read_results(path: Path, kit: Kit, target: KitTarget, known: Mapping[str, KitTarget] | None = None) -> Results:
    """The latencies in a file that ``measure.py`` wrote.

    Args:
        path: Its JSON lines.
        kit: Kit that the file must belong to.
        target: Target that it must have been measured under.
        known: All targets of the device by name, to say which of them it was.

    Raises:
        UserError: If the file is no such file or is cut off, was measured on another device, under another runtime,
            precision or number of threads, or with another kit; if a time is no positive number; or if the sentinels
            of a round moved more than 10 % apart, which means that the times do not repeat.
    """
    header, visits = _read(path)
    difference = header.target.difference(target)
    if difference is not None:
        hint = _hint(header.target, known or {})
        raise UserError(f"{path} was measured under another target: {difference}; {hint}")
    table, rounds = _table(path, kit, visits)
    label = "median" if header.device.get("locked") else "p10"
    rounds, worst = _calm(kit, table, rounds)
    if worst > _NOISIEST:
        raise UserError(
            f"{path} is too noisy: two fixed networks moved {100 * worst:.0f} % apart between rounds"
            f" (allowed {100 * _NOISIEST:.0f} %); fix the clocks, close other programs and measure again"
        )
    logs = np.log(np.array([[getattr(table[model.name, number], label) for number in rounds] for model in kit.models]))
    watching = logs[[model.sentinel for model in kit.models]]
    shared = (watching - np.median(watching, axis=1, keepdims=True)).mean(axis=0)
    logs = logs - np.where(np.abs(shared) > _DRIFT, shared, 0.0)
    ms = np.exp(np.median(logs, axis=1))
    pairs = [(model.name, float(each)) for model, each in zip(kit.models, ms, strict=True) if not model.sentinel]
    return Results(tuple(pairs), label, len(rounds), worst, header.runtime_version, header.device)


def _hint(measured: KitTarget, known: Mapping[str, KitTarget]) -> str:
    """Which target results are of, or which precisions there are."""
    for name, target in known.items():
        if measured == target:
            return f"that is target {name} of this device, so begin with --hw DEVICE:{name}"
    precisions = sorted({target.precision for target in known.values() if target.device == measured.device})
    if precisions and measured.precision not in precisions:
        return f"this device has targets in {', '.join(precisions)}"
    return "name its own profile or kit"


def _read(path: Path) -> tuple[_Header, list[_Visit]]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; measure.py of a kit writes it on the device") from None
    except UnicodeDecodeError:
        raise UserError(f"{path} is not a results file of measure.py: it is not text") from None
    if not lines:
        raise UserError(f"{path} is empty; run measure.py again")
    header = _parsed(_Header, lines[0])
    if header is None:
        raise UserError(f"{path} is not a results file of measure.py: its first line does not describe a device")
    visits: list[_Visit] = []
    for number, line in enumerate(lines[1:], 2):
        end = _parsed(_End, line)
        if end is not None:
            return header, visits
        visit = _parsed(_Visit, line)
        if visit is None:
            raise UserError(f"{path}, line {number} is cut off or damaged; run measure.py again or copy the file whole")
        if not all(math.isfinite(each) and each > 0 for each in (visit.min, visit.p10, visit.median)):
            raise UserError(f"{path}, line {number}: the times of {visit.model} are no positive numbers; measure again")
        visits.append(visit)
    raise UserError(f"{path} ends before its last round does; run measure.py again or copy the file whole")


def _parsed(kind: type[_L], line: str) -> _L | None:
    try:
        return kind.model_validate(json.loads(line))
    except (ValueError, ValidationError):
        return None


def _table(path: Path, kit: Kit, visits: list[_Visit]) -> tuple[dict[tuple[str, int], _Visit], list[int]]:
    """Every visit by model and round, and the rounds; all models were visited in each."""
    known = {model.name: model.sha256 for model in kit.models}
    table: dict[tuple[str, int], _Visit] = {}
    for visit in visits:
        if known.get(visit.model) != visit.sha256:
            raise UserError(f"{path} was measured with another kit, with another {visit.model}; name that with --kit")
        table[visit.model, visit.round] = visit
    rounds = sorted({number for _, number in table})
    if len(rounds) < _LEAST_ROUNDS:
        raise UserError(f"{path} holds {len(rounds)} rounds; at least {_LEAST_ROUNDS} are needed")
    for name in known:
        missing = [number for number in rounds if (name, number) not in table]
        if missing:
            raise UserError(f"{path} lacks {name} in round {missing[0] + 1}; run measure.py again")
    return table, rounds


def _calm(kit: Kit, table: dict[tuple[str, int], _Visit], rounds: list[int]) -> tuple[list[int], float]:
    """The rounds without the most disturbed ones, and how far the sentinels of one of them moved apart at worst."""
    sentinels = [model.name for model in kit.models if model.sentinel]

    def worst(numbers: list[int]) -> float:
        return apart([{name: table[name, number].p10 for name in sentinels} for number in numbers])

    while len(rounds) > _LEAST_ROUNDS and worst(rounds) > _DRIFT:
        rounds = min(([each for each in rounds if each != left_out] for left_out in rounds), key=worst)
    return rounds, worst(rounds)
