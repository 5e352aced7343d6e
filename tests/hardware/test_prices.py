"""No price is absurd: every network has a finite one on every target, or a reason; more work never costs less."""

from __future__ import annotations

import math
import tempfile
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automl_kd.hardware import Prediction, load_profile, profile_names
from automl_kd.hardware.kernels.read_onnx import read_onnx
from automl_kd.hardware.kernels.trace import trace
from automl_kd.hardware.predictor.residual import LEAST_PAIRS

ROOT = Path(__file__).resolve().parents[2]
FEW = ("jetson-nano", "raspberry-pi-4", "coral-edgetpu", "x86-server", "narrow")
seeds = st.integers(0, 2**32 - 1)


@pytest.fixture(scope="module", autouse=True)
def benchmarks():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "benchmarks"))
        yield


def chain_of(seed):
    from random_graphs import random_chain

    return random_chain(np.random.default_rng(seed))


def model_of(seed):
    from random_graphs import random_model

    return random_model(np.random.default_rng(seed))


def read(model):
    with tempfile.TemporaryDirectory() as folder:
        onnx.save(model, Path(folder) / "net.onnx")
        return read_onnx(Path(folder) / "net.onnx", None)


def price(profile, graph):
    return profile.price_networks([profile.lower(graph)])[0]


@pytest.fixture(scope="module")
def targets():
    """Every target that needs no measurement, and one whose interval is as narrow as those of measured machines."""
    names = [f"{name}:{target}" for name in profile_names() for target in load_profile(name).file.targets]
    found = [profile for profile in map(load_profile, names) if not profile.target.this_machine]
    return [*found, narrow(load_profile("x86-server:onnxruntime"))]


def narrow(profile):
    """The same, calibrated on networks that take what it says, within some per cent."""
    random, pairs = np.random.default_rng(0), []
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(LEAST_PAIRS):
            path = Path(folder) / f"{seed}.onnx"
            onnx.save(chain_of(seed).model(), path)
            pairs.append((path, profile.predict(path).ms * math.exp(random.normal(0, 0.03))))
        return profile.calibrate(pairs, name="narrow")


def check_prices(targets, seed):
    graph = read(model_of(seed))
    for profile in targets:
        said = price(profile, graph)
        assert 0 < said.low <= said.ms <= said.high < math.inf or not said.fits


def check_more_work(targets, seed):
    """A layer, a channel, a pixel more."""
    chain, random = chain_of(seed), np.random.default_rng(seed)
    wide = [place for place, layer in enumerate(chain.layers) if layer.channels]
    larger = [
        chain.with_layer(int(random.integers(0, len(chain.layers) + 1))),
        chain.with_pixel(int(random.integers(0, len(chain.pixels)))),
        *([chain.with_channel(int(random.choice(wide)))] if wide else []),
    ]
    graphs = [read(each.model()) for each in (chain, *larger) if each.is_valid()]
    for profile in targets:
        before, *after = (price(profile, graph) for graph in graphs)
        for said in after:
            assert said.ms >= before.low or not before.fits, profile.name


def check_agreement(targets, seed):
    """The same network as a module and as a file that no exporter wrote."""
    chain = chain_of(seed)
    traced, file = trace(chain.module(), chain.shape), read(chain.model())
    for profile in targets:
        module, model = price(profile, traced), price(profile, file)
        assert (module.flops, module.params, module.memory_bytes) == (model.flops, model.params, model.memory_bytes)
        assert module.ms == pytest.approx(model.ms, rel=1e-3)


@settings(max_examples=12, deadline=None)
@given(seed=seeds)
def test_every_network_has_a_price_on_every_target(targets, seed):
    check_prices(targets, seed)


@settings(max_examples=15, deadline=None)
@given(seed=seeds)
def test_a_little_more_work_costs_no_less(targets, seed):
    check_more_work([profile for profile in targets if profile.name in FEW], seed)


@settings(max_examples=15, deadline=None)
@given(seed=seeds)
def test_module_and_file_agree(targets, seed):
    check_agreement([profile for profile in targets if profile.name in FEW], seed)


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("check", [check_prices, check_more_work, check_agreement])
def test_many_random_networks(targets, check):
    for seed in range(300):
        check(targets, seed)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_backend_tests_of_onnx(targets, tmp_path):
    from absurd_prices import Tally, backend_tests

    tally = Tally()
    for name, path in backend_tests(tmp_path):
        tally.add(name, path, None, targets)
    tally.report("ONNX's backend tests")
    assert tally.networks > 2000
    assert not tally.absurd + tally.tracebacks
    assert tally.refused.total() < 0.05 * tally.networks


@pytest.mark.parametrize("wrong", [{"ms": -1.0, "low": -2.0}, {"low": 0.0}, {"high": math.inf}, {"ms": math.nan}])
def test_what_is_no_price_gets_no_further(wrong):
    numbers = {"ms": 1.0, "low": 0.5, "high": 2.0} | wrong
    with pytest.raises(ValueError, match="no price"):
        Prediction(**numbers, coverage=1.0, memory_bytes=1, params=1, flops=1, missing_bytes=0)


def test_a_network_that_takes_nothing_has_a_price(targets):
    node = onnx.helper.make_node("RandomNormal", [], ["out"], shape=[2, 3])
    result = onnx.helper.make_tensor_value_info("out", onnx.TensorProto.FLOAT, (2, 3))
    graph = onnx.helper.make_graph([node], "graph", [], [result])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    assert price(targets[0], read(model)).ms > 0
