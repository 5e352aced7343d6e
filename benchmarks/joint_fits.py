"""All measured targets fitted together, and what that leads to expect of each."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from zlib import crc32

import numpy as np
from cases import Case, profile_of
from published_latencies import Key

from automl_kd.hardware.fit_section import Fit, ReferenceNetwork, Uncertainty
from automl_kd.hardware.kernels.rules import root_of
from automl_kd.hardware.predictor.cost import kinds_of
from automl_kd.hardware.predictor.fit import Problem, fit
from automl_kd.hardware.predictor.joint import Joint, Member
from automl_kd.hardware.predictor.misfit import PUBLISHED, Misfit
from automl_kd.hardware.predictor.prior import GROUPS, Prior, Spread
from automl_kd.hardware.profile_file import Target
from automl_kd.hardware.references import reference_networks

LEVELS = ("processor", "processor and precision", "runtime", "runtime and precision", "device", "target")
ALIKE = LEVELS.index("runtime and precision")
"""Targets that share what the model gets wrong of a network."""


@dataclass(frozen=True)
class Chosen:
    """How far targets differ, by level; chosen by ``choose_levels.py``."""

    spreads: tuple[Spread, ...]
    misfit: Misfit


def spread(**groups: tuple[float, float] | float) -> Spread:
    """A level's spread from what kinds share and what they have of their own, by group, and the intercept's."""
    intercept = groups.pop("intercept")
    assert isinstance(intercept, float)
    pairs = {name: pair for name, pair in groups.items() if isinstance(pair, tuple)}
    return Spread.even({name: pairs[name][0] for name in GROUPS}, {name: pairs[name][1] for name in GROUPS}, intercept)


CHOSEN = Chosen(
    (
        spread(arithmetic=(0.31, 0.72), other=(0.29, 0.26), bandwidth=(0.29, 1.1), launch=(0.89, 0.86), intercept=0.63),
        spread(
            arithmetic=(0.18, 0.23), other=(0.26, 0.26), bandwidth=(0.21, 0.12), launch=(0.34, 0.46), intercept=0.57
        ),
        spread(arithmetic=(0.15, 0.3), other=(0.26, 0.26), bandwidth=(0.19, 0.11), launch=(0.65, 0.11), intercept=0.83),
        spread(
            arithmetic=(0.15, 0.18), other=(0.26, 0.25), bandwidth=(0.16, 0.13), launch=(0.27, 0.11), intercept=0.28
        ),
        spread(
            arithmetic=(0.34, 0.15), other=(0.22, 0.02), bandwidth=(0.18, 0.009), launch=(0.56, 0.033), intercept=0.76
        ),
        spread(
            arithmetic=(0.099, 0.16), other=(0.21, 0.22), bandwidth=(0.051, 0.046), launch=(0.099, 0.13), intercept=0.14
        ),
    ),
    PUBLISHED,
)
CHOSEN_ON = {
    "a": Chosen(
        (
            spread(
                arithmetic=(0.27, 0.56), other=(0.28, 0.28), bandwidth=(0.25, 0.72), launch=(0.51, 0.16), intercept=0.67
            ),
            spread(
                arithmetic=(0.2, 0.22), other=(0.27, 0.27), bandwidth=(0.2, 0.18), launch=(0.35, 1.4), intercept=0.47
            ),
            spread(
                arithmetic=(0.16, 0.35), other=(0.27, 0.28), bandwidth=(0.17, 0.1), launch=(0.2, 0.11), intercept=0.44
            ),
            spread(
                arithmetic=(0.14, 0.22), other=(0.27, 0.28), bandwidth=(0.15, 0.1), launch=(0.18, 0.11), intercept=0.41
            ),
            spread(
                arithmetic=(0.13, 0.021),
                other=(0.26, 0.02),
                bandwidth=(0.34, 0.023),
                launch=(0.23, 0.02),
                intercept=0.59,
            ),
            spread(
                arithmetic=(0.11, 0.22), other=(0.26, 0.26), bandwidth=(0.12, 0.14), launch=(0.2, 0.11), intercept=0.64
            ),
        ),
        Misfit(noise=0.056, alike=0.12, composition=0.22, size=2.6),
    ),
    "b": Chosen(
        (
            spread(
                arithmetic=(0.27, 0.69), other=(0.28, 0.29), bandwidth=(0.25, 1.1), launch=(0.86, 0.89), intercept=0.8
            ),
            spread(
                arithmetic=(0.33, 0.2), other=(0.41, 0.37), bandwidth=(0.31, 0.12), launch=(0.22, 0.11), intercept=0.75
            ),
            spread(
                arithmetic=(0.57, 0.25),
                other=(0.31, 0.29),
                bandwidth=(0.16, 0.089),
                launch=(0.37, 0.19),
                intercept=0.42,
            ),
            spread(
                arithmetic=(0.25, 0.16),
                other=(0.32, 0.31),
                bandwidth=(0.19, 0.088),
                launch=(0.22, 0.19),
                intercept=0.31,
            ),
            spread(
                arithmetic=(0.44, 0.024),
                other=(0.22, 0.02),
                bandwidth=(0.19, 0.025),
                launch=(0.47, 0.021),
                intercept=0.51,
            ),
            spread(
                arithmetic=(0.13, 0.18),
                other=(0.24, 0.29),
                bandwidth=(0.055, 0.053),
                launch=(0.068, 0.1),
                intercept=0.11,
            ),
        ),
        Misfit(noise=0.058, alike=0.13, composition=0.57, size=0.096),
    ),
}
"""The same from a half of the devices: what the other half is judged with."""


def labels_of(key: Key, target: Target) -> tuple[Hashable, ...]:
    """What a target has in common with others, by level."""
    processor = _processor(target)
    # Where inner loops are counted, coefficients say something else than elsewhere under the same runtime.
    runtime = (target.runtime, target.facts.vector is not None)
    return (
        processor,
        (processor, target.precision),
        runtime,
        (runtime, target.precision),
        (key[0], processor),
        key,
    )


def members_of(cases: Mapping[Key, Sequence[Case]]) -> list[Member]:
    """Targets as a joint fit takes them."""
    targets = {key: profile_of(key).target for key in cases}
    return [
        Member(labels_of(key, target), target.prior, [case.timed for case in cases[key]])
        for key, target in targets.items()
    ]


OTHER_HALF = {"a": "b", "b": "a"}


def half_of(device: str) -> str:
    """The half of the devices that one belongs to, for all time: ``a`` or ``b``."""
    return "ab"[crc32(device.encode()) % 2]


def _processor(target: Target) -> str:
    if target.runtime == "edgetpu":
        return "edge tpu"
    if root_of(target.runtime) == "qnn":
        return "hexagon"
    return "gpu" if target.queued else "cpu"


class JointFits:
    """Fits of all targets, each with what the others teach.

    Args:
        cases: Measured networks by target; a target without any is fitted to nothing of its own.
        chosen: How far targets differ.
    """

    def __init__(self, cases: Mapping[Key, Sequence[Case]], chosen: Chosen = CHOSEN) -> None:
        self._cases = cases
        self._keys = {key: index for index, key in enumerate(cases)}
        self._chosen = chosen
        self._joint = Joint(members_of(cases), chosen.spreads, chosen.misfit, ALIKE)

    def prior(self, key: Key, models: Collection[str] = ()) -> Prior:
        """What all other targets lead to expect of one, in the form that a profile keeps.

        Args:
            key: The target.
            models: Networks that are not looked at on any target of the same device.
        """
        return self.prior_without(
            key, lambda other, row: other[0] == key[0] and self._cases[other][row].measured.model in models
        )

    def prior_without(self, key: Key, hidden: Callable[[Key, int], bool]) -> Prior:
        """The same from fewer rows.

        Args:
            key: The target.
            hidden: Whether a row, given by its target and position, is not looked at.
        """
        gone = [
            (self._keys[other], row)
            for other, cases in self._cases.items()
            for row in range(len(cases))
            if hidden(other, row)
        ]
        prior = self._joint.prior(self._keys[key], gone)
        return Prior(prior.centre, Spread.of(prior.covariance).covariance())

    def without(self, key: Key, kept: Sequence[int], prior: Prior) -> Fit:
        """The fit of a target on some of its rows.

        Args:
            key: The target.
            kept: Positions of the rows.
            prior: What is expected of it.
        """
        return self._document([self._cases[key][row] for row in kept], prior, families=False)

    def fit(self, key: Key) -> Fit:
        """The fit of a target on all of its rows, with the errors of networks and of families left out."""
        return self._document(self._cases[key], self.prior(key), families=True, key=key)

    def _document(self, cases: Sequence[Case], prior: Prior, families: bool, key: Key | None = None) -> Fit:
        uncertainty = Uncertainty.of(Spread.of(prior.covariance), self._chosen.misfit)
        if not cases:
            return Fit.of(prior.centre, frozenset(), uncertainty, ())
        timed = [case.timed for case in cases]
        fitted = fit(timed, prior, self._chosen.misfit)
        by_family = self._family_errors(cases, key) if families and key is not None else [None] * len(cases)
        names, ms = [case.measured.name for case in cases], [case.measured.ms for case in cases]
        plain = reference_networks(names, [case.network for case in cases], ms, fitted, "")
        references = [_published(*row) for row in zip(plain, cases, by_family, strict=True)]
        return Fit.of(fitted.coefficients, kinds_of(each.features for each in timed), uncertainty, references)

    def _family_errors(self, cases: Sequence[Case], key: Key) -> list[float]:
        """``log(measured / predicted)`` of every network when its family is left out on the device."""
        errors = np.empty(len(cases))
        for family in {case.measured.family for case in cases}:
            rows = [row for row, case in enumerate(cases) if case.measured.family == family]
            prior = self.prior(key, {case.measured.model for case in cases if case.measured.family == family})
            errors[rows] = Problem([case.timed for case in cases], prior, self._chosen.misfit).errors_without(rows)
        found: list[float] = errors.tolist()
        return found


def _published(reference: ReferenceNetwork, case: Case, family_error: float | None) -> ReferenceNetwork:
    """The network as a file of the project keeps it: to four digits, with its source and its family."""
    family = None if family_error is None else _four(case.measured.ms / math.exp(family_error))
    return reference.model_copy(
        update={
            "family": case.measured.family,
            "input": case.measured.shape,
            "gflops": round(max(case.network.flops, 1e5) / 1e9, 4),
            "fitted_ms": _four(reference.fitted_ms),
            "left_out_ms": _four(reference.left_out_ms),
            "family_left_out_ms": family,
            "source": case.measured.source,
            "intercept": _four(reference.intercept),
        }
    )


def _four(value: float) -> float:
    return float(f"{value:.4g}")
