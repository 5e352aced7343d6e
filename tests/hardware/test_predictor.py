"""Cost model, fit and intervals: closed forms, and what they promise on devices that obey them."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automl_kd.hardware import Kind
from automl_kd.hardware.predictor.cost import KINDS, Coefficients, Features, datasheet
from automl_kd.hardware.predictor.fit import fit
from automl_kd.hardware.predictor.joint import Joint, Member
from automl_kd.hardware.predictor.misfit import PUBLISHED, Misfit
from automl_kd.hardware.predictor.posterior import Measurements, Posterior
from automl_kd.hardware.predictor.prior import GROUPS, MEASURED, UNMEASURED, Prior, Spread
from automl_kd.hardware.predictor.residual import Correction, left_out_corrections, residual_features
from automl_kd.hardware.predictor.timed import TimedKernels, TimedNetworks

K = len(KINDS)
POINTWISE, POOLING, DEPTHWISE = (KINDS.index(kind) for kind in (Kind.POINTWISE, Kind.POOLING, Kind.DEPTHWISE))


def of(made, truth, errors=None):
    """Networks as measured on a device."""
    noise = np.zeros(len(made)) if errors is None else errors
    seconds = [network.seconds(truth) * math.exp(error) for network, error in zip(made, noise, strict=True)]
    return [
        TimedKernels(network, time, float(network.operations.sum()))
        for network, time in zip(made, seconds, strict=True)
    ]


def fitted_to(made, truth, start):
    return fit(of(made, truth), Prior(start, MEASURED.covariance()), Misfit(0.03, 0.0))


def device(queued=True, launch=15e-6):
    return datasheet(80e9, 9e9, launch, 1e-3, queued)


def networks(random, count=30, kernels=40):
    made = []
    for _ in range(count):
        kinds = random.integers(0, K, kernels)
        operations, moved = 10 ** random.uniform(4, 8, kernels), 10 ** random.uniform(3, 6, kernels)
        made.append(Features(kinds, operations, moved, np.ones(kernels)))
    return made


def test_a_launch_is_a_floor_where_it_is_queued_and_is_added_where_it_is_not():
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
    fitted = fitted_to(made, truth, datasheet(50e9, 15e9, 8e-6, 0.5e-3, queued))
    assert max(abs(error) for error in fitted.errors) < 0.15


@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 1000))
def test_ten_measurements_teach_more_than_the_datasheet(seed):
    random = np.random.default_rng(seed)
    truth = Coefficients.unpack(device().pack() + random.normal(0, 0.5, 3 * K + 1), True)
    seen, unseen = networks(random, 10), networks(random, 20)
    fitted = fitted_to(seen, truth, device()).coefficients

    def off(said):
        return np.mean([abs(math.log(network.seconds(said) / network.seconds(truth))) for network in unseen])

    assert off(fitted) < off(device())


def test_a_device_faster_than_its_datasheet_is_so_for_kinds_that_were_not_measured():
    truth = datasheet(80e9, 9e9, 15e-6, 1e-3, False)
    seen = [
        Features(np.full(4, POINTWISE), np.full(4, work), np.full(4, 1e3), np.ones(4)) for work in (1e8, 3e8, 1e9, 2e9)
    ]
    fitted = fitted_to(seen, truth, datasheet(20e9, 9e9, 15e-6, 1e-3, False))
    dense = KINDS.index(Kind.DENSE)
    assert 1.5 < fitted.coefficients.throughput[dense] / (20e9 * 0.3) < 4


def members(random, devices=4, kinds=(POINTWISE, POOLING), depthwise_on=(), count=12):
    """Targets of one runtime: each a device that is faster or slower as a whole, and bad at depthwise convolutions."""
    made, truths = [], []
    for index in range(devices):
        own = device().pack() + random.normal(0, 0.3)
        own[DEPTHWISE] -= 1.5  # every device of this runtime reaches a fifth of what its datasheet leads to expect
        truth = Coefficients.unpack(own, True)
        seen = [network_of([*kinds, *((DEPTHWISE,) if index in depthwise_on else ())], random) for _ in range(count)]
        made.append(Member(("gpu", f"device {index}"), device(), of(seen, truth)))
        truths.append(truth)
    return made, truths


def network_of(kinds, random):
    count = len(kinds)
    return Features(
        np.array(kinds), 10 ** random.uniform(7.5, 9, count), 10 ** random.uniform(5, 6.5, count), np.ones(count)
    )


LEVELS = (
    Spread.even(dict.fromkeys(GROUPS, 0.5), dict.fromkeys(GROUPS, 0.6), 0.5),
    Spread.even(dict.fromkeys(GROUPS, 0.3), dict.fromkeys(GROUPS, 0.05), 0.3),
)


def test_what_a_kind_costs_beside_others_is_learned_from_relatives():
    """No network of the first device has depthwise convolutions; all others have."""
    random = np.random.default_rng(0)
    made, truths = members(random, depthwise_on=(1, 2, 3))
    prior = Joint(made, LEVELS, Misfit(0.03, 0.0), 0).prior(0)
    fitted = fit(made[0].measured, prior, Misfit(0.03, 0.0)).coefficients
    asked = [network_of([DEPTHWISE, POINTWISE], random) for _ in range(20)]
    off = [math.log(each.seconds(fitted) / each.seconds(truths[0])) for each in asked]
    assert np.abs(off).mean() < 0.2
    nothing = fit(made[0].measured, Prior(device(), LEVELS[0].covariance()), Misfit(0.03, 0.0)).coefficients
    assert np.mean([math.log(each.seconds(nothing) / each.seconds(truths[0])) for each in asked]) < -0.5


def test_a_kind_that_no_relative_measured_stays_as_uncertain_as_it_was():
    made, _ = members(np.random.default_rng(1), depthwise_on=())
    known = Joint(made, LEVELS, Misfit(0.03, 0.0), 0).prior(0)
    whole = sum(level.covariance() for level in LEVELS)
    own = np.diag(known.covariance) / np.diag(whole)
    assert own[POINTWISE] < 0.4
    assert own[DEPTHWISE] > 0.6  # what all kinds share became known


def test_a_network_left_out_of_a_relative_is_not_looked_at():
    random = np.random.default_rng(2)
    made, _ = members(random, depthwise_on=(1,))
    joint = Joint(made, LEVELS, Misfit(0.03, 0.0), 0)
    without = joint.prior(0, {(1, row) for row in range(12)})
    fewer = Joint([made[0], *made[2:]], LEVELS, Misfit(0.03, 0.0), 0).prior(0)
    assert without.centre.pack()[POINTWISE] == pytest.approx(fewer.centre.pack()[POINTWISE], abs=0.05)
    assert np.sqrt(np.diag(without.covariance)) == pytest.approx(np.sqrt(np.diag(fewer.covariance)), rel=0.05)


def test_a_spread_and_its_covariance_say_the_same():
    spread = Spread.even(
        {"arithmetic": 0.3, "other": 0.2, "bandwidth": 0.4, "launch": 0.1},
        {"arithmetic": 0.5, "other": 0.6, "bandwidth": 0.2, "launch": 0.3},
        1.0,
    )
    again = Spread.of(spread.covariance())
    assert again.shared == pytest.approx(spread.shared)
    assert again.kinds == pytest.approx(spread.kinds)


def posterior(made, truth, errors=None):
    misfit = Misfit(0.05, 0.1)
    prior = Prior(device(), MEASURED.covariance())
    measured = of(made, truth)
    fitted = fit(measured, prior, misfit)
    measurements = Measurements(
        fitted.sensitivities,
        TimedNetworks(measured).flops,
        fitted.residuals,
        np.array(fitted.errors if errors is None else errors),
    )
    return Posterior(MEASURED, misfit, measurements), fitted


def widths(said, networks_asked, coefficients):
    asked = TimedNetworks(of(networks_asked, coefficients))
    return said.assess(asked.linearised(coefficients)[1], asked.flops)[1]


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 1000))
def test_intervals_are_wide_for_kinds_that_no_network_held_and_narrow_for_the_others(seed):
    random = np.random.default_rng(seed)
    made = [network_of([POINTWISE, POOLING], random) for _ in range(12)]
    said, fitted = posterior(made, device())
    asked = [[network_of(kinds, random) for _ in range(10)] for kinds in ([POINTWISE, POOLING], [DEPTHWISE])]
    like, unlike = (widths(said, each, fitted.coefficients) for each in asked)
    assert np.median(unlike) > 2 * np.median(like)


def test_without_a_measured_network_an_interval_is_as_wide_as_datasheets_are_wrong():
    said = Posterior(UNMEASURED, PUBLISHED, Measurements.none())
    asked = TimedNetworks(of(networks(np.random.default_rng(0), 5), device()))
    shift, half = said.assess(asked.linearised(device())[1], np.ones(5))
    assert (shift == 0).all()
    assert (np.exp(half) > 2).all()


def test_widths_grow_with_the_errors_of_networks_left_out():
    made = networks(np.random.default_rng(0), 20)
    small, fitted = posterior(made, device(), errors=np.full(20, 0.02))
    large, _ = posterior(made, device(), errors=np.full(20, 0.4))
    assert (widths(large, made, fitted.coefficients) > 3 * widths(small, made, fitted.coefficients)).all()


@pytest.mark.parametrize("count", [5, 12, 30])
def test_nine_in_ten_networks_lie_inside(count):
    inside = []
    for seed in range(12):
        random = np.random.default_rng(seed)
        # By Cholesky: the default draws by singular vectors, whose signs differ from one processor to the next.
        drawn = random.multivariate_normal(device().pack(), MEASURED.covariance(), method="cholesky")
        truth = Coefficients.unpack(drawn, True)
        seen, unseen = networks(random, count), networks(random, 30)
        noise = random.normal(0, 0.1, count + 30)
        measured = of(seen, truth, noise[:count])
        misfit = Misfit(0.1, 0.0)
        fitted = fit(measured, Prior(device(), MEASURED.covariance()), misfit)
        measurements = Measurements(
            fitted.sensitivities, TimedNetworks(measured).flops, fitted.residuals, np.array(fitted.errors)
        )
        said = Posterior(MEASURED, misfit, measurements)
        asked = TimedNetworks(of(unseen, truth, noise[count:]))
        logarithms, slopes = asked.linearised(fitted.coefficients)
        shift, half = said.assess(slopes, asked.flops)
        inside += (np.abs(asked.logarithms - logarithms - shift) <= half).tolist()
    assert 0.8 <= np.mean(inside) <= 0.99  # the mean of twelve devices has a standard error of .03


def test_networks_of_kinds_that_are_predicted_badly_get_wide_intervals_and_others_narrow_ones():
    random = np.random.default_rng(0)
    made = [network_of([POINTWISE if index % 2 else POOLING], random) for index in range(60)]
    errors = random.normal(0, 1, 60) * np.where(np.arange(60) % 2, 0.05, 0.5)
    said, fitted = posterior(made, device(), errors=errors)
    easy, hard = (
        np.median(widths(said, [network_of([kind], random) for _ in range(20)], fitted.coefficients))
        for kind in (POINTWISE, POOLING)
    )
    assert hard > 2.5 * easy


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
