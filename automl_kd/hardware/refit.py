"""A target's fit moved by measured networks, and the correction that is learned from many of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from automl_kd.hardware.calibration import Start
from automl_kd.hardware.fit_section import Fit, Residual, Uncertainty
from automl_kd.hardware.kernels.kernel import Network
from automl_kd.hardware.limits import Limits
from automl_kd.hardware.predictor.cost import kinds_of
from automl_kd.hardware.predictor.fit import fit
from automl_kd.hardware.predictor.prior import Prior
from automl_kd.hardware.predictor.residual import left_out_corrections, residual_features
from automl_kd.hardware.price_model import PriceModel
from automl_kd.hardware.profile_file import Target
from automl_kd.hardware.references import reference_networks, timed_kernels
from automl_kd.hardware.target import OWN_MISFIT, spread_of


def refit(
    target: Target,
    limits: Limits,
    model: PriceModel,
    networks: Sequence[Network],
    ms: Sequence[float],
    names: Sequence[str],
    source: str,
    start: Start | None = None,
) -> Fit:
    """The fit of a target on measured networks.

    Args:
        target: The target.
        limits: Memory of its device.
        model: What prices it so far.
        networks: N networks as kernels of the target.
        ms: Their latencies in milliseconds.
        names: What to call them.
        source: Where the measurements come from.
        start: What is known before, by default the coefficients of ``model`` alone.
    """
    timed = [timed_kernels(target, limits, network, each) for network, each in zip(networks, ms, strict=True)]
    if start is None:
        spread = spread_of(target)
        prior = Prior(model.coefficients, spread.covariance())
        start = Start(prior, OWN_MISFIT, Uncertainty.of(spread, OWN_MISFIT))
    fitted = fit(timed, start.prior, start.misfit)
    features = [each.features for each in timed]
    table = residual_features(
        np.stack([each.seconds_by_kind(fitted.coefficients) for each in features]),
        np.array([float(len(network.kernels)) for network in networks]),
    )
    corrections = left_out_corrections(table, fitted.errors)
    errors = fitted.errors if corrections is None else (np.array(fitted.errors) - corrections).tolist()
    moved = fitted.coefficients.pack() - start.prior.centre.pack()
    earlier = [reference.moved(moved) for reference in start.references]
    references = [*earlier, *reference_networks(names, networks, ms, fitted, source, errors)]
    residual = None
    if corrections is not None:
        rows = tuple(tuple(float(f"{value:.5g}") for value in row) for row in table)
        residual = Residual(features=rows, errors=fitted.errors)
    return Fit.of(fitted.coefficients, kinds_of(features) | model.kinds, start.uncertainty, references, residual)
