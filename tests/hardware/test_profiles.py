"""What a device's predictions promise."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import nets
import pytest
import torch
from ruamel.yaml import YAML

from automl_kd.core import UserError, find_yaml
from automl_kd.hardware import load_profile, profile_names


@pytest.fixture(scope="module")
def jetson():
    return load_profile("jetson-nano")


def test_every_profile_of_the_project_loads_and_says_how_far_off_it_is():
    assert set(profile_names()) >= {"jetson-nano", "raspberry-pi-4", "local"}
    keys = set()
    for name in profile_names():
        profile = load_profile(name)
        error = profile.latency_error()
        assert (error.basis == "networks") == bool(profile.target.fit and profile.target.fit.references)
        assert (error.basis == "first use") == (name == "local")
        keys.add(profile.key)
    assert len(keys) == len(profile_names())


@pytest.mark.parametrize(
    ("depths", "bottlenecks", "published"),
    [((2, 2, 2, 2), False, 11.4), ((3, 4, 6, 3), False, 20.2), ((3, 4, 6, 3), True, 29.8)],
)
def test_jetson_nano_meets_its_published_resnets(jetson, depths, bottlenecks, published):
    with torch.device("meta"):
        said = jetson.predict(nets.resnet(depths, bottlenecks), (3, 224, 224))
    assert said.ms == pytest.approx(published, rel=0.2)
    assert said.low < published < said.high


def test_jetson_nano_knows_nets_of_nas_bench_201s_size(jetson):
    """Measured there: 4.3 to 9.6 ms; the cell with six 3x3 convolutions takes some 7 ms."""
    with torch.device("meta"):
        module = nets.all_convolutions_cells()
    said = jetson.predict(module, (3, 32, 32))
    assert said.flops == pytest.approx(2 * 220.1e6, rel=0.01)
    assert said.low < 7.2 < said.high
    assert 4.3 < said.ms < 9.6


def test_smaller_than_the_measured_networks_is_less_certain_but_still_ranked(jetson):
    shallow, deep, wide = (nets.plan(*widths, pixels=8) for widths in ((8,), (8,) * 12, (64,) * 12))
    said = jetson.price([shallow, deep, wide])
    assert said[0].ms < said[1].ms <= said[2].ms
    measured = jetson.price([nets.plan(64, 64, 64, pixels=56)])[0]
    assert said[0].high / said[0].low > measured.high / measured.low


def test_a_plan_costs_what_its_module_costs(jetson):
    for plan in (nets.plan(8, 16, 16), nets.plan(32, pixels=24)):
        whole = jetson.predict(plan.build(), plan.blocks[0].input_shape)
        priced = jetson.predict(plan)
        *numbers, notes = dataclasses.astuple(priced)
        *expected, same = dataclasses.astuple(whole)
        assert numbers == pytest.approx(expected)
        assert notes == same


def test_price_traces_each_block_once_and_answers_in_order(jetson):
    built = []

    @dataclasses.dataclass(frozen=True)
    class Counted(nets.UnitBlock):
        def build(self):
            built.append(self)
            return super().build()

    plans = [nets.ChainPlan((Counted((3, 8, 8), 4), Counted((4, 8, 8), width))) for width in (4, 8, 4, 12)]
    said = jetson.price(plans)
    assert len(built) == 4
    assert [prediction.params for prediction in said] == [3 * 4 * 9 + 8 + 4 * w * 9 + 2 * w for w in (4, 8, 4, 12)]
    assert jetson.price(plans) == said
    assert len(built) == 4
    assert jetson.price([]) == []


def test_pricing_draws_no_random_numbers(jetson):
    state = torch.random.get_rng_state()
    jetson.price([nets.plan(5, 7, 9)])
    assert torch.equal(torch.random.get_rng_state(), state)


def test_plans_that_do_not_fit_are_one_line(jetson):
    broken = nets.ChainPlan((nets.UnitBlock((3, 8, 8), 4), nets.UnitBlock((5, 8, 8), 4)))
    with pytest.raises(UserError, match=r"block 1 of a plan takes \(5, 8, 8\), but block 0 returns \(4, 8, 8\)"):
        jetson.price([nets.plan(4), broken])
    with pytest.raises(UserError, match="without blocks"):
        jetson.price([nets.ChainPlan(())])
    with pytest.raises(UserError, match=r"takes inputs of shape \(3, 16, 16\); got \(1, 16, 16\)"):
        jetson.predict(nets.plan(4), (1, 16, 16))


def test_what_exceeds_the_memory_has_no_latency(jetson):
    with torch.device("meta"):
        said = jetson.predict(torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 << 12, 1 << 18)), (3, 64, 64))
    assert not said.fits
    assert said.missing_bytes == said.memory_bytes - 4_000_000_000 > 0
    assert said.ms == math.inf


def _own(document):
    return document["targets"]["tensorrt"]


def edited(tmp_path: Path, change) -> Path:
    yaml = YAML()
    document = yaml.load(find_yaml("hardware_profiles", "device", "jetson-nano"))
    change(document)
    path = tmp_path / "mine.yaml"
    with path.open("w") as file:
        yaml.dump(document, file)
    return path


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda d: _own(d).pop("precision"), r"mine\.yaml: targets\.tensorrt\.precision is missing"),
        (
            lambda d: _own(d).update(precision="fp8"),
            r"precision is 'fp8': input should be 'fp32', 'fp16', 'int8' or 'w8a16'",
        ),
        (lambda d: d.update(clock=3), r"clock is unknown; remove it"),
        (lambda d: d["memory"]["ram_gb"].update(value=-1), r"memory\.ram_gb\.value is -1: input should be greater"),
        (lambda d: _own(d)["fit"].pop("launch_us"), r"fit\.launch_us is missing"),
        (lambda d: _own(d)["fit"]["throughput_gops"].update(winograd=1), r"throughput_gops\.winograd"),
        (lambda d: _own(d)["fit"].update(intercept_ms=0), r"fit\.intercept_ms is 0: input should be greater"),
        (lambda d: _own(d).update(opset=9), r"opset is 9: input should be greater than or equal to 11"),
        (lambda d: d.update(default="tensort"), r"default is 'tensort'; allowed: tensorrt"),
        (lambda d: _own(d).update(runtime="tensort"), r"unknown runtime 'tensort'"),
        (lambda d: d.update(precisions=["fp32"]), r"precision is 'fp16'; the device has fp32"),
    ],
)
def test_wrong_profiles_are_one_line(tmp_path, change, said):
    with pytest.raises(UserError, match=said):
        load_profile(str(edited(tmp_path, change)))


def test_unknown_device_names_the_nearest():
    with pytest.raises(UserError, match="did you mean jetson-nano"):
        load_profile("jetson-nona")


def test_profile_without_fit_ranks_only(tmp_path, jetson):
    profile = load_profile(str(edited(tmp_path, lambda d: _own(d).pop("fit"))))
    error = profile.latency_error()
    assert (error.basis, error.median_error, error.kinds) == ("datasheet", None, ())
    assert error.interval > 2
    said = profile.price([nets.plan(8), nets.plan(8, 64, 64, 64, pixels=32)])
    assert said[0].ms < said[1].ms
    assert all(price.high > 2 * price.ms for price in said)
    assert profile.digest() != jetson.digest()


def test_digest_follows_prices_and_nothing_else(tmp_path, jetson):
    same = load_profile(str(edited(tmp_path, lambda d: d["memory"]["ram_gb"].update(source="elsewhere"))))
    assert (same.key, same.digest()) == (jetson.key, jetson.digest())
    other = load_profile(str(edited(tmp_path, lambda d: _own(d)["fit"].update(intercept_ms=9.0))))
    assert other.key == jetson.key
    assert other.digest() != jetson.digest()
    assert load_profile(str(edited(tmp_path, lambda d: _own(d).update(power_mode="5 W")))).key != jetson.key


def test_stored_calibration_is_used_again(tmp_path, monkeypatch, jetson):
    """A second process must see the prices of the first, and must not measure."""
    from automl_kd.hardware.measurement import local

    monkeypatch.setenv("AUTOML_KD_CACHE", str(tmp_path))
    calls = []

    def once(device, target, progress):
        calls.append(progress)
        return jetson.target.fit

    monkeypatch.setattr(local, "_calibrate", once)
    first, second = load_profile("local"), load_profile("local")
    assert first.price([nets.plan(8)]) == second.price([nets.plan(8)])
    assert first.digest() == second.digest()
    assert len(calls) == 1
    assert first.latency_error().basis == "first use"

    (stored,) = (tmp_path / "hardware").iterdir()
    for damage in (b"{", b"\xff", stored.read_bytes().replace(b"launch_us", b"launch_ms")):
        stored.write_bytes(damage)
        with pytest.raises(UserError, match=f"{stored}: .*delete it to measure"):
            load_profile("local").price([nets.plan(8)])
        assert stored.read_bytes() == damage
