"""The trials of a study as the sampler sees them, each read once after it has ended."""

from __future__ import annotations

import math
import random
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import repeat
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial, TrialState

from automl_kd.core import UserError
from automl_kd.samplers.clipping import clip_magnitude
from automl_kd.samplers.encoding import Params
from automl_kd.samplers.parameters import Parameters
from automl_kd.samplers.readings import Readings
from automl_kd.samplers.user_functions import call


@dataclass(frozen=True)
class ObservedTrial:
    """One trial.

    Attributes:
        number: The trial's.
        params: Its parameters.
        distributions: Of the parameters, in the order in which they were suggested.
        values: Its objectives at full fidelity; None where it has not come to that.
        readings: The first modelled objective at lower fidelities, by epoch.
        violations: Its constraints by name; one above zero is violated.
    """

    number: int
    params: Params
    distributions: Mapping[str, BaseDistribution]
    values: tuple[float, ...] | None
    readings: Mapping[int, float] = field(default_factory=dict)
    violations: Mapping[str, float] = field(default_factory=dict)

    @property
    def feasible(self) -> bool:
        """Whether it keeps all its constraints."""
        return all(each <= 0 for each in self.violations.values())

    @property
    def whole(self) -> bool:
        """Whether it holds a result at any fidelity, and so has all its parameters."""
        return self.values is not None or bool(self.readings)


class TrialHistory:
    """The trials of a study; those that have ended are read once.

    Args:
        readings: Gives a trial's results at lower fidelities.
        parameters: Of the study.
    """

    def __init__(self, readings: Readings, parameters: Parameters) -> None:
        self._readings = readings
        self._parameters = parameters
        self._assigned: dict[int, Params] = {}
        self._settled: set[int] = set()
        self._settled_keys: set[Hashable] = set()
        self._declined: set[Hashable] = set()
        self._open: dict[int, ObservedTrial] = {}
        self.ended: list[ObservedTrial] = []
        """Ended trials that hold a result, in the order in which they were read. The list only grows."""
        self.complete: list[ObservedTrial] = []
        """Those of them with a result at full fidelity."""
        self.constraints: set[str] = set()
        """Names of the constraints of ended trials."""
        self.tried: frozenset[Hashable] | set[Hashable] = frozenset()
        """Keys of the parameters that were tried, and of proposals that a trial did not take as they were."""
        self.latest: ObservedTrial | None = None
        """The trial that began last."""
        self.count = 0
        """Number of different sets of parameters that were tried."""

    def assign(self, number: int, proposal: Params) -> None:
        """Count a trial as trying its proposal from now on, although it has not suggested all parameters yet."""
        self._assigned[number] = proposal

    def assigned(self, number: int) -> Params:
        """The proposal of a trial; empty where it has none."""
        return self._assigned.get(number, {})

    def unstarted(self, rng: random.Random) -> Params | None:
        """A proposal of a trial that has not ended, None where there is no such."""
        proposals = list(self._assigned.values())
        return proposals[int(rng.random() * len(proposals))] if proposals else None

    def read(self, trials: Sequence[FrozenTrial], asking: int) -> list[tuple[ObservedTrial, Params | None]]:
        """Read the trials that are new or under way.

        Args:
            trials: Of the study.
            asking: Number of the trial that asks for parameters; it is passed over.

        Returns:
            The trials that are under way, or have ended since the last call, each with the proposal that it declined.
        """
        self._open = {}
        keys: set[Hashable] = set()
        fresh = []
        for trial in trials:
            if trial.number in self._settled or trial.number == asking or trial.state == TrialState.WAITING:
                continue
            observation = self._observation(trial)
            declined = self._declines(observation, trial.system_attrs.get("fixed_params", {}))
            fresh.append((observation, declined))
            if self.latest is None or observation.number >= self.latest.number:
                self.latest = observation
            if trial.state.is_finished():
                self._end(observation)
            else:
                observation = self._as_promised(observation)
                self._open[trial.number] = observation
                if observation.params:
                    keys.add(key(observation.params))
        self.tried = self._settled_keys | keys | self._declined
        self.count = len(self._settled_keys | keys)
        return fresh

    @property
    def observations(self) -> list[ObservedTrial]:
        """Trials that hold a result, at any fidelity."""
        return self.ended + self.under_way

    @property
    def under_way(self) -> list[ObservedTrial]:
        """Trials that hold a reading and have not ended."""
        return [each for each in self._open.values() if each.whole]

    @property
    def pending(self) -> list[ObservedTrial]:
        """Trials under way without a reading."""
        return [each for each in self._open.values() if not each.whole and each.params]

    def _declines(self, observation: ObservedTrial, fixed: Collection[str]) -> Params | None:
        """The proposal of a trial that has another value of a parameter, unless the trial was enqueued with that."""
        proposal = self.assigned(observation.number)
        params = observation.params.items() if proposal else ()
        if all(name in fixed or proposal.get(name, value) == value for name, value in params):
            return None
        self._declined.add(key(proposal))
        return self._assigned.pop(observation.number)

    def _as_promised(self, observation: ObservedTrial) -> ObservedTrial:
        """The trial with all parameters of its proposal, if it has suggested only some of these so far."""
        proposal = self.assigned(observation.number)
        unasked = proposal.keys() - observation.params.keys()
        missing = unasked and not observation.params.keys() - proposal.keys()
        return replace(observation, params=proposal) if missing else observation

    def _end(self, observation: ObservedTrial) -> None:
        self._settled.add(observation.number)
        self._assigned.pop(observation.number, None)
        if observation.params:
            self._settled_keys.add(key(observation.params))
        if observation.whole:
            self.ended.append(observation)
            self.constraints.update(observation.violations)
        if observation.values is not None:
            self.complete.append(observation)

    def _observation(self, trial: FrozenTrial) -> ObservedTrial:
        values = tuple(map(clip_magnitude, trial.values)) if trial.state == TrialState.COMPLETE else None
        readings = {} if trial.state == TrialState.FAIL else self._read_lower(trial)
        constraints = trial.constraints if trial.state.is_finished() else {}
        violations = {name: clip_magnitude(value) for name, value in constraints.items()}
        params = self._parameters.to_internal(trial.params)
        distributions = self._parameters.distributions(trial, params)
        return ObservedTrial(trial.number, params, distributions, values, readings, violations)

    def _read_lower(self, trial: FrozenTrial) -> dict[int, float]:
        """Results at lower fidelities; not-a-number is none."""
        given: Any = call("readings", self._readings, trial)
        try:
            numbers = {int(epoch): float(value) for epoch, value in given.items()}
        except (AttributeError, TypeError, ValueError, OverflowError):
            raise UserError(
                f"readings: gave {given!r} for trial {trial.number}; it gives a mapping from epoch to result"
            ) from None
        return {epoch: clip_magnitude(value) for epoch, value in numbers.items() if not math.isnan(value)}


def key(params: Params) -> Hashable:
    """What tells sets of parameters apart: equal for equal ones, where true differs from 1."""
    values = params.values()
    # Without a loop or a comprehension, because this is called for every candidate.
    return frozenset(zip(params, map(isinstance, values, repeat(bool)), values, strict=False))
