"""Targets of a device, what they can hold, and what calibration makes of them."""

import math
from dataclasses import dataclass, field

import nets
import numpy as np
import pytest
import torch
from torch import nn

from automl_kd.core import Input, UserError
from automl_kd.hardware import Profile, load_profile
from automl_kd.hardware.datasheet import Energy
from automl_kd.hardware.limits import Limits
from automl_kd.hardware.predictor.residual import LEAST_PAIRS
from automl_kd.onnxio import export


def plans(count, seed=0):
    random = np.random.default_rng(seed)
    return [
        nets.plan(
            *(int(width) for width in random.integers(4, 96, random.integers(1, 8))), pixels=int(random.integers(8, 64))
        )
        for _ in range(count)
    ]


def test_a_colon_selects_another_target_of_the_device():
    default, other = load_profile("jetson-nano"), load_profile("jetson-nano:ncnn-vulkan")
    assert load_profile("jetson-nano:tensorrt").key == default.key
    assert load_profile("jetson-nano:tensorrt").name == default.name == "jetson-nano"
    assert (other.name, other.target.runtime) == ("jetson-nano:ncnn-vulkan", "ncnn-vulkan")
    assert other.file == default.file
    assert other.key != default.key
    with pytest.raises(UserError, match=r"unknown target of jetson-nano 'ncnn-vulcan'; did you mean ncnn-vulkan"):
        load_profile("jetson-nano:ncnn-vulcan")
    with pytest.raises(UserError, match="unknown device 'jetson-nona'"):
        load_profile("jetson-nona:tensorrt")


def test_a_path_may_carry_a_target(tmp_path):
    load_profile("raspberry-pi-4").save(tmp_path / "mine.yaml")
    assert load_profile(f"{tmp_path}/mine.yaml:tflite").name == "mine:tflite"
    assert load_profile(f"{tmp_path}/mine.yaml").name == "mine"


def test_on_chip_memory_is_a_hard_limit_and_what_is_missing_is_said():
    stm = load_profile("stm32h743")
    small, wide, deep = nets.plan(8, 16, pixels=16), nets.plan(65, 65, pixels=64), nets.plan(*(200,) * 9, pixels=8)
    fits, activations, weights = stm.price([small, wide, deep])
    assert fits.fits
    assert math.isfinite(fits.ms)
    assert activations.missing_bytes == (65 + 65) * 64 * 64 - 512 * 1024  # what a convolution reads and writes
    assert activations.ms == math.inf
    assert weights.missing_bytes == pytest.approx(weights.params - 2 * 1024 * 1024, rel=0.01)
    assert weights.ms == math.inf


def test_weights_beyond_the_cache_of_an_edge_tpu_are_streamed():
    coral = load_profile("coral-edgetpu")
    limits = Limits.of(coral.file.memory)
    assert limits.streaming_seconds(6.5e6) == 0
    assert limits.streaming_seconds(6.5e6 + 0.44e9) == pytest.approx(1.0)

    def price(width):
        with torch.device("meta"):
            module = nn.Sequential(nn.Conv2d(3, 8, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, width))
        return coral.predict(module, (3, 8, 8))

    small, full, over = price(500_000), price(700_000), price(900_000)  # 4.5, 6.3 and 8.1 MB
    assert full.ms - small.ms > 0
    assert over.ms - full.ms == pytest.approx((8.1e6 - 6.5e6) / 0.44e6, rel=0.2)


def with_facts(profile, **facts):
    target = profile.target.model_copy(update={"facts": profile.target.facts.model_copy(update=facts)})
    return Profile(profile.name, profile.file.model_copy(update={"targets": {profile.file.default: target}}))


def test_energy_is_power_times_time_where_the_power_is_known():
    nano = load_profile("jetson-nano")
    said = nano.price([nets.plan(16)])[0]
    assert said.energy_mj == pytest.approx(said.ms * nano.target.facts.power_w.value)
    unknown = with_facts(nano, power_w=None).price([nets.plan(16)])[0]
    assert (unknown.energy_mj, unknown.ms) == (None, said.ms)


def test_energy_may_be_counted_by_what_is_computed_and_moved(tmp_path):
    """One 1x1 convolution of 3 to 4 channels on 8 x 8, in fp16."""
    work = {"idle_w": 2.0, "pj_per_operation": 5.0, "pj_per_byte": 300.0, "source": "made up"}
    nano = load_profile("jetson-nano")
    with_facts(nano, energy=Energy(**work)).save(tmp_path / "mine.yaml")
    mine = load_profile(str(tmp_path / "mine.yaml"))
    with torch.device("meta"):
        said = mine.predict(nn.Conv2d(3, 4, 1, bias=False), (3, 8, 8))
    operations, moved = 2 * 3 * 4 * 64, 2 * (3 * 64 + 4 * 64 + 3 * 4)
    assert said.flops == operations
    assert said.energy_mj == pytest.approx(2.0 * said.ms + 1e-9 * (5.0 * operations + 300.0 * moved))
    assert mine.objective_refusal("energy") is None
    assert mine.digest() != nano.digest()


