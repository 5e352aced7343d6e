"""Where the time of a price comes from."""

import math

import nets
import pytest
import torch
from torch import nn

from automl_kd.hardware import Kind, load_profile

TARGETS = ["jetson-nano", "raspberry-pi-4", "coral-edgetpu", "x86-server", "nvidia-t4", "stm32h743"]


def explained(profile, family):
    with torch.device("meta"):
        return profile.explain(nets.FAMILIES[family](), (3, 32, 32))


@pytest.mark.parametrize("family", nets.FAMILIES)
@pytest.mark.parametrize("name", TARGETS)
def test_parts_add_up_to_the_price(name, family):
    profile = load_profile(name)
    found = explained(profile, family)
    with torch.device("meta"):
        assert found.prediction == profile.predict(nets.FAMILIES[family](), (3, 32, 32))
    assert math.fsum(part.ms for part in found.parts) == pytest.approx(found.prediction.ms, rel=1e-12)
    assert math.fsum(part.share for part in found.parts) == pytest.approx(1)
    kinds = [part for part in found.parts if part.kernels is not None]
    for part in kinds:
        assert part.arithmetic + part.memory + part.launch == pytest.approx(part.ms)
    assert math.fsum(part.gflops for part in kinds) == pytest.approx(found.prediction.flops / 1e9)
    assert [part.ms for part in kinds] == sorted((part.ms for part in kinds), reverse=True)


def test_a_plan_is_explained_like_its_module():
    profile, plan = load_profile("raspberry-pi-4"), nets.plan(8, 16, 16)
    said = profile.explain(plan)
    whole = profile.explain(plan.build(), plan.blocks[0].input_shape)
    assert said.prediction == profile.predict(plan)
    assert [part.name for part in said.parts] == [part.name for part in whole.parts]
    assert [part.ms for part in said.parts] == pytest.approx([part.ms for part in whole.parts])


def test_kinds_without_a_measured_network_are_extrapolated():
    """Cells of NAS-Bench-201 hold no depthwise convolution."""
    profile = load_profile("pixel-4:tflite-1-thread")
    found = explained(profile, "inverted-silu")
    parts = {Kind(part.name): part for part in found.parts if part.kernels is not None}
    assert Kind.DEPTHWISE in found.extrapolated
    assert found.extrapolated.keys() == {kind for kind, part in parts.items() if part.extrapolated}
    assert not found.extrapolated.keys() & set(profile.latency_error().kinds)
    assert min(part.off_by for part in parts.values() if part.ms) > 1
    assert not explained(load_profile("raspberry-pi-4"), "basic").extrapolated


def test_without_any_measured_network_all_kinds_are_extrapolated():
    found = explained(load_profile("hailo-8"), "basic")
    assert all(part.extrapolated for part in found.parts if part.kernels is not None)


def test_plans_are_extrapolated_on_average_like_each_of_them():
    profile, plans = load_profile("hailo-8"), [nets.plan(8, pixels=8), nets.plan(8, 64, 64, pixels=32)]
    shares = [profile.explain(plan).extrapolated for plan in plans]
    said = profile.extrapolated(plans)
    assert list(said.values()) == sorted(said.values(), reverse=True)
    for kind, share in said.items():
        assert share == pytest.approx(sum(each.get(kind, 0.0) for each in shares) / 2)


def test_weights_that_are_streamed_are_a_part_of_their_own():
    with torch.device("meta"):
        module = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 3_000_000))
    found = load_profile("coral-edgetpu").explain(module, (3, 8, 8))
    (streaming,) = [part for part in found.parts if part.name == "streaming"]
    assert streaming.ms == pytest.approx(1e3 * (found.prediction.params - 6.5e6) / 0.44e9, rel=0.01)


def test_what_does_not_fit_has_no_parts():
    found = load_profile("stm32h743").explain(nets.plan(65, 65, pixels=64))
    assert not found.prediction.fits
    assert found.parts == ()
