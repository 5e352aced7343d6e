"""By which rules a device executes networks: found from times alone, said with how sure that is, or refused."""

from __future__ import annotations

import math

import nets
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from automl_kd.core import UserError
from automl_kd.hardware import MeasuredNetwork, Profile, load_profile
from automl_kd.hardware.profile_file import Execution

PIXELS = (8, 16, 32, 64, 128, 192)


def cells(count, seed, edges=nets.EDGES):
    """Networks of cells that lead somewhere, ``none`` a product with zero, and the shapes of their inputs."""
    random = np.random.default_rng(seed)
    found = []
    with torch.device("meta"):
        while len(found) < count:
            chosen = tuple(edges[index] for index in random.integers(len(edges), size=6))
            if chosen[3] != "none":
                pixels = PIXELS[len(found) % len(PIXELS)]
                found.append((nets.searched(chosen, "mul", count=4), (3, pixels, pixels)))
    return found


def device(profile, zeros, dead, queued):
    """One that executes networks by these rules."""
    execution = Execution(zeros=zeros, dead=dead, error=0.0, given_error=0.0, sure={})
    target = profile.target.model_copy(update={"execution": execution, "queued": queued})
    return Profile("truth", profile.file.model_copy(update={"targets": {profile.file.default: target}}))


def measured(truth, networks, factor=1.0):
    """What the device takes for each, within some per cent."""
    random = np.random.default_rng(2)
    return [
        MeasuredNetwork(
            f"cell-{number}",
            truth.graphs(*network),
            factor * truth.predict(*network).ms * math.exp(random.normal(0, 0.01)),
        )
        for number, network in enumerate(networks)
    ]


@pytest.fixture(scope="module")
def jetson():
    return load_profile("jetson-nano")


@pytest.fixture(scope="module")
def seen():
    return cells(12, seed=0)


@pytest.fixture(scope="module")
def unseen():
    return cells(40, seed=1)


def ranks(profile, truth, networks):
    """Spearman's correlation of what a profile says with what the device takes."""
    said, taken = ([each.predict(*network).ms for network in networks] for each in (profile, truth))
    return spearmanr(said, taken)[0]


@pytest.mark.parametrize(
    ("zeros", "dead", "queued"),
    [
        ("keep", "execute", False),
        pytest.param("keep", "execute", True, marks=pytest.mark.long),
        ("store", "drop", True),
        pytest.param("fold", "drop", True, marks=pytest.mark.long),
    ],
)
def test_the_rules_of_a_foreign_device_are_found_from_twelve_cells(jetson, seen, unseen, zeros, dead, queued):
    truth = device(jetson, zeros, dead, queued)
    mine = jetson.calibrated(measured(truth, seen, factor=25.0), name="mine")
    found = mine.target.execution
    assert mine.target.rules == {"zeros": zeros, "dead": dead, "queued": queued}
    assert found.error <= found.given_error
    assert min(found.sure.values()) > 0.6
    assert ranks(mine, truth, unseen) > max(0.97, ranks(jetson, truth, unseen) - 0.02)


def test_wrong_rules_would_have_ranked_worse_than_operations_do(jetson, seen, unseen):
    truth = device(jetson, "keep", "execute", False)
    mine = jetson.calibrated(measured(truth, seen), name="mine")
    flops = [mine.predict(*network).flops for network in unseen]
    taken = [truth.predict(*network).ms for network in unseen]
    assert mine.target.execution.given_error > 2 * mine.target.execution.error
    assert ranks(mine, truth, unseen) > spearmanr(flops, taken)[0]


@pytest.fixture(scope="module")
def executed(jetson, seen):
    """Times of a device that executes everything, and what calibration makes of them."""
    times = measured(device(jetson, "keep", "execute", False), seen)
    return times, jetson.calibrated(times, name="mine")


@settings(max_examples=5, deadline=None)
@given(st.floats(-7, 7))
def test_how_fast_a_device_is_does_not_decide_its_rules(jetson, seen, executed, logarithm):
    factor, (times, usual) = math.exp(logarithm), executed
    other = jetson.calibrated([MeasuredNetwork(each.name, each.graphs, factor * each.ms) for each in times])
    assert other.target.rules == usual.target.rules
    assert other.target.execution.sure == pytest.approx(usual.target.execution.sure, abs=0.02)
    assert other.predict(*seen[0]).ms == pytest.approx(factor * usual.predict(*seen[0]).ms, rel=0.02)


def test_networks_measured_before_keep_counting_on_the_same_device_alone(jetson, seen, unseen, executed):
    _, mine = executed
    same, other = (measured(device(jetson, "keep", "execute", False), unseen[:6], factor) for factor in (1.0, 8.0))
    again, elsewhere = mine.calibrated(same), mine.calibrated(other)
    assert [reference.model for reference in again.references[: len(seen)]] == [
        reference.model for reference in mine.references
    ]
    assert len(again.references) == len(seen) + len(same)
    assert len(elsewhere.references) == len(other)


def test_a_target_without_measured_networks_says_that_it_ranks(jetson, seen, executed):
    _, mine = executed
    alone = jetson.with_fit(None, "new-board")
    (note,) = alone.predict(*seen[0]).notes
    assert "new-board: a ranking, not a time, until calibrated: automl-kd hw kit --hw new-board" in note
    assert (alone.ranks_only, mine.ranks_only, mine.predict(*seen[0]).notes) == (True, False, ())


def test_networks_that_cannot_tell_leave_a_rule_as_it_was(jetson):
    truth = device(jetson, "keep", "execute", True)
    plain = cells(8, seed=3, edges=("skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"))
    mine = jetson.calibrated(measured(truth, plain), name="mine")
    assert mine.target.execution.zeros == jetson.target.rules["zeros"]
    assert "zeros" not in mine.target.execution.sure
    assert "queued" in mine.target.execution.sure


def test_what_was_chosen_survives_saving(jetson, seen, executed, tmp_path):
    _, mine = executed
    mine.save(tmp_path / "mine.yaml")
    again = load_profile(str(tmp_path / "mine.yaml"))
    assert again.target.execution == mine.target.execution
    assert again.predict(*seen[0]).ms == pytest.approx(mine.predict(*seen[0]).ms, rel=1e-3)
    assert again.digest() == mine.digest() != jetson.digest()


def test_a_network_that_contradicts_the_others_is_named(jetson, seen):
    found = measured(jetson, seen)
    found[4] = MeasuredNetwork("the-odd-one", found[4].graphs, 12 * found[4].ms)
    with pytest.raises(
        UserError, match=r"fit no rule .*: the-odd-one took [\d.]+ times and cell-\d+ [\d.]+ times what"
    ):
        jetson.calibrated(found)


def test_times_that_have_nothing_to_do_with_the_networks_are_refused(jetson, seen):
    times = np.exp(np.random.default_rng(0).uniform(0, 3, len(seen)))
    found = [
        MeasuredNetwork(each.name, each.graphs, float(ms))
        for each, ms in zip(measured(jetson, seen), times, strict=True)
    ]
    with pytest.raises(UserError, match="the times fit no rule"):
        jetson.calibrated(found)


def test_four_networks_are_too_few(jetson, seen):
    with pytest.raises(UserError, match="4 measured networks; a calibration needs at least 5"):
        jetson.calibrated(measured(jetson, seen[:4]))
