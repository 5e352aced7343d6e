"""Cost model, fit and intervals: closed forms, and what they promise on devices that obey them."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automl_kd.hardware import Kind
from automl_kd.hardware._predictor.cost import KINDS, Coefficients, Features, datasheet
from automl_kd.hardware._predictor.fit import fit
from automl_kd.hardware._predictor.prediction import Uncertainty
from automl_kd.hardware._predictor.residual import Correction, left_out_corrections, residual_features
from automl_kd.hardware._predictor.transfer import transfer

K = len(KINDS)
POINTWISE, POOLING = KINDS.index(Kind.POINTWISE), KINDS.index(Kind.POOLING)


def device(queued=True, launch=15e-6):
    return datasheet(80e9, 9e9, launch, 1e-3, queued)


def networks(random, count=30, kernels=40):
    made = []
    for _ in range(count):
        kinds = random.integers(0, K, kernels)
        operations, moved = 10 ** random.uniform(4, 8, kernels), 10 ** random.uniform(3, 6, kernels)
        made.append(Features(kinds, operations, moved, np.ones(kernels)))
    return made


def test_a_launch_is_a_floor_where_it_is_queued_and_a_summand_where_it_is_not():
    """One large pointwise convolution (compute), one small pool (launch), one wide pool (memory)."""
    kernels = Features(
        np.array([POINTWISE, POOLING, POOLING]), np.array([3.2e8, 10.0, 1e3]), np.array([1e3, 1e3, 5.4e7]), np.ones(3)
    )
    compute, memory, launch = 3.2e8 / (80e9 * 0.4), 5.4e7 / (9e9 * 0.6), 15e-6
    queued = kernels.seconds_by_kind(device())
    assert queued[POINTWISE] == pytest.approx(compute)
    assert queued[POOLING] == pytest.approx(launch + memory)
    assert kernels.seconds(device()) == pytest.approx(1e-3 + compute + launch + memory)
    everything = compute + (10 + 1e3) / (80e9 * 0.025) + (1e3 + 1e3 + 5.4e7) / (9e9 * 0.6)
    assert kernels.seconds(device(False)) == pytest.approx(1e-3 + 3 * launch + everything)


def test_coefficients_survive_packing():
    first = device()
    second = Coefficients.unpack(first.pack(), True)
    assert second.pack() == pytest.approx(first.pack())


@pytest.mark.parametrize("queued", [True, False])
@settings(max_examples=3, deadline=None)
@given(seed=st.integers(0, 1000))
def test_fit_recovers_a_device_that_obeys_the_model(queued, seed):
    made = networks(np.random.default_rng(seed))
    truth = datasheet(80e9, 9e9, 15e-6, 1e-3, queued)
    fitted = fit(made, [network.seconds(truth) for network in made], datasheet(50e9, 15e9, 8e-6, 0.5e-3, queued))
    assert max(abs(error) for error in fitted.errors) < 0.15


@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 1000))
def test_ten_measurements_teach_more_than_the_datasheet(seed):
    random = np.random.default_rng(seed)
    truth = Coefficients.unpack(device().pack() + random.normal(0, 0.5, 3 * K + 1), True)
    seen, unseen = networks(random, 10), networks(random, 20)
    fitted = fit(seen, [network.seconds(truth) for network in seen], device()).coefficients

    def off(said):
        return np.mean([abs(math.log(network.seconds(said) / network.seconds(truth))) for network in unseen])

    assert off(fitted) < off(device())


def test_a_device_faster_than_its_datasheet_is_so_for_kinds_that_were_not_measured():
    truth = datasheet(80e9, 9e9, 15e-6, 1e-3, False)
    seen = [
        Features(np.full(4, POINTWISE), np.full(4, work), np.full(4, 1e3), np.ones(4)) for work in (1e8, 3e8, 1e9, 2e9)
    ]
    fitted = fit(seen, [network.seconds(truth) for network in seen], datasheet(20e9, 9e9, 15e-6, 1e-3, False))
    dense = KINDS.index(Kind.DENSE)
    assert 1.5 < fitted.coefficients.throughput[dense] / (20e9 * 0.3) < 4


def test_what_relatives_share_is_transferred():
    prior = device()
    faster = Coefficients.unpack(prior.pack() + np.log(2), True)
    assert transfer([], prior) == prior
    assert transfer([(faster, prior)] * 3, prior).pack() == pytest.approx(prior.pack() + 0.75 * np.log(2))


@given(st.floats(1e3, 1e12), st.floats(1e3, 1e12), st.floats(0.05, 1), st.floats(0, 1))
def test_intervals_widen_away_from_the_anchors_and_with_ignorance(first, second, coverage, unfitted):
    model = Uncertainty.from_errors([0.1, -0.2, 0.05], [1e8, 1e9, 3e9])
    one, zero = np.ones(2), np.zeros(2)
    outside = [max(math.log2(1e8 / flops), math.log2(flops / 3e9), 0) for flops in (first, second)]
    widths = model.half_widths(np.array([first, second]), one, zero)
    assert (widths[0] - widths[1]) * (outside[0] - outside[1]) >= -1e-12
    assert (model.half_widths(np.array([first, second]), one * coverage, one * unfitted) >= widths).all()


def test_from_nine_errors_on_the_width_is_their_conformal_quantile():
    errors = [index / 100 for index in range(1, 20)]
    flops = [1e9] * 19
    assert Uncertainty.from_errors(errors, flops).error == pytest.approx(0.18)  # rank ceil(0.9 * 20) of 19
    assert Uncertainty.from_errors(errors[:9], flops[:9]).error == pytest.approx(0.09)


@pytest.mark.parametrize("count", [2, 5, 8, 12, 40])
def test_nine_in_ten_of_normal_errors_lie_inside(count):
    random = np.random.default_rng(count)
    inside = 0
    for _ in range(400):
        errors = random.normal(0, 0.1, count + 1)
        inside += abs(errors[-1]) <= Uncertainty.from_errors(list(errors[:-1]), [1e9] * count).error
    assert 0.86 <= inside / 400 <= 0.97


def test_a_correction_learns_what_the_sum_leaves_over_and_nothing_where_there_is_nothing():
    random = np.random.default_rng(0)
    by_kind = 10 ** random.uniform(-5, -3, (60, K))
    features = residual_features(by_kind, np.full(60, 30.0))
    systematic = 0.3 * np.sign(features[:, 2] - np.median(features[:, 2]))
    said = left_out_corrections(features, list(systematic))
    assert said is not None
    assert np.abs(systematic - said).mean() < 0.15
    learned = Correction(features, systematic)
    assert np.corrcoef(learned(features), systematic)[0, 1] > 0.9
    assert left_out_corrections(features, list(random.normal(0, 0.1, 60))) is None
    assert left_out_corrections(features[:19], list(systematic[:19])) is None


def test_networks_of_kinds_that_are_predicted_badly_get_wide_intervals_and_others_narrow_ones():
    random = np.random.default_rng(0)
    shares = np.zeros((60, K))
    shares[np.arange(60), np.arange(60) % 2] = 1.0
    errors = random.normal(0, 1, 60) * np.where(np.arange(60) % 2, 0.5, 0.05)
    model = Uncertainty.from_errors(errors.tolist(), [1e9] * 60, shares)
    one, zero = np.ones(2), np.zeros(2)
    easy, hard = model.half_widths(1e9 * one, one, zero, np.eye(K)[:2])
    pooled = Uncertainty.from_errors(errors.tolist(), [1e9] * 60).error
    assert easy < 0.4 * pooled < 0.4 * hard
    fresh = random.normal(0, 1, (2, 2000))
    inside = [np.mean(np.abs(0.05 * fresh[0]) <= easy), np.mean(np.abs(0.5 * fresh[1]) <= hard)]
    assert 0.85 <= np.mean(inside) <= 0.97
    assert min(inside) > 0.75


def test_where_all_kinds_err_alike_the_shares_of_time_say_nothing():
    random = np.random.default_rng(1)
    shares = random.dirichlet(np.ones(K), 200)
    errors = random.normal(0, 0.1, 200).tolist()
    model = Uncertainty.from_errors(errors, [1e9] * 200, shares)
    widths = model.half_widths(np.full(50, 1e9), np.ones(50), np.zeros(50), random.dirichlet(np.ones(K), 50))
    assert widths == pytest.approx(Uncertainty.from_errors(errors, [1e9] * 200).error, rel=0.25)
