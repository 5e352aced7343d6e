"""What the runs of a pick showed on the test split."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from automl_kd.objectives import paired_difference
from automl_kd.results import ARMS, Arm, ArmResult, Gain, PlainKdSetting
from automl_kd.studies.pick import Pick, Run, RunOnTest
from automl_kd.tasks import Metric


@dataclass(frozen=True)
class Finding:
    """What the runs of a pick showed, before anything of it is delivered; names as in :class:`PickResult`."""

    arm: Arm
    hears_teacher: bool
    pretrained: bool
    origin: Literal["distilled in full", "search checkpoint"]
    seeds: tuple[int, ...]
    epochs: int
    test_metrics: dict[str, float]
    test_metrics_std: dict[str, float]
    float_metrics: dict[str, float]
    gain_over_float: Gain | None
    arms: dict[Arm, ArmResult]
    missing: dict[Arm, str]
    plain_kd_setting: PlainKdSetting | None


def finding(pick: Pick, metric: Metric) -> Finding | None:
    """What the runs of a pick showed on the test split, or None where no test was read.

    Means of what is delivered are over all its seeds whose test was read. An arm's are over the seeds that it shares
    with what is delivered, and so is the gain over it, which pairs seed by seed and example by example: it can differ
    from the mean of what is delivered minus the arm's. An arm without a shared seed is left out. What ships
    compressed is paired in the same way with the same weights in float32.

    Args:
        pick: The pick, its tests read.
        metric: The one that is searched, for the gains.
    """
    arm = pick.best_arm()
    if arm is None:
        return None
    tested = {each: {run.seed: pick.tests[run] for run in pick.tested(each)} for each in ARMS}
    runs, own, best = pick.tested(arm), tested[arm], pick.best_setting()
    compared = {each: _compared(own, tested[each], metric) for each in ARMS if each != arm}
    compared[arm] = _arm(list(own.values()), metric, None)
    floats = {seed: test.uncompressed for seed, test in own.items() if test.uncompressed is not None}
    return Finding(
        arm=arm,
        hears_teacher=pick.candidate.recipe.distill.needs_teacher(),
        pretrained=pick.pretrained,
        origin=_origin(runs[0]),
        seeds=tuple(run.recipe.seed for run in runs),
        epochs=runs[0].recipe.train.epochs,
        test_metrics=_means(list(own.values())),
        test_metrics_std=_deviations(list(own.values())),
        float_metrics=_means(list(floats.values())) if floats else {},
        gain_over_float=_gain(own, floats, metric),
        arms={each: result for each in ARMS if (result := compared[each]) is not None},
        missing=pick.missing(),
        plain_kd_setting=None if best is None else PlainKdSetting(temperature=best[0], weight=best[1]),
    )


def _origin(run: Run) -> Literal["distilled in full", "search checkpoint"]:
    return "search checkpoint" if run.kept else "distilled in full"


def _compared(ours: Mapping[int, RunOnTest], theirs: Mapping[int, RunOnTest], metric: Metric) -> ArmResult | None:
    """The other arm and our gain over it, by the seeds that both have."""
    gain = _gain(ours, theirs, metric)
    shared = sorted(ours.keys() & theirs.keys())
    return None if gain is None else _arm([theirs[seed] for seed in shared], metric, gain)


def _gain(ours: Mapping[int, RunOnTest], theirs: Mapping[int, RunOnTest], metric: Metric) -> Gain | None:
    """Ours minus theirs over the seeds that both have; None where there is none."""
    shared = sorted(ours.keys() & theirs.keys())
    if not shared:
        return None
    difference = paired_difference(
        metric, [ours[seed].statistics for seed in shared], [theirs[seed].statistics for seed in shared]
    )
    return Gain(**difference.as_dict())


def _arm(tests: Sequence[RunOnTest], metric: Metric, gain: Gain | None) -> ArmResult:
    means = _means(tests)
    return ArmResult(score=means[metric.name], metrics=means, gain=gain)


def _means(tests: Sequence[RunOnTest]) -> dict[str, float]:
    return {name: statistics.fmean(test.values[name] for test in tests) for name in tests[0].values}


def _deviations(tests: Sequence[RunOnTest]) -> dict[str, float]:
    if len(tests) < 2:
        return {}
    return {name: statistics.stdev(test.values[name] for test in tests) for name in tests[0].values}
