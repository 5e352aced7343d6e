"""The section ``fit`` of a profile's file: coefficients, and the measured networks that they rest on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated

import numpy as np
from pydantic import Field

from automl_kd.hardware.datasheet import NotNegative, Positive, ProfilePart
from automl_kd.hardware.kernels.graph import Kind
from automl_kd.hardware.predictor.cost import KINDS, Coefficients, Floats
from automl_kd.hardware.predictor.misfit import Misfit
from automl_kd.hardware.predictor.posterior import Measurements, Posterior
from automl_kd.hardware.predictor.prior import GROUPS, Spread

Share = Annotated[float, Field(ge=0, le=1)]

_LEAST_SHARE = 0.002
"""Of a network's time; a kind that takes less is not written down."""
_LEAST_FLOPS = 1e5
"""Operations that a network is taken to have at least, so that sizes can be compared as logarithms."""


class ReferenceNetwork(ProfilePart):
    """A measured network that a target's prices rest on, and what the fit without it says of it.

    Attributes:
        model: Its name.
        family: Lineage that it shares with its variants; None of a network that was measured for the purpose.
        input: Shape of one input.
        gflops: 10⁹ operations, a multiply-accumulate counted as 2.
        ms: Measured milliseconds.
        fitted_ms: Sum of its kernels under the fit on all networks.
        left_out_ms: Prediction by the fit without it.
        family_left_out_ms: Prediction by the fit without any network of its family; None where that was not asked. A
            file calls it ``unlike_ms``.
        source: Where the measurement is from.
        time: Shares of its predicted time by kind: arithmetic, memory and launches.
        intercept: Share of its predicted time that is the intercept.
    """

    model: str
    family: str | None = None
    input: tuple[int, ...]
    gflops: Positive
    ms: Positive
    fitted_ms: Positive
    left_out_ms: Positive
    family_left_out_ms: Annotated[Positive | None, Field(alias="unlike_ms")] = None
    source: str
    time: dict[Kind, tuple[Share, Share, Share]]
    intercept: Share

    @staticmethod
    def time_of(sensitivities: Floats) -> dict[Kind, tuple[float, float, float]]:
        """Shares by kind from derivatives of the logarithm of a network's time, (3 K + 1,), to three digits."""
        shares = np.abs(sensitivities[:-1]).reshape(3, len(KINDS)).T
        rows = zip(KINDS, shares.tolist(), strict=True)
        return {kind: (_three(a), _three(m), _three(n)) for kind, (a, m, n) in rows if a + m + n >= _LEAST_SHARE}

    @property
    def error(self) -> float:
        """``log(measured / predicted)`` by the fit without it."""
        return math.log(self.ms / self.left_out_ms)

    def moved(self, change: Floats) -> ReferenceNetwork:
        """The network after its fit's log-coefficients changed, (3 K + 1,), to first order."""
        factor = math.exp(float(self.sensitivities @ change))
        update = {"fitted_ms": self.fitted_ms * factor, "left_out_ms": self.left_out_ms * factor}
        if self.family_left_out_ms is not None:
            update["family_left_out_ms"] = self.family_left_out_ms * factor
        return self.model_copy(update={name: _four(value) for name, value in update.items()})

    @property
    def family_error(self) -> float:
        """``log(measured / predicted)`` by the fit without its family, or without it alone where that was not asked."""
        return math.log(self.ms / (self.family_left_out_ms or self.left_out_ms))

    @property
    def shares(self) -> dict[Kind, float]:
        """Shares of its time by kind."""
        return {kind: sum(parts) for kind, parts in self.time.items()}

    @property
    def sensitivities(self) -> Floats:
        """Derivatives of the logarithm of its time by the log-coefficients, (3 K + 1,)."""
        rows = np.array([self.time.get(kind, (0.0, 0.0, 0.0)) for kind in KINDS])
        found: Floats = np.append((rows * (-1.0, -1.0, 1.0)).T.ravel(), self.intercept)
        return found


class Residual(ProfilePart):
    """Table from which boosted trees learn what the sum of kernels leaves unexplained.

    Attributes:
        features: One row a network.
        errors: ``log(measured / predicted)`` of every network by the fit without it.
    """

    features: tuple[tuple[float, ...], ...]
    errors: tuple[float, ...]


