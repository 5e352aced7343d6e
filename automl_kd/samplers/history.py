"""What the trials of a study say, read once each."""

from __future__ import annotations

import math
import random
from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import repeat
from numbers import Real
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial, TrialState

from automl_kd.samplers.encoding import Params
from automl_kd.samplers.finite import bounded
from automl_kd.samplers.parameters import Parameters


@dataclass(frozen=True)
class Observation:
    """One trial as the model sees it.

    Attributes:
        number: The trial's.
        params: What was tried.
        distributions: How it was suggested.
        values: Its objectives at full fidelity, None where it has not reached that.
        partial: The first modelled objective by epoch, below full fidelity.
        violations: Its constraints; above zero is violated.
    """

    number: int
    params: Params
    distributions: Mapping[str, BaseDistribution]
    values: tuple[float, ...] | None
    partial: Mapping[int, float] = field(default_factory=dict)
    violations: Mapping[str, float] = field(default_factory=dict)

    @property
    def feasible(self) -> bool:
        """Whether it keeps all its constraints."""
        return all(each <= 0 for each in self.violations.values())

    @property
    def whole(self) -> bool:
        """Whether it holds a result, and so has all its parameters."""
        return self.values is not None or bool(self.partial)


class History:
    """The trials of a study; those that have ended are read once.

    Args:
        prefix: Of the user attributes that hold the objective at a lower fidelity, before the epoch.
        parameters: Of the study.
    """

    def __init__(self, prefix: str, parameters: Parameters) -> None:
        self._prefix = prefix
        self._parameters = parameters
        self._promised: dict[int, Params] = {}
        self._settled: set[int] = set()
        self._settled_keys: set[Hashable] = set()
        self._declined: set[Hashable] = set()
        self._open: dict[int, Observation] = {}
        self.ended: list[Observation] = []
        """Ended trials that hold a result, in the order in which they were read; it only ever grows."""
        self.complete: list[Observation] = []
        """Trials at full fidelity, likewise."""
        self.constraints: set[str] = set()
        """Names of what ended trials had to keep."""
        self.tried: frozenset[Hashable] | set[Hashable] = frozenset()
        """What was tried, by :func:`key`, and what trials drew anew when it was proposed."""
        self.latest: Observation | None = None
        """Of the trials that were read, the one that began last."""
        self.count = 0
        """How many different sets of parameters were tried."""

    def promise(self, number: int, proposal: Params) -> None:
        """Count a trial as trying what it was told to, until it has had the time to suggest all of that."""
        self._promised[number] = proposal

    def promised(self, number: int) -> Params:
        """What a trial was told to try."""
        return self._promised.get(number, {})

    def unkept(self, rng: random.Random) -> Params | None:
        """What a trial was told to try and has not begun to, None where there is no such."""
        proposals = list(self._promised.values())
        return proposals[int(rng.random() * len(proposals))] if proposals else None

    def read(self, trials: Sequence[FrozenTrial], asking: int) -> list[tuple[Observation, Params | None]]:
        """Take in what is new.

        Args:
            trials: Of the study.
            asking: The trial that asks for parameters, which says nothing yet.

        Returns:
            The trials that ended, began or went on since the last call, each with the proposal that it declined.
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
    def observations(self) -> list[Observation]:
        """Trials that hold a result, at any fidelity."""
        return self.ended + self.under_way

    @property
    def under_way(self) -> list[Observation]:
        """Trials that hold a result at some fidelity and have not ended."""
        return [each for each in self._open.values() if each.whole]

    @property
    def pending(self) -> list[Observation]:
        """Trials under way without a result."""
        return [each for each in self._open.values() if not each.whole and each.params]

    def _declines(self, observation: Observation, fixed: Collection[str]) -> Params | None:
        """A proposal of which a trial drew a value anew, other than those that it was enqueued with."""
        proposal = self.promised(observation.number)
        params = observation.params.items() if proposal else ()
        if all(name in fixed or proposal.get(name, value) == value for name, value in params):
            return None
        self._declined.add(key(proposal))
        return self._promised.pop(observation.number)

    def _as_promised(self, observation: Observation) -> Observation:
        """A trial that may still be suggesting, with what it was told to."""
        proposal = self.promised(observation.number)
        unasked = proposal.keys() - observation.params.keys()
        missing = unasked and not observation.params.keys() - proposal.keys()
        return replace(observation, params=proposal) if missing else observation

    def _end(self, observation: Observation) -> None:
        self._settled.add(observation.number)
        self._promised.pop(observation.number, None)
        if observation.params:
            self._settled_keys.add(key(observation.params))
        if observation.whole:
            self.ended.append(observation)
            self.constraints.update(observation.violations)
        if observation.values is not None:
            self.complete.append(observation)

    def _observation(self, trial: FrozenTrial) -> Observation:
        done = trial.state == TrialState.COMPLETE
        partial = {} if trial.state == TrialState.FAIL else dict(self._partial(trial.user_attrs))
        if done and partial:
            partial.pop(max(partial))  # the top rung, which is its value
        values = tuple(map(bounded, trial.values)) if done else None
        constraints = trial.constraints if trial.state.is_finished() else {}
        violations = {name: bounded(value) for name, value in constraints.items()}
        params = self._parameters.inward(trial.params)
        distributions = self._parameters.distributions(trial, params)
        return Observation(trial.number, params, distributions, values, partial, violations)

    def _partial(self, attributes: Mapping[str, Any]) -> Iterator[tuple[int, float]]:
        """Results at lower fidelities; what is not a number is none."""
        for name, value in attributes.items():
            epoch = name.removeprefix(self._prefix)
            if epoch != name and epoch.isdecimal() and isinstance(value, Real) and not math.isnan(value):
                yield int(epoch), bounded(float(value))


def key(params: Params) -> Hashable:
    """Equal for equal parameters; true is not 1."""
    values = params.values()
    return frozenset(zip(params, map(isinstance, values, repeat(bool)), values, strict=False))  # without a loop: hot
