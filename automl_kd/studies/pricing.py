"""What the student that a recipe ships costs on the devices of a search, and what it may cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from automl_kd import students
from automl_kd.compression import priced
from automl_kd.hardware import Prediction, Profile
from automl_kd.recipes import Recipe, StagePart, StudentPart
from automl_kd.results import LimitsResult, Price
from automl_kd.studies.objectives import KnownObjective
from automl_kd.tasks import Task


@dataclass(frozen=True)
class Priced:
    """The price of one student.

    Attributes:
        here: On the search's device.
        elsewhere: On further devices whose latency is an objective, by name.
    """

    here: Prediction
    elsewhere: Mapping[str, Prediction] = field(default_factory=dict)

    def value(self, known: KnownObjective) -> float:
        """The price in one of the known objectives."""
        if known.quantity == "latency":
            return (self.here if known.device is None else self.elsewhere[known.device]).ms
        here = self.here
        value = {"memory": here.memory_bytes, "energy": here.energy_mj, "size": here.size_bytes}[known.quantity]
        assert value is not None  # energy is refused before the search where the profile knows none
        return float(value)

    def stored(self) -> Price:
        """The price as trials keep it."""
        here = self.here
        return Price(
            latency_ms=here.ms,
            latency_low=here.low,
            latency_high=here.high,
            params=here.params,
            memory_bytes=here.memory_bytes,
            coverage=here.coverage,
            flops=here.flops,
            energy_mj=here.energy_mj,
            size_bytes=here.size_bytes,
            others={name: (each.ms, each.low, each.high) for name, each in self.elsewhere.items()},
        )


class Limits(LimitsResult):
    """What a candidate may cost, and which limit a price breaks."""

    def excess(self, price: Priced) -> str | None:
        """Which limit a candidate breaks and by what, or None."""
        if not price.here.fits:
            return f"needs {price.here.missing_bytes} bytes more memory than the device has"
        for name, each in price.elsewhere.items():
            if not each.fits:
                return f"needs {each.missing_bytes} bytes more memory than {name} has"
        for limit, value, unit in (
            (self.max_latency_ms, price.here.ms, "ms"),
            (self.max_params, price.here.params, "parameters"),
            (self.max_memory_bytes, price.here.memory_bytes, "bytes"),
        ):
            if limit is not None and value > limit:
                return f"{value:.6g} {unit} is over the limit of {limit:.6g}"
        return None

    def document(self) -> dict[str, Any]:
        """The limits as plain data."""
        return self.model_dump()


class Pricing:
    """Prices of recipes on the devices of a search.

    Args:
        task: For what students take and answer.
        profile: The search's device.
        elsewhere: Further devices whose latency is an objective, by name.
        allow_code: Whether a model space of the user's own may be loaded, which runs its file.
    """

    def __init__(
        self, task: Task, profile: Profile, elsewhere: Mapping[str, Profile] | None = None, allow_code: bool = False
    ) -> None:
        self._task = task
        self._profile = profile
        self._elsewhere = dict(elsewhere or {})
        self._allow_code = allow_code
        self._plans: dict[tuple[StudentPart, tuple[StagePart, ...]], students.Plan] = {}

    def price(self, recipes: Sequence[Recipe]) -> list[Priced]:
        """What the student that each recipe ships is predicted to cost."""
        plans = [self._plan(recipe) for recipe in recipes]
        here = self._profile.price(plans)
        if not self._elsewhere:
            return [Priced(each) for each in here]
        there = {name: profile.price(plans) for name, profile in self._elsewhere.items()}
        return [Priced(each, {name: prices[row] for name, prices in there.items()}) for row, each in enumerate(here)]

    def extrapolated(self, recipes: Sequence[Recipe]) -> dict[str, float]:
        """Mean shares of their students' time in kinds of kernel that were not measured on the target."""
        shares = self._profile.extrapolated([self._plan(recipe) for recipe in recipes])
        return {kind.value: share for kind, share in shares.items()}

    def _plan(self, recipe: Recipe) -> students.Plan:
        """The plan of what ships."""
        # A model space is run on shapes for its plan: once for a student, not once for a recipe. Weights cost nothing.
        student, compress = recipe.student.model_copy(update={"start": None}), recipe.compress
        found = self._plans.get((student, ()))
        if found is None:
            found = students.plan(student, self._task.signature, allow_code=self._allow_code)
            self._plans[student, ()] = found
        if not compress:
            return found
        if (student, compress) not in self._plans:
            self._plans[student, compress] = priced(compress, found)
        return self._plans[student, compress]
