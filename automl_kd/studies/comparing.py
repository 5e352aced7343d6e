"""Trials of a study side by side, from its summary alone."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from automl_kd.core import UserError
from automl_kd.delivery import comparison_sentences, recipe_differences, recipe_sentences
from automl_kd.objectives import Objective, share_error
from automl_kd.results import (
    ComparedPair,
    ComparedQuantity,
    ComparedValue,
    Comparison,
    PickResult,
    PriceRatio,
    ScoreDifference,
    StudySummary,
    TrialResult,
)
from automl_kd.studies.choosing import as_exported, chosen
from automl_kd.studies.objectives import KnownObjective
from automl_kd.studies.state import ACCURACY

_MOST = 3
_WIDE = 1.96
"""Standard errors to each side of a 95 % interval."""
_ARMS = {"no_distillation": "test, no teacher", "plain_kd": "test, plain KD", "from_scratch": "test, from scratch"}
_BYTES = {"memory_bytes": "memory", "size_bytes": "flash"}


def compared(summary: StudySummary, wanted: Sequence[str | int]) -> Comparison:
    """Two or three finished trials beside each other.

    Two scores are taken as independent, though they are of the same examples: intervals of their difference are rather
    too wide than too narrow.

    Args:
        summary: The study.
        wanted: Numbers or roles of trials.

    Raises:
        UserError: If they are not two or three different finished trials.
    """
    if not 2 <= len(wanted) <= _MOST:
        raise UserError(f"compare takes two or three trials, not {len(wanted)}; name them by number or role")
    numbers = [chosen(each, summary).trial for each in wanted]
    for number, word in zip(numbers, wanted, strict=True):
        if numbers.count(number) > 1:
            raise UserError(f"trial {number} is there twice ({word!r} is that one); name different trials")
    picks = {each.trial: each for each in summary.picks}
    finished = {each.trial: each for each in summary.complete}
    trials = [as_exported(finished[number], picks.get(number)) for number in numbers]
    found = [picks.get(number) for number in numbers]
    pairs = tuple(_pair(summary, *two) for two in itertools.combinations(list(zip(trials, found, strict=True)), 2))
    recipes = [finished[number].recipe for number in numbers]
    differ = recipe_differences(recipes)
    return Comparison(
        study=summary.study,
        trials=tuple(numbers),
        roles=tuple(None if each is None else each.role for each in found),
        quantities=(
            *_quantities(summary, trials),
            _plain("epochs", "epochs of the search", "count", [finished[number].epochs for number in numbers]),
            *_of_picks(summary, found),
        ),
        pairs=pairs,
        differences=differ,
        recipes=tuple(map(recipe_sentences, recipes)),
        sentences=comparison_sentences(
            summary.objectives,
            pairs,
            {each.trial: each.objectives for each in trials},
            [each.trial for each in found if each is not None],
            differ,
        ),
    )


def _pair(
    summary: StudySummary, first: tuple[TrialResult, PickResult | None], second: tuple[TrialResult, PickResult | None]
) -> ComparedPair:
    (ours, our_pick), (theirs, their_pick) = first, second
    test = None
    if our_pick is not None and their_pick is not None:
        errors = _test_error(summary, our_pick), _test_error(summary, their_pick)
        test = _difference(our_pick.test_score, their_pick.test_score, *errors)
    return ComparedPair(
        first=ours.trial,
        second=theirs.trial,
        score=_difference(ours.score, theirs.score, ours.score_error, theirs.score_error),
        test_score=test,
        prices=tuple(_ratio(each, ours, theirs) for each in summary.objectives[1:]),
    )


def _difference(ours: float, theirs: float, error: float | None, other: float | None) -> ScoreDifference:
    if error is None or other is None:
        return ScoreDifference(difference=ours - theirs)
    half = _WIDE * math.hypot(error, other)
    return ScoreDifference(difference=ours - theirs, low=ours - theirs - half, high=ours - theirs + half)


def _test_error(summary: StudySummary, pick: PickResult) -> float | None:
    """Standard error of a mean on the test split: of its examples, where they tell it, and of its seeds."""
    counts = ((summary.understood or {}).get("data") or {}).get("counts") or {}
    examples = sum(counts.get("test", ()))
    of_seeds = None if pick.test_score_std is None else pick.test_score_std / math.sqrt(len(pick.seeds))
    if summary.metric == ACCURACY.name and examples:
        return math.hypot(share_error(pick.test_score, examples), of_seeds or 0.0)
    return of_seeds


def _ratio(objective: Objective, ours: TrialResult, theirs: TrialResult) -> PriceRatio:
    known = KnownObjective.of_name(objective.name)
    (value, low, high), (other, other_low, other_high) = known.interval(ours), known.interval(theirs)
    certain = low == high and other_low == other_high
    return PriceRatio(
        name=objective.name,
        ratio=value / other if other else math.inf,
        overlap=None if certain else low <= other_high and other_low <= high,
    )


def _quantities(summary: StudySummary, trials: Sequence[TrialResult]) -> list[ComparedQuantity]:
    """What every finished trial has."""
    score, *known = summary.objectives
    found = [_measured("score", score, [_around(each.score, each.score_error) for each in trials])]
    found += [
        _measured(each.name, each, [ComparedValue(value=trial.metrics.get(each.name)) for trial in trials])
        for each in summary.metrics
        if each.name != score.name
    ]
    latency = Objective("latency_ms", "minimize", "ms", known=True)
    for each in known if latency.name in {one.name for one in known} else (latency, *known):
        prices = [KnownObjective.of_name(each.name).interval(trial) for trial in trials]
        found.append(_measured(each.name, each, [_between(*price) for price in prices]))
    for name, title in _BYTES.items():
        if name not in {each.name for each in known}:
            memory = Objective(name, "minimize", "bytes", title=title)
            found.append(_measured(name, memory, [ComparedValue(value=getattr(each, name)) for each in trials]))
    found += [_plain("params", "parameters", "count", [each.params for each in trials])]
    return [*found, _plain("form", "form", "text", [each.recipe.form for each in trials])]


def _of_picks(summary: StudySummary, picks: Sequence[PickResult | None]) -> list[ComparedQuantity]:
    """What picks have beside it: the test split's word, also on the other arms."""
    if not any(picks):
        return []
    score = summary.objective
    tests = [
        ComparedValue(value=None) if each is None else _around(each.test_score, _test_error(summary, each))
        for each in picks
    ]
    found = [_measured("test_score", score, tests, f"test {score.title}")]
    for arm, title in _ARMS.items():
        scores = [None if each is None else getattr(each, arm) for each in picks]
        if any(each is not None for each in scores):
            found.append(_measured(f"test_{arm}", score, [ComparedValue(value=each) for each in scores], title))
    arms = [None if each is None else each.arm.replace("_", " ") for each in picks]
    epochs = [None if each is None else each.epochs for each in picks]
    return [
        *found,
        _plain("delivered", "delivered", "text", arms),
        _plain("full_epochs", "epochs in full", "count", epochs),
    ]


def _around(value: float, error: float | None) -> ComparedValue:
    if error is None:
        return ComparedValue(value=value)
    return ComparedValue(value=value, low=value - _WIDE * error, high=value + _WIDE * error)


def _between(value: float, low: float, high: float) -> ComparedValue:
    return ComparedValue(value=value) if low == high else ComparedValue(value=value, low=low, high=high)


def _measured(name: str, of: Objective, values: Sequence[ComparedValue], title: str = "") -> ComparedQuantity:
    return ComparedQuantity(
        name=name, title=title or of.title, unit=of.unit, direction=of.direction, values=tuple(values)
    )


def _plain(name: str, title: str, unit: str, values: Sequence[float | str | None]) -> ComparedQuantity:
    shown = tuple(ComparedValue(value=each) for each in values)
    return ComparedQuantity(name=name, title=title, unit=unit, direction=None, values=shown)
