"""What a search makes as large or as small as it can: a score, and prices known before any training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from automl_kd.core import UserError, unknown
from automl_kd.objectives import Objective
from automl_kd.results import Price, TrialResult
from automl_kd.studies.attributes import TrialAttributes

Quantity = Literal["latency", "memory", "energy", "size"]
DEFAULT_OBJECTIVES = ("latency",)
MOST_KNOWN = 3
"""With the score these are four; hypervolumes of more are estimates, and a front of more holds nearly every trial."""
_UNITS: dict[Quantity, tuple[str, str]] = {
    "latency": ("latency_ms", "ms"),
    "memory": ("memory_bytes", "bytes"),
    "energy": ("energy_mj", "mJ"),
    "size": ("size_bytes", "bytes"),
}


@dataclass(frozen=True)
class KnownObjective:
    """A price that a search makes small.

    >>> KnownObjective("latency", "raspberry-pi-4").objective.title
    'latency on raspberry-pi-4'

    Attributes:
        quantity: What is priced.
        device: A device other than the search's, None for that.
    """

    quantity: Quantity
    device: str | None = None

    @classmethod
    def of_name(cls, name: str) -> KnownObjective:
        """The one whose objective has that name."""
        plain, _, device = name.partition("@")
        (quantity,) = (each for each, (its_name, _) in _UNITS.items() if its_name == plain)
        return cls(quantity, device or None)

    @property
    def objective(self) -> Objective:
        """The price as an objective: its name, unit and direction."""
        name, unit = _UNITS[self.quantity]
        return Objective(name if self.device is None else f"{name}@{self.device}", "minimize", unit, known=True)

    def of(self, price: Price) -> float:
        """The price in this objective."""
        return self.interval(price)[0]

    def interval(self, price: Price) -> tuple[float, float, float]:
        """The price, and the 90 % interval that it may lie in; only latency has one of its own."""
        if self.device is not None:
            return price.others[self.device]
        if self.quantity == "latency":
            return price.latency_ms, price.latency_low, price.latency_high
        values = {"memory": price.memory_bytes, "energy": price.energy_mj, "size": price.size_bytes}
        value = values[self.quantity]
        assert value is not None  # refused before the search where the profile knows no energy
        return float(value), float(value), float(value)


@dataclass(frozen=True)
class StudyObjectives:
    """What a study is of: the score first, then prices.

    Attributes:
        score: What students are compared by.
        known: Prices that are made small.
    """

    score: Objective
    known: tuple[KnownObjective, ...]

    @classmethod
    def named(cls, objectives: Sequence[Objective]) -> StudyObjectives:
        """Those that a study has stored."""
        score, *known = objectives
        return cls(score, tuple(KnownObjective.of_name(each.name) for each in known))

    @property
    def all(self) -> tuple[Objective, ...]:
        """All of them, in the order of a trial's values."""
        return (self.score, *(each.objective for each in self.known))

    def known_values(self, price: Price) -> tuple[float, ...]:
        """A price in the known objectives."""
        return tuple(each.of(price) for each in self.known)

    def values(self, values: Sequence[float]) -> dict[str, float]:
        """Values by the objectives' names."""
        return dict(zip((each.name for each in self.all), values, strict=True))

    def trial_result(self, number: int, attributes: TrialAttributes, values: Sequence[float]) -> TrialResult:
        """A finished trial as results show it.

        Args:
            number: The trial's.
            attributes: What it keeps of itself, recipe and price among it.
            values: Its values, one an objective.
        """
        assert attributes.recipe is not None
        assert attributes.price is not None
        return TrialResult(
            **dict(attributes.price),
            trial=number,
            epochs=max(attributes.scores),
            score=values[0],
            score_error=attributes.error,
            metrics=attributes.metrics or {self.score.name: values[0]},
            objectives=self.values(values),
            recipe=attributes.recipe,
        )


def parse_objectives(words: Sequence[str], hw: str) -> tuple[KnownObjective, ...]:
    """Known objectives as a user names them: ``latency``, ``memory``, ``energy``, ``size``, ``latency@DEVICE``.

    Args:
        words: Empty for the default, the latency on the search's device.
        hw: That device.

    Raises:
        UserError: If one is unknown or there twice, or there are more than three.
    """
    found: list[KnownObjective] = []
    for word in words or DEFAULT_OBJECTIVES:
        quantity, at, device = word.partition("@")
        if quantity not in _UNITS:
            raise unknown("objective", word, [*_UNITS, "latency@DEVICE"])
        if at and (quantity != "latency" or not device):
            raise UserError(
                f"objective {word!r}: on a second device the latency is known; write latency@DEVICE, for example"
                " latency@raspberry-pi-4"
            )
        one = KnownObjective(quantity, device if device and device != hw else None)
        if one in found:
            raise UserError(f"objective {word!r} is there twice; name each once")
        found.append(one)
    if len(found) > MOST_KNOWN:
        raise UserError(f"{len(found)} objectives beside the score: a search takes {MOST_KNOWN} at most; drop one")
    return tuple(found)
