"""The known objectives of a study as a report names them: on which device, in what unit, with what interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from automl_kd.delivery.text import latency
from automl_kd.objectives import Objective

LATENCY = Objective("latency_ms", "minimize", "ms", known=True)
MEMORY = Objective("memory_bytes", "minimize", "bytes", known=True)


_THINGS = {"size": "weights"}
"""What a quantity is an amount of, where that is not its name."""


class Valued(Protocol):
    """A trial or a pick: it has values by the name of an objective, and always a latency."""

    @property
    def objectives(self) -> dict[str, float]: ...

    @property
    def latency_ms(self) -> float: ...


class Priced(Valued, Protocol):
    """The same with the interval of the latency."""

    @property
    def latency_low(self) -> float: ...

    @property
    def latency_high(self) -> float: ...


Intervals = Mapping[str, tuple[float, float, float]]
"""Latency and its interval (low, high) on further devices, ms, by device."""


def known_objectives(objectives: Sequence[Objective]) -> tuple[Objective, ...]:
    """What a front is drawn over: the known objectives, the latency where a study has none."""
    return tuple(each for each in objectives if each.known) or (LATENCY,)


def reported_prices(objectives: Sequence[Objective]) -> tuple[Objective, ...]:
    """The known objectives and, first, the latency on the study's device where it is none of them."""
    known = tuple(each for each in objectives if each.known)
    return known if LATENCY.name in (each.name for each in known) else (LATENCY, *known)


def value_of(entry: Valued, objective: Objective) -> float:
    """A trial's value of an objective; that of the latency also where the study does not compare by it."""
    return entry.latency_ms if objective.name == LATENCY.name else entry.objectives[objective.name]


def interval_of(entry: Priced, others: Intervals, objective: Objective) -> tuple[float, float] | None:
    """The ends of a price's 90 % interval; None where it has none, as memory does not."""
    quantity, _, device = objective.name.partition("@")
    if quantity != LATENCY.name:
        return None
    if not device:
        return entry.latency_low, entry.latency_high
    return others[device][1:] if device in others else None


def shown_price(entry: Priced, others: Intervals, objective: Objective) -> str:
    """A price with its interval: ``1.42 ms (1.30–1.55)``, ``88.0 KiB``."""
    ends, value = interval_of(entry, others, objective), value_of(entry, objective)
    return objective.shown(value) if ends is None else latency(value, *ends)


def is_latency(objective: Objective) -> bool:
    return objective.name.partition("@")[0] == LATENCY.name


def device_of(objective: Objective, hw: str) -> str:
    """The device that an objective is about: the study's own where its name says none."""
    return objective.name.partition("@")[2] or hw


def quantity(objective: Objective) -> str:
    """What is counted, without the device: ``latency``, ``memory``."""
    return objective.title.removesuffix(f" on {objective.name.partition('@')[2]}")


def short_price(entry: Valued, objective: Objective) -> str:
    """A price within a sentence: ``1.42 ms``, ``88.0 KiB of memory``, ``44.0 KiB of weights``."""
    shown = objective.shown(value_of(entry, objective))
    counted = quantity(objective)
    return shown if is_latency(objective) else f"{shown} of {_THINGS.get(counted, counted)}"


def whole_price(entry: Priced, others: Intervals, objective: Objective) -> str:
    """The same with the interval of a latency: ``1.42 ms (1.30–1.55)``, ``88.0 KiB of memory``."""
    return shown_price(entry, others, objective) if is_latency(objective) else short_price(entry, objective)


def placed_price(entry: Valued, objective: Objective) -> str:
    """A price within a sentence, with the device where it is not the study's own: ``2.97 ms on raspberry-pi-4``."""
    device = objective.name.partition("@")[2]
    return short_price(entry, objective) + (f" on {device}" if device else "")


def by_device(objectives: Sequence[Objective], texts: Sequence[str], hw: str) -> str:
    """Prices joined, each with its device: ``1.42 ms and 88.0 KiB of memory on jetson-nano, 3 ms on a-phone``."""
    devices: dict[str, list[str]] = {}
    for objective, text in zip(objectives, texts, strict=True):
        devices.setdefault(device_of(objective, hw), []).append(text)
    return ", ".join(f"{joined(texts)} on {device}" for device, texts in devices.items())


def joined(texts: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return " and ".join([", ".join(texts[:-1]), texts[-1]] if len(texts) > 1 else texts)