def test_energy_in_proportion_to_latency_is_refused_as_an_objective():
    nano = load_profile("jetson-nano")
    assert [nano.objective_refusal(name) for name in ("latency", "memory")] == [None, None]
    refusal = nano.objective_refusal("energy")
    assert refusal.startswith("jetson-nano: its energy is latency times 10 W, so it would be no objective of its own")
    unknown = with_facts(nano, power_w=None)
    assert unknown.objective_refusal("energy").startswith("jetson-nano: nothing is known of its energy")


@dataclass(frozen=True)
class CountedBlock:
    """A convolution that tells how often it was built."""

    width: int
    built: list = field(compare=False, hash=False)

    @property
    def input(self):
        return Input.of_images((3, 16, 16))

    def build(self):
        self.built.append(self.width)
        return nn.Conv2d(3, self.width, 3)


def test_a_second_device_prices_the_same_plans_without_tracing_them_again():
    built = []
    asked = [nets.ChainPlan((CountedBlock(width, built),)) for width in (4, 8, 12)]
    first = load_profile("jetson-nano")
    first.price(asked)
    once = len(built)
    beside = load_profile("raspberry-pi-4:tflite", beside=first).price(asked)
    assert len(built) == once >= 3
    assert beside == load_profile("raspberry-pi-4:tflite").price(asked)


def slower(profile, factor=1.8, constant=0.7):
    """Times of a device that is slower than its profile says and needs a moment more."""
    return lambda plan: factor * profile.price([plan])[0].ms + constant


@pytest.mark.parametrize("name", ["jetson-nano", "raspberry-pi-4", "x86-server:pytorch"])
def test_five_pairs_teach_a_device_that_is_slower_than_its_profile(name):
    profile = load_profile(name)
    truth = slower(profile)
    mine = profile.calibrate([(plan, truth(plan)) for plan in plans(5)], name="mine")
    unseen = plans(20, seed=1)

    def error(said):
        prices = [price.ms for price in said.price(unseen)]
        return np.median([abs(ms / truth(plan) - 1) for plan, ms in zip(unseen, prices, strict=True)])

    assert error(mine) < min(0.15, error(profile) / 2)
    assert (mine.name, mine.target.runtime, mine.key) == ("mine", profile.target.runtime, profile.key)
    assert mine.latency_error().networks.own == 5


def test_pairs_may_be_plans_modules_and_files(tmp_path):
    profile = load_profile("raspberry-pi-4")
    plan = nets.plan(8, 16, pixels=16)
    module = plan.build().eval()
    path = export(module, tmp_path / "net.onnx", Input.of_images((3, 16, 16)))
    mine = profile.calibrate([(plan, 3.0), (module, 3.0), (path, 3.0), (plan, 3.0), (module, 3.0)], (3, 16, 16))
    assert mine.predict(plan).ms == pytest.approx(3.0, rel=0.2)
    assert mine.predict(path).ms == pytest.approx(mine.predict(plan).ms, rel=1e-6)


def test_from_twenty_pairs_on_a_correction_may_join_and_survives_saving(tmp_path):
    profile = load_profile("raspberry-pi-4")

    def truth(plan):
        ms = profile.price([plan])[0].ms
        return ms * (2.0 if ms > 4 else 1.0)  # what no sum over kernels explains

    seen = [(plan, truth(plan)) for plan in plans(5 * LEAST_PAIRS)]
    mine = profile.calibrate(seen, name="mine")
    assert mine.target.fit.residual is not None
    mine.save(tmp_path / "mine.yaml")
    again = load_profile(str(tmp_path / "mine.yaml"))
    unseen = plans(20, seed=1)
    assert [price.ms for price in again.price(unseen)] == pytest.approx([price.ms for price in mine.price(unseen)])
    assert again.digest() == mine.digest()
    explained = [mine.explain(plan) for plan in unseen]
    corrections = [part.ms for each in explained for part in each.parts if part.name == "correction"]
    assert any(abs(ms) > 0.1 for ms in corrections)
    for each in explained:
        assert math.fsum(part.ms for part in each.parts) == pytest.approx(each.prediction.ms)
    assert profile.calibrate(seen[: LEAST_PAIRS - 1]).target.fit.residual is None


@pytest.mark.parametrize(
    ("times", "said"),
    [
        ([1.0] * 4, "4 measured networks; a calibration needs at least 5"),
        ([1.0, 0.0, 1.0, 1.0, 1.0], "pair 2: the time is 0.0; a latency is a positive number of milliseconds"),
        ([math.nan, 1.0, 1.0, 1.0, 1.0], "pair 1: the time is nan"),
        ([1.0, -3.0, 1.0, 1.0, 1.0], "pair 2: the time is -3.0"),
        ([1.0, math.inf, 1.0, 1.0, 1.0], "pair 2: the time is inf"),
    ],
)
def test_times_that_are_none_are_refused(times, said):
    profile = load_profile("raspberry-pi-4")
    with pytest.raises(UserError, match=said):
        profile.calibrate([(plan, ms) for plan, ms in zip(plans(len(times)), times, strict=True)])


def test_a_calibration_keeps_ranks_between_targets_apart():
    """Measured under one runtime, the other targets of the device are not in the new profile at all."""
    mine = load_profile("jetson-nano:ncnn").calibrate([(plan, 5.0) for plan in plans(5)], name="mine")
    assert set(mine.file.targets) == {"ncnn"}
    assert mine.file.default == "ncnn"
