"""Levels at which targets differ more are found from times alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from automl_kd.hardware.kernels.graph import COMPUTE
from automl_kd.hardware.predictor.cost import KINDS, Features, datasheet
from automl_kd.hardware.predictor.joint import Member
from automl_kd.hardware.predictor.timed import TimedKernels

ROOT = Path(__file__).resolve().parents[2]
DEVICES, TARGETS, NETWORKS = 10, 4, 2
CENTRE = datasheet(1e12, 1e10, 1e-5, 1e-4, queued=False)


@pytest.fixture(scope="module", autouse=True)
def benchmarks():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "benchmarks"))
        yield


def members(of_devices: float, of_targets: float) -> list[Member]:
    """Targets of devices whose arithmetic is faster or slower as a whole, timed to a percent."""
    rng = np.random.default_rng(0)
    found = []
    for device in range(DEVICES):
        whole = of_devices * rng.standard_normal()
        for target in range(TARGETS):
            factor = np.exp(whole + of_targets * rng.standard_normal())
            true = replace(CENTRE, throughput=tuple(value * factor for value in CENTRE.throughput))
            networks = [network(rng) for _ in range(NETWORKS)]
            seconds = [each.seconds(true) * np.exp(0.01 * rng.standard_normal()) for each in networks]
            rows = zip(networks, seconds, strict=True)
            measured = [TimedKernels(each, time, float(each.operations.sum())) for each, time in rows]
            found.append(Member((device, (device, target)), CENTRE, measured))
    return found


def network(rng: np.random.Generator) -> Features:
    """Convolutions and products of matrices, large enough for nothing else to matter."""
    kinds = np.array([index for index, kind in enumerate(KINDS) if kind in COMPUTE])
    return Features(kinds, 10 ** rng.uniform(8, 10, len(kinds)), np.full(len(kinds), 1e5), np.ones(len(kinds)))


@pytest.mark.parametrize(("of_devices", "of_targets"), [(0.8, 0.05), (0.05, 0.8)])
def test_the_level_that_differs_more_gets_the_larger_spread(of_devices, of_targets):
    import choose_levels

    whole = choose_levels.start()
    first = replace(whole, spreads=(whole.spreads[0], whole.spreads[0]))
    devices, targets = choose_levels.choose(members(of_devices, of_targets), first, alike=1).spreads
    larger, smaller = (devices, targets) if of_devices > of_targets else (targets, devices)
    assert larger.shared[0] > 2 * smaller.shared[0]
    assert larger.shared[0] == pytest.approx(0.8, rel=0.5)
