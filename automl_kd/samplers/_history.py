"""What the trials of a study say, read once each."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from itertools import repeat

import optuna
from optuna.trial import FrozenTrial, TrialState

from automl_kd.samplers._encoding import Params


@dataclass(frozen=True)
class Observation:
    """One trial as the model sees it.

    Attributes:
        number: The trial's.
        params: What was tried.
        values: Its objectives at full fidelity, None where it has not reached that.
        partial: The first modelled objective by epoch, below full fidelity.
        violations: Its constraints; above zero is violated.
    """

    number: int
    params: Params
    values: tuple[float, ...] | None
    partial: Mapping[int, float] = field(default_factory=dict)
    violations: Mapping[str, float] = field(default_factory=dict)

    @property
    def feasible(self) -> bool:
        """Whether it keeps all its constraints."""
        return all(each <= 0 for each in self.violations.values())

    @property
    def informative(self) -> bool:
        """Whether it holds a result."""
        return self.values is not None or bool(self.partial)


class History:
    """The trials of a study; those that have ended are read once.

    Args:
        prefix: Of the user attributes that hold the objective at a lower fidelity, before the epoch.
    """

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._settled = 0
        self._ended: set[int] = set()
        self._open: dict[int, Observation] = {}
        self.ended: list[Observation] = []
        """Ended trials that hold a result, in the order in which they were read; it only ever grows."""
        self.complete: list[Observation] = []
        """Trials at full fidelity, likewise."""
        self.constraints: set[str] = set()
        """Names of what ended trials had to keep."""
        self.keys: dict[Hashable, int] = {}
        """What was tried, by :func:`key`, with the trial's number."""

    def read(self, study: optuna.Study, asking: int) -> list[FrozenTrial]:
        """Take in what is new.

        Args:
            study: The study.
            asking: The trial that asks for parameters, which says nothing yet.

        Returns:
            The trials that ended, began or went on since the last call.
        """
        trials = study.get_trials(deepcopy=False)
        self._open = {}
        fresh = []
        for trial in trials[self._settled :]:
            if trial.number in self._ended or trial.number == asking or trial.state == TrialState.WAITING:
                continue
            fresh.append(trial)
            if trial.params:
                self.keys[key(trial.params)] = trial.number
            observation = self._observation(trial)
            if trial.state.is_finished():
                self._end(observation)
            else:
                self._open[trial.number] = observation
        while self._settled < len(trials) and trials[self._settled].number in self._ended:
            self._settled += 1
        return fresh

    @property
    def observations(self) -> list[Observation]:
        """Trials that hold a result, at any fidelity."""
        return self.ended + self.under_way

    @property
    def under_way(self) -> list[Observation]:
        """Trials that hold a result at some fidelity and have not ended."""
        return [each for each in self._open.values() if each.informative]

    @property
    def pending(self) -> list[Observation]:
        """Trials under way without a result."""
        return [each for each in self._open.values() if not each.informative and each.params]

    def _end(self, observation: Observation) -> None:
        self._ended.add(observation.number)
        if observation.informative:
            self.ended.append(observation)
            self.constraints.update(observation.violations)
        if observation.values is not None:
            self.complete.append(observation)

    def _observation(self, trial: FrozenTrial) -> Observation:
        done = trial.state == TrialState.COMPLETE
        partial = {
            int(name[len(self._prefix) :]): float(value)
            for name, value in trial.user_attrs.items()
            if name.startswith(self._prefix)
        }
        if trial.state == TrialState.FAIL:
            partial = {}
        elif done and partial:
            partial.pop(max(partial))  # the top rung, which is its value
        values = tuple(trial.values) if done else None
        violations = trial.constraints if trial.state.is_finished() else {}
        return Observation(trial.number, trial.params, values, partial, violations)


def key(params: Params) -> Hashable:
    """Equal for equal parameters; true is not 1."""
    values = params.values()
    return frozenset(zip(params, map(isinstance, values, repeat(bool)), values, strict=False))  # without a loop: hot