class Uncertainty(ProfilePart):
    """How far coefficients may lie off before a target's own networks are measured, and what the model gets wrong.

    The first five are standard deviations in natural logarithms.

    Attributes:
        shared: Of what all kinds of a group have in common.
        kinds: Of what each kind has of its own: throughput, bandwidth and launch.
        intercept: Of the intercept.
        noise: Of a measurement by itself.
        alike: Of the error that networks which are alike share. A file calls it ``unlike``.
        composition: Distance of two networks' compositions over which they stop being alike.
        size: Distance in the logarithm of their operations over which they do.
    """

    shared: dict[str, NotNegative]
    kinds: dict[Kind, tuple[Positive, Positive, Positive]]
    intercept: Positive
    noise: Positive
    alike: Annotated[NotNegative, Field(alias="unlike")]
    composition: Positive
    size: Positive

    @staticmethod
    def of(spread: Spread, misfit: Misfit) -> Uncertainty:
        """In the form of the file, to three digits."""
        rows = np.array(spread.kinds).reshape(3, len(KINDS)).T.tolist()
        return Uncertainty(
            shared=dict(zip(GROUPS, map(_three, spread.shared), strict=True)),
            kinds={kind: (_three(a), _three(m), _three(n)) for kind, (a, m, n) in zip(KINDS, rows, strict=True)},
            intercept=_three(spread.intercept),
            noise=_three(misfit.noise),
            alike=_three(misfit.alike),
            composition=misfit.composition,
            size=misfit.size,
        )

    @property
    def spread(self) -> Spread:
        """Of the coefficients."""
        own = np.array([self.kinds[kind] for kind in KINDS]).T.ravel()
        return Spread(tuple(self.shared[name] for name in GROUPS), tuple(own.tolist()), self.intercept)

    @property
    def misfit(self) -> Misfit:
        """Of the model."""
        return Misfit(self.noise, self.alike, self.composition, self.size)


class Fit(ProfilePart):
    """Coefficients by kind, and the measured networks that they were fitted on; written by a program.

    Attributes:
        throughput_gops: 10⁹ operations per second.
        bandwidth_gb_s: 10⁹ bytes per second.
        launch_us: Microseconds.
        intercept_ms: Milliseconds.
        kinds: Kinds of kernel that occur in the measured networks.
        uncertainty: How far off the coefficients might have been before those were measured. A file calls it ``doubt``.
        validation: How their ``left_out_ms`` came about.
        references: Measured networks; none where the coefficients came from other targets alone. A file calls them
            ``anchors``.
        residual: Given from 20 measured networks on, where a correction helps.
    """

    throughput_gops: dict[Kind, Positive]
    bandwidth_gb_s: dict[Kind, Positive]
    launch_us: dict[Kind, Positive]
    intercept_ms: Positive
    kinds: tuple[Kind, ...]
    uncertainty: Annotated[Uncertainty, Field(alias="doubt")]
    validation: str = "leave-one-out"
    references: Annotated[tuple[ReferenceNetwork, ...], Field(alias="anchors")] = ()
    residual: Residual | None = None

    @staticmethod
    def of(
        coefficients: Coefficients,
        kinds: frozenset[Kind],
        uncertainty: Uncertainty,
        references: Sequence[ReferenceNetwork],
        residual: Residual | None = None,
    ) -> Fit:
        """The fit in the units of the file, to four digits."""
        return Fit(
            throughput_gops=_by_kind(coefficients.throughput, 1e-9),
            bandwidth_gb_s=_by_kind(coefficients.bandwidth, 1e-9),
            launch_us=_by_kind(coefficients.launch, 1e6),
            intercept_ms=_four(coefficients.intercept * 1e3),
            kinds=tuple(sorted(kinds)),
            uncertainty=uncertainty,
            references=tuple(references),
            residual=residual,
        )

    def posterior(self) -> Posterior:
        """What the measured networks say of others, and how far off prices by this fit may be."""
        measurements = self._measurements() if self.references else Measurements.none()
        return Posterior(self.uncertainty.spread, self.uncertainty.misfit, measurements)

    def _measurements(self) -> Measurements:
        families: dict[str, list[int]] = {}
        for index, reference in enumerate(self.references):
            if reference.family is not None and reference.family_left_out_ms is not None:
                families.setdefault(reference.family, []).append(index)
        errors = [(tuple(rows), tuple(self.references[row].family_error for row in rows)) for rows in families.values()]
        return Measurements(
            np.stack([reference.sensitivities for reference in self.references]),
            np.array([reference.gflops * 1e9 for reference in self.references]),
            np.array([math.log(reference.ms / reference.fitted_ms) for reference in self.references]),
            np.array([reference.error for reference in self.references]),
            tuple(errors) if sum(len(rows) for rows, _ in errors) == len(self.references) else (),
        )

    def coefficients(self, prior: Coefficients) -> Coefficients:
        """The coefficients in SI units; kinds that the file does not know keep the datasheet's."""
        return Coefficients(
            throughput=_in_order(self.throughput_gops, 1e9, prior.throughput),
            bandwidth=_in_order(self.bandwidth_gb_s, 1e9, prior.bandwidth),
            launch=_in_order(self.launch_us, 1e-6, prior.launch),
            intercept=self.intercept_ms * 1e-3,
            queued=prior.queued,
        )


def _by_kind(values: Sequence[float], unit: float) -> dict[Kind, float]:
    return {kind: _four(value * unit) for kind, value in zip(KINDS, values, strict=True)}


def _in_order(values: dict[Kind, float], unit: float, prior: Sequence[float]) -> tuple[float, ...]:
    expected = zip(KINDS, prior, strict=True)
    return tuple(values[kind] * unit if kind in values else value for kind, value in expected)


def _four(value: float) -> float:
    return float(f"{value:.4g}")


def _three(value: float) -> float:
    return round(value, 4) if value < 0.1 else float(f"{value:.3g}")
