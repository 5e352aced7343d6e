"""How far off a target says that it is, and on what."""

import numpy as np
import pytest

from automl_kd.hardware import Kind, NetworkCounts, Profile, cross_validation, load_profile, profile_names


def targets():
    return [
        pytest.param(name, target, id=f"{name}:{target}")
        for name in profile_names()
        for target in load_profile(name).file.targets
    ]


@pytest.mark.parametrize(("name", "target"), targets())
def test_the_stated_error_is_the_median_of_what_was_left_out(name, target):
    profile = Profile(name, load_profile(name).file, target)
    said, rows = profile.latency_error(), cross_validation(profile)
    networks = said.networks
    assert networks.published + networks.cells + networks.own == len(rows)
    if rows:
        assert said.basis == "networks"
        assert said.median_error == pytest.approx(np.median([abs(row.error) for row in rows]))
        assert said.interval > 1
        assert said.kinds
    else:
        assert (said.median_error, said.kinds) == (None, ())


def test_networks_are_counted_by_where_they_are_from():
    both = load_profile("jetson-nano").latency_error().networks
    assert (both.published >= 15, both.cells, both.own) == (True, 20, 0)
    assert load_profile("jetson-nano:tensorflow").latency_error().networks == NetworkCounts(cells=20)


def test_kinds_are_those_of_the_measured_networks():
    """Published for the Pixel 4 are EfficientNets, without a layer of attention or a recurrent one."""
    kinds = load_profile("pixel-4").latency_error().kinds
    assert {Kind.DEPTHWISE, Kind.POINTWISE} <= set(kinds)
    assert not {Kind.ATTENTION, Kind.RECURRENT} & set(kinds)
