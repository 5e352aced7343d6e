"""The rules by which a device executes networks, chosen by the errors on measured networks left out."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import get_args

import numpy as np

from automl_kd.core import UserError
from automl_kd.hardware.fit_section import Fit, ReferenceNetwork, Uncertainty
from automl_kd.hardware.kernels.graph import Graph
from automl_kd.hardware.kernels.kernel import Network
from automl_kd.hardware.kernels.rules import Dead, Zeros
from automl_kd.hardware.limits import Limits
from automl_kd.hardware.predictor.cost import KINDS, Coefficients, Floats, Integers
from automl_kd.hardware.predictor.fit import Fitted, fit
from automl_kd.hardware.predictor.misfit import Misfit, Traits
from automl_kd.hardware.predictor.prior import Prior
from automl_kd.hardware.predictor.timed import TimedKernels, TimedNetworks
from automl_kd.hardware.profile_file import Execution, Rule, Target
from automl_kd.hardware.references import timed_kernels
from automl_kd.hardware.target import OWN_MISFIT, kernels_of, spread_of

LEAST_NETWORKS = 5
"""Fewer networks tell neither one rule from another nor which measurement is odd."""

_DEAD_CODE: Sequence[tuple[Zeros, Dead]] = (("fold", "drop"), ("store", "drop"), ("keep", "drop"), ("keep", "execute"))
"""What runtimes do with products with zero and with dead operators: one that finds zeros also drops duplicates."""
_NOISE, _OTHER_NOISES = 0.06, (0.03, 0.1, 0.2)
"""Standard deviations of measurements around the best sum of kernels, in natural logarithms. Where measurements are
noisy, what was known before counts for more."""
_NEAR, _NEAR_KEPT = 1.02, 1.25
"""A rule stays as it is where its error is at most so many times the least; the second figure is for a target whose
earlier networks keep counting."""
_ANY_SPEED = 1.5
"""Standard deviation of how fast another device is, in natural logarithms: some take 25 times as long as others."""
_RESAMPLES = 2000
_SLOWER = np.repeat([-1.0, -1.0, 1.0, 1.0], [len(KINDS), len(KINDS), len(KINDS), 1])
"""Change of the log-coefficients of a device that is slower by the same factor in everything."""
_WORST_MEAN, _WORST, _LEAST_ERROR = math.log(1.5), math.log(4), 0.1
"""Errors of networks left out from which on measurements are refused: their mean, that of one network, and the mean
from which on one time for all networks must not do better."""


@dataclass(frozen=True)
class MeasuredNetwork:
    """A network and how long the device takes for it.

    Attributes:
        name: What to call it.
        graphs: Its graphs, executed one after another: one, or one for each block of a plan.
        ms: Measured milliseconds.
    """

    name: str
    graphs: tuple[Graph, ...]
    ms: float


@dataclass(frozen=True)
class Start:
    """What is known before networks are fitted.

    Attributes:
        prior: What is expected of the coefficients.
        misfit: What the model gets wrong of the networks to be fitted.
        uncertainty: What the profile will keep of both.
        references: Networks measured before that keep counting; the prior knows of them already.
    """

    prior: Prior
    misfit: Misfit
    uncertainty: Uncertainty
    references: tuple[ReferenceNetwork, ...] = ()


@dataclass(frozen=True)
class Choice:
    """The rules that explain measurements best.

    Attributes:
        target: The target with these rules.
        networks: The measured networks as its kernels.
        start: What is known before they are fitted.
    """

    target: Target
    networks: tuple[Network, ...]
    start: Start


def choose(
    target: Target, known: Coefficients, given: Fit | None, limits: Limits, measured: Sequence[MeasuredNetwork]
) -> Choice:
    """The rules under which networks left out are predicted best.

    Every combination of rules that makes a difference on these networks is fitted. Of those that do about equally well
    the one that changes least is taken. Networks that the target was fitted on before keep counting where the new times
    are more probable on that device than on a device of any speed; under other rules they say nothing. Every other
    combination starts from the ratios of the known coefficients alone.

    Args:
        target: The target with the rules assumed so far.
        known: Its coefficients.
        given: Its fit, where it has one.
        limits: Memory of the device.
        measured: Measured networks, at least ``LEAST_NETWORKS``.

    Raises:
        UserError: If no rules explain the times.
    """
    trials = list(_trials(target, known, given, limits, measured))
    fits = [trial.fitted(_NOISE) for trial in trials]
    errors: Floats = np.abs(np.array([found.errors for found in fits]))
    means, rules = errors.mean(axis=1), [trial.target.rules for trial in trials]
    changes = np.array([trial.changes(target) for trial in trials])
    probable = np.array([trial.log_likelihood(found) for trial, found in zip(trials, fits, strict=True)])
    kept = changes == 0
    if kept.any() and probable[kept].max() >= probable[~kept].max():
        best = int(np.flatnonzero(kept)[0])
    else:
        best = int(_best(np.where(kept, np.inf, means), changes))
    chosen = trials[best]
    noise, left_out = min(
        ((_NOISE, fits[best].errors), *((noise, chosen.fitted(noise).errors) for noise in _OTHER_NOISES)),
        key=lambda found: np.abs(found[1]).mean(),
    )
    _check(left_out, measured)
    execution = Execution(
        zeros=chosen.target.rules["zeros"],
        dead=chosen.target.rules["dead"],
        error=_rounded(means[best]),
        given_error=_rounded(min(mean for mean, each in zip(means, rules, strict=True) if each == target.rules)),
        sure=_sureness(rules, changes, errors, best),
    )
    return Choice(chosen.target.model_copy(update={"execution": execution}), chosen.networks, chosen.start(noise))


@dataclass(frozen=True)
class _Trial:
    """Measured networks under some rules, and what is expected of them there.

    Attributes:
        target: The target with the rules.
        networks: The networks as its kernels.
        measured: The networks as a fit takes them.
        known: Coefficients so far.
        prior: What is expected of the coefficients.
        given: The fit to go on from; None where only ratios of coefficients are known.
    """

    target: Target
    networks: tuple[Network, ...]
    measured: tuple[TimedKernels, ...]
    known: Coefficients
    prior: Prior
    given: Fit | None

    def changes(self, before: Target) -> int:
        """How many assumptions about a target change: rules, and whether its earlier networks still count."""
        same = [mine == before.rules[name] for name, mine in self.target.rules.items()]
        return same.count(False) + (self.given is None)

    def fitted(self, noise: float) -> Fitted:
        """The fit, given the noise of every measurement."""
        return fit(self.measured, self.prior, replace(OWN_MISFIT, noise=noise))

    def log_likelihood(self, found: Fitted) -> float:
        """Marginal log-likelihood of the times: coefficients are integrated out, and so is the speed of another device.

        Args:
            found: The fit with the noise of ``_NOISE``.
        """
        misfit = replace(OWN_MISFIT, noise=_NOISE)
        slopes, covariance = found.sensitivities, self.prior.covariance
        if self.given is None:
            covariance = covariance + _ANY_SPEED**2 * np.outer(_SLOWER, _SLOWER)
        off = found.residuals + slopes @ (found.coefficients.pack() - self.known.pack())
        traits = Traits.of(slopes, np.array([network.flops for network in self.measured]))
        spread = slopes @ covariance @ slopes.T + misfit.covariance(traits)
        # Here and not above: half a second, which every process that prices would pay.
        from scipy.stats import multivariate_normal

        return float(multivariate_normal(np.zeros(len(off)), spread).logpdf(off))

    def start(self, noise: float) -> Start:
        """What is known before the fit with that noise."""
        misfit = replace(OWN_MISFIT, noise=noise)
        if self.given is None:
            return Start(self.prior, misfit, Uncertainty.of(spread_of(self.target), misfit))
        return Start(self.prior, misfit, self.given.uncertainty, self.given.references)


def _trials(
    target: Target, known: Coefficients, given: Fit | None, limits: Limits, measured: Sequence[MeasuredNetwork]
) -> Iterator[_Trial]:
    """Every combination of rules that makes a difference, and the target as it was fitted before."""
    # Inner loops are known of runs on one thread, which hides nothing.
    others = () if target.facts.vector is not None else (not target.queued,)
    for variant, networks in _variants(target, measured):
        times = tuple(
            timed_kernels(variant, limits, network, each.ms) for network, each in zip(networks, measured, strict=True)
        )
        if variant.rules == target.rules and given is not None and given.references:
            yield _Trial(variant, networks, times, known, Prior(known, given.posterior().covariance), given)
        for queued in (target.queued, *others):
            begun = replace(known, queued=queued)
            prior = Prior(_at_speed(begun, times), spread_of(target).covariance())
            yield _Trial(variant.model_copy(update={"queued": queued}), networks, times, begun, prior, None)


def _variants(target: Target, measured: Sequence[MeasuredNetwork]) -> Iterator[tuple[Target, tuple[Network, ...]]]:
    """The target with every treatment of dead code under which these networks become different kernels.

    Its own treatment comes first. Of treatments that make the same kernels only the one that changes least is given, so
    that a rule stays as it is where the networks say nothing of it.
    """
    own = (target.rules["zeros"], target.rules["dead"])
    found = {}
    for zeros, dead in product(get_args(Zeros), get_args(Dead)):
        execution = Execution(zeros=zeros, dead=dead, error=0, given_error=0, sure={})
        variant = target.model_copy(update={"execution": execution})
        networks = tuple(Network.joined([kernels_of(variant, graph) for graph in each.graphs]) for each in measured)
        found[zeros, dead] = variant, networks
    left = {tuple(network.kernels for network in found[pair][1]) for pair in (own, *_DEAD_CODE)}
    for pair in sorted(found, key=lambda pair: sum(mine != given for mine, given in zip(pair, own, strict=True))):
        kernels = tuple(network.kernels for network in found[pair][1])
        if kernels in left:
            left.remove(kernels)
            yield found[pair]


def _at_speed(known: Coefficients, measured: Sequence[TimedKernels]) -> Coefficients:
    """Coefficients with the ratios of those known, at the speed of the measured device."""
    networks = TimedNetworks(measured)
    logarithms, _ = networks.linearised(known)
    slower = float(np.median(networks.logarithms - logarithms))
    return Coefficients.unpack(known.pack() + slower * _SLOWER, known.queued)


def _best(means: Floats, changes: Integers) -> Integers:
    """Index of the trial with the fewest changes among those near the least error, (...).

    Args:
        means: Errors, (..., trials).
        changes: Of every trial, (trials,).
    """
    near = means <= np.where(changes == 0, _NEAR_KEPT, _NEAR) * means.min(axis=-1, keepdims=True)
    errors = np.where(near, means, 0.0)
    largest = max(float(errors.max()), 1e-12)
    least: Integers = np.where(near, changes + errors / largest, np.inf).argmin(axis=-1)
    return least


def _sureness(
    rules: Sequence[Mapping[Rule, object]], changes: Integers, errors: Floats, best: int
) -> dict[Rule, float]:
    """Share of resamples of the networks that choose the rules which were chosen, for rules that differ between trials.

    The resamples are weights of the Bayesian bootstrap (Rubin 1981), under which none of few networks is ever absent.
    """
    weights = np.random.default_rng(0).dirichlet(np.ones(errors.shape[1]), _RESAMPLES)
    winners = _best(weights @ errors.T, changes)
    return {
        rule: round(float(np.mean([rules[winner][rule] == value for winner in winners])), 3)
        for rule, value in rules[best].items()
        if len({each[rule] for each in rules}) > 1
    }


def _check(left_out: Sequence[float], measured: Sequence[MeasuredNetwork]) -> None:
    """Refuse times that the best rules explain badly, or no better than one time for all networks would."""
    errors = np.array(left_out)
    mean, logarithms = np.abs(errors).mean(), np.log([each.ms for each in measured])
    one_for_all = np.mean([abs(value - np.median(np.delete(logarithms, i))) for i, value in enumerate(logarithms)])
    idle = mean > max(_LEAST_ERROR, one_for_all)
    if not idle and mean <= _WORST_MEAN and np.abs(errors).max() <= _WORST:
        return
    slow, fast = int(errors.argmax()), int(errors.argmin())
    raise UserError(
        f"the times fit no rule that a runtime is known by (left out, a network is off by a factor of"
        f" {math.exp(mean):.2f}): {measured[slow].name} took {math.exp(errors[slow]):.3g} times and"
        f" {measured[fast].name} {math.exp(errors[fast]):.3g} times what the others lead to expect; measure again"
    )


def _rounded(error: float) -> float:
    return float(f"{error:.3g}")
