"""Intervals and errors are those of the definition: closed forms, resampling by hand, and coverage of a known truth."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import binom, ks_2samp

from automl_kd.objectives import Difference, difference_error, paired_difference, share_error, standard_error
from automl_kd.tasks.metrics import Metric, metric_named

ACCURACY = metric_named("accuracy", "multiclass", 3)
F1 = metric_named("macro_f1", "multiclass", 3)
AUROC = metric_named("auroc", "multiclass", 3)


class Median(Metric):
    """A metric of the rows, not of means, that is not defined where a sample holds no example of the first kind."""

    name, title, direction, unit = "median", "median", "minimize", ""

    def statistics(self, outputs, labels):
        return torch.stack([outputs, labels], dim=1).double().numpy()

    def value(self, statistics, weights=None):
        repeats = np.ones(len(statistics), int) if weights is None else weights.astype(int)
        rows = np.repeat(statistics, repeats, axis=0)
        return float(np.median(rows[:, 0])) if (rows[:, 1] == 0).any() else math.nan


def right(*rows):
    """Statistics of accuracy, one array a seed."""
    return [np.array(row, dtype=np.float64)[:, None] for row in rows]


def predictions(metric, strength, labels, seed):
    noise = torch.randn(len(labels), 3, generator=torch.Generator().manual_seed(seed)).double()
    return metric.statistics(noise + strength * torch.nn.functional.one_hot(labels, 3), labels)


def skewed_labels(count, rng):
    return torch.from_numpy(rng.choice(3, count, p=[0.7, 0.2, 0.1]))


def test_the_interval_of_a_share_against_nothing_is_that_of_the_binomial():
    ours = right([1] * 60 + [0] * 140)
    found = paired_difference(ACCURACY, ours, right([0] * 200), draws=20_000)
    assert found.difference == pytest.approx(0.3)
    assert found.low == pytest.approx(binom.ppf(0.025, 200, 0.3) / 200, abs=0.011)
    assert found.high == pytest.approx(binom.ppf(0.975, 200, 0.3) / 200, abs=0.011)


@pytest.mark.parametrize(("ours", "theirs"), [(0.004, 0.001), (0.006, 0.004), (0.002, 0.002)])
def test_where_few_examples_tell_two_arms_apart_the_interval_knows_that(ours, theirs):
    rng = np.random.default_rng(5)
    covered = 0
    for repeat in range(300):
        drawn = rng.random(497)
        mine, other = drawn >= theirs, (drawn < theirs) | (drawn >= theirs + ours)
        found = paired_difference(ACCURACY, right(mine), right(other), draws=400, seed=repeat)
        covered += found.low <= ours - theirs <= found.high
    assert covered >= 0.95 * 300
    same = paired_difference(ACCURACY, right([1] * 497), right([1] * 497))
    assert same.difference == 0
    assert -0.02 < same.low < 0 < same.high < 0.02


def test_seeds_are_drawn_with_replacement_and_share_their_examples():
    # One seed gains everything, one nothing: a draw is the share of the first among the seeds drawn.
    found = paired_difference(ACCURACY, right([1] * 50, [0] * 50), right([0] * 50, [0] * 50))
    assert found.difference == 0.5
    assert (found.low, found.high) == pytest.approx((0.0, 1.0), abs=0.06)
    # What one seed gains on an example the other loses: only where both are drawn once does it cancel, and exactly.
    ours, theirs = right([1, 0] * 50, [0, 1] * 50), right([0, 1] * 50, [1, 0] * 50)
    both = paired_difference(ACCURACY, ours, theirs, draws=4000)
    assert both.difference == 0
    assert both.low == pytest.approx(-both.high, abs=0.05)


@pytest.mark.parametrize("metric", [ACCURACY, F1, AUROC])
def test_draws_are_distributed_like_examples_repeated_by_hand(metric):
    rng = np.random.default_rng(3)
    labels = skewed_labels(120, rng)
    ours = [predictions(metric, 1.5, labels, seed) for seed in (1, 2)]
    theirs = [predictions(metric, 1.0, labels, seed) for seed in (3, 4)]
    mine, others = ours, theirs
    if metric is ACCURACY:  # with one example that ours alone has right, and one that theirs alone has
        mine, others = (
            [np.vstack([each, rows]) for each in arm] for arm, rows in ((ours, ((1,), (0,))), (theirs, ((0,), (1,))))
        )
    drawn = []
    for _ in range(400):
        rows = rng.integers(len(mine[0]), size=len(mine[0]))
        seeds = rng.integers(2, size=2)
        drawn.append(np.mean([metric.value(mine[s][rows]) - metric.value(others[s][rows]) for s in seeds]))
    found = paired_difference(metric, ours, theirs)
    expected = np.mean([metric.value(a) - metric.value(b) for a, b in zip(ours, theirs, strict=True)])
    assert found.difference == pytest.approx(expected)
    low, high = np.quantile(drawn, [0.025, 0.975])
    spread = np.std(drawn)
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.4 * spread)
    # Interval by interval over many bootstrap seeds, single draws are those of the definition.
    single = [paired_difference(metric, ours, theirs, draws=1, seed=seed).low for seed in range(400)]
    assert ks_2samp(single, drawn).pvalue > 1e-3


def test_equal_arms_differ_by_exactly_nothing_and_equal_seeds_of_the_bootstrap_agree():
    labels = skewed_labels(300, np.random.default_rng(0))
    ours, theirs = predictions(F1, 1.5, labels, 1), predictions(F1, 1.0, labels, 2)
    assert paired_difference(F1, [ours, theirs], [ours, theirs]) == Difference(0, 0, 0)
    assert paired_difference(F1, [ours], [theirs], seed=4) == paired_difference(F1, [ours], [theirs], seed=4)
    forth, back = paired_difference(F1, [ours], [theirs]), paired_difference(F1, [theirs], [ours])
    assert back == Difference(-forth.difference, pytest.approx(-forth.high), pytest.approx(-forth.low))


def test_arms_with_different_seeds_are_not_compared():
    with pytest.raises(ValueError, match="zip"):
        paired_difference(ACCURACY, right([1, 0], [1, 1]), right([1, 0]))


@pytest.mark.parametrize(("seeds", "most"), [(1, 0.99), (2, 1.0)])  # with two seeds it is wider than need be
def test_the_interval_covers_the_truth_at_its_rate(seeds, most):
    rng = np.random.default_rng(1)
    covered = 0
    for repeat in range(200):
        theirs = rng.random((seeds, 300)) < 0.80
        ours = np.where(rng.random((seeds, 300)) < 0.25, rng.random((seeds, 300)) < 0.84, theirs)
        found = paired_difference(ACCURACY, right(*ours), right(*theirs), draws=400, seed=repeat)
        covered += found.low <= 0.25 * (0.84 - 0.80) <= found.high
    assert 0.9 <= covered / 200 <= most


def test_the_interval_of_a_difference_in_f1_covers_that_of_the_population():
    rng = np.random.default_rng(2)
    labels = skewed_labels(30_000, rng)
    ours, theirs = predictions(F1, 2.0, labels, 1), predictions(F1, 1.8, labels, 2)
    truth = F1.value(ours) - F1.value(theirs)
    covered = 0
    for repeat in range(200):
        rows = rng.choice(30_000, 400, replace=False)
        found = paired_difference(F1, [ours[rows]], [theirs[rows]], draws=400, seed=repeat)
        covered += found.low <= truth <= found.high
    assert 0.9 <= covered / 200 <= 0.99


def test_a_gain_is_positive_where_less_is_better():
    worse = Difference(0.5, 0.25, 1.0)
    assert worse.gain("maximize") == worse
    assert worse.gain("minimize") == Difference(-0.5, -1.0, -0.25)
    assert worse.as_dict() == {"difference": 0.5, "low": 0.25, "high": 1.0}


@pytest.mark.parametrize("share", [0.0, 0.3, 0.5, 0.99, 1.0])
def test_the_error_of_an_accuracy_has_its_closed_form_and_never_less_than_one_example(share):
    rows = (np.arange(100) < 100 * share).astype(np.float64)[:, None]
    closed = math.sqrt(max(share * (1 - share), 1 / 100) / 100)
    assert share_error(share, 100) == pytest.approx(closed, rel=1e-12)
    assert standard_error(ACCURACY, rows) == pytest.approx(closed, rel=1e-9)
    assert difference_error(ACCURACY, rows) == pytest.approx(math.sqrt(2) * closed, rel=1e-9)


@pytest.mark.parametrize("name", ["balanced_accuracy", "macro_f1", "log_loss", "auroc", "ece"])
def test_the_error_of_a_value_is_its_spread_over_test_sets(name):
    metric = metric_named(name, "multiclass", 3)
    rng = np.random.default_rng(5)
    labels = skewed_labels(40_000, rng)
    rows = predictions(metric, 2.0, labels, 1)
    spread = np.std([metric.value(rows[rng.choice(40_000, 500)]) for _ in range(400)])
    errors = [standard_error(metric, rows[rng.choice(40_000, 500)]) for _ in range(20)]
    assert np.mean(errors) == pytest.approx(spread, rel=0.15)
    assert difference_error(metric, rows[:500]) == pytest.approx(math.sqrt(2) * standard_error(metric, rows[:500]))


def test_the_error_of_a_mean_is_its_deviation_over_the_root_of_the_count():
    loss = metric_named("log_loss", "multiclass", 3)
    rows = predictions(loss, 1.0, skewed_labels(500, np.random.default_rng(0)), 1)
    assert standard_error(loss, rows) == pytest.approx(rows.std() / math.sqrt(500), rel=1e-9)


def test_draws_in_which_a_metric_is_not_defined_are_left_out():
    metric = Median()
    kinds = torch.tensor([0.0] * 2 + [1.0] * 28)  # one sample in seven holds none of the first kind
    ours = metric.statistics(torch.arange(30.0), kinds)
    theirs = metric.statistics(torch.arange(30.0) - 5, kinds)
    assert paired_difference(metric, [ours], [theirs], draws=200) == Difference(5.0, 5.0, 5.0)
    assert 0 < standard_error(metric, ours) < 5
    never = metric.statistics(torch.arange(30.0), torch.ones(30))
    assert math.isnan(paired_difference(metric, [never], [theirs], draws=20).low)
    assert math.isnan(standard_error(metric, never))
