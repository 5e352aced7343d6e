"""The page about how well a device's predictions meet measurements."""

from __future__ import annotations

import statistics

from automl_kd.core import UserError
from automl_kd.delivery.html_page import embed, render
from automl_kd.delivery.prediction_figure import prediction_figure
from automl_kd.hardware import Profile, cross_validation


def hardware_report(profile: Profile) -> str:
    """One self-contained HTML page: predicted against measured latency of the networks that a profile was fitted on.

    Every prediction is that of the fit without the network.

    Raises:
        UserError: If the profile has no measured networks.
    """
    rows = cross_validation(profile)
    if not rows:
        raise UserError(
            f"{profile.name} has no measured networks to plot; automl-kd hw kit and hw calibrate add them,"
            " hw train those of this machine"
        )
    return render(
        "hardware.html",
        profile=profile,
        rows=rows,
        median_error=statistics.median(abs(row.error) for row in rows),
        inside=sum(row.low <= row.measured_ms <= row.high for row in rows),
        validation=profile.target.fit.validation if profile.target.fit else "",
        figure=embed(prediction_figure(rows), "predictions"),
    )
