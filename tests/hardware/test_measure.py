"""Timing on a machine whose speed changes."""

from __future__ import annotations

import nets
import numpy as np
import pytest
from torch import nn

from automl_kd.core import TEXT_AXES, Input, UserError
from automl_kd.hardware import measure_latencies, measure_latency
from automl_kd.hardware.measurement.latency import Runs, Visits
from automl_kd.onnxio import export


def test_measurement_reports_what_the_protocol_asks(tmp_path):
    path = export(nets.unit(3, 4), tmp_path / "net.onnx", Input.of_images((3, 8, 8)))
    found = measure_latency(path)
    assert 0 < found.minimum <= found.p10 <= found.median <= found.p90
    assert found.minimum <= found.ms
    assert found.runs >= 5 * found.visits >= 300
    assert found.drift >= 0
    assert 0 < found.repeat_error < 0.5
    assert found.cpu
    assert "onnxruntime" in found.versions


def test_larger_networks_take_longer(tmp_path):
    shape = (16, 32, 32)
    paths = [export(nets.unit(16, width), tmp_path / f"{width}.onnx", Input.of_images(shape)) for width in (16, 256)]
    small, large = measure_latencies(paths)
    assert large.ms > 4 * small.ms
    assert small.sentinels == large.sentinels


def test_refusals(tmp_path):
    with pytest.raises(UserError, match="visits is 2"):
        measure_latency(tmp_path / "net.onnx", visits=2)
    with pytest.raises(UserError, match="does not exist"):
        measure_latency(tmp_path / "missing.onnx")


def test_changes_of_speed_and_disturbed_visits_are_taken_out():
    """A machine that slows by half for seconds at a time, and one visit in ten disturbed on top of that."""
    draw = np.random.default_rng(0)
    visits = Visits()
    for place in range(60):
        slow = 0.4 * (place // 7 % 2)
        disturbed = 1.0 * (place % 10 == 3)
        runs = 2.0 * np.exp(slow + disturbed + 0.02 * draw.standard_normal(8))
        runs[:2] *= 3  # caches are cold
        visits.add(Runs(runs, runs), slow, slow)
    found = visits.summary(0.0, drift=0.4, threads=1)
    assert found.ms == pytest.approx(2.0, rel=0.01)
    assert found.repeat_error < 0.01
    assert found.p90 > 1.5 * found.ms


def test_a_network_of_ids_is_measured(tmp_path):
    takes = Input("ids", (12,), TEXT_AXES, "int64", ids=30)
    network = nn.Sequential(nn.Embedding(30, 4), nn.Flatten(), nn.Linear(48, 2))
    path = export(network, tmp_path / "text.onnx", takes)
    assert measure_latency(path).ms > 0
