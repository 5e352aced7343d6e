"""What the numbers say, in plain words: which student to ship, and what distillation was worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from automl_kd.compression import described
from automl_kd.core import milliseconds
from automl_kd.delivery.arms import Arms
from automl_kd.delivery.form_words import FloatScore, deployed_score, form_sentences, not_converted
from automl_kd.delivery.prices import (
    Intervals,
    by_device,
    device_of,
    is_latency,
    joined,
    reported_prices,
    short_price,
    shown_price,
    whole_price,
)
from automl_kd.delivery.text import scored, spread_unit
from automl_kd.objectives import Objective, Point, knee
from automl_kd.results import PickResult, StudyResult


@dataclass(frozen=True)
class Verdict:
    """A headline, the sentences below it, and the trial that they recommend, if any."""

    headline: str
    sentences: tuple[str, ...]
    trial: int | None


def verdict(result: StudyResult) -> Verdict:
    """What to take from a study as far as it has come."""
    if result.picks:
        return _of_picks(result)
    if result.front:
        return _of_front(result)
    return Verdict("No student yet", ("No trial has reached the top rung, so there is no front to choose from.",), None)


def _of_front(result: StudyResult) -> Verdict:
    points = [
        Point(entry.trial, tuple(entry.objectives[each.name] for each in result.objectives)) for entry in result.front
    ]
    trial = knee(points, result.objectives).trial
    entry = next(each for each in result.front if each.trial == trial)
    prices = reported_prices(result.objectives)
    texts = [whole_price(entry, entry.others, each) for each in prices]
    place = "alone on" if len(result.front) == 1 else "the knee of"
    return Verdict(
        f"Nothing to ship yet; trial {trial} promises most",
        (
            f"It is {place} the front so far: {scored(entry.score, result.objective)} on search-validation in a"
            f" predicted {by_device(prices, texts, result.hw)}.",
            "No pick has been distilled in full, so nothing here was measured on the test split.",
        ),
        trial,
    )


def _of_picks(result: StudyResult) -> Verdict:
    # The role was settled on search-validation. Choosing by test score here would make the test split a second
    # validation split, and its number too good.
    objective, picks = result.objective, result.picks
    prices = reported_prices(result.objectives)
    chosen = next((pick for pick in picks if pick.role == "knee"), picks[0])
    others = next((each.others for each in result.front if each.trial == chosen.trial), {})
    sentences = [_tested(chosen, objective)]
    if chosen.recipe.compress:
        sentences += _form(chosen, objective)
    if len(result.front) == 1:
        sentences.append("It is the only student of the front.")
    elif reason := _reasons(result.objectives).get(chosen.role):
        sentences.append(reason)
    sentences += _prices(chosen, others, prices, result.hw)
    if chosen.measured_ms is not None:
        where = "inside" if chosen.measured_inside else "outside"
        place = "that range" if sum(map(is_latency, prices)) == 1 else f"the range predicted for {result.hw}"
        sentences.append(f"Measured on the device it takes {milliseconds(chosen.measured_ms)}, {where} {place}.")
    if (taught := result.teacher.score) is not None:
        gap = taught - chosen.test_score
        beside = f"{objective.shown_difference(abs(gap)).removeprefix('+')} {'more' if gap >= 0 else 'less'}"
        sentences.append(f"The teacher reaches {objective.shown(taught)}, {beside}.")
    sentences += Arms.of(chosen).sentences(objective)
    if (deployed := deployed_score(chosen)) is not None:
        sentences.append(f"As deployed, in the device's precision, it reaches {objective.shown(deployed)}.")
    best = next((pick for pick in picks if pick.role == "best"), chosen)
    if objective.better(best.test_score, chosen.test_score):
        sentences.append(
            f"Where {objective.title} matters more: trial {best.trial} reaches {objective.shown(best.test_score)} in a"
            f" predicted {_briefly(best, prices, result.hw)}."
        )
    texts = [short_price(chosen, each) for each in prices]
    return Verdict(
        f"Ship trial {chosen.trial}: {scored(chosen.test_score, objective)} in a predicted"
        f" {by_device(prices, texts, result.hw)}",
        tuple(sentences),
        chosen.trial,
    )


def _tested(pick: PickResult, objective: Objective) -> str:
    shown = objective.shown(pick.test_score)
    better = "; less is better" if objective.direction == "minimize" else ""
    return f"On the test split its {objective.title} is {shown}{_over_seeds(pick, objective)}{better}."


def _form(pick: PickResult, objective: Objective) -> list[str]:
    """What ships, what that costs against float32, what of it still computes with floats, and what it takes."""
    return [
        f"That is its compressed form, which ships: {described(pick.recipe.compress)}.",
        *form_sentences(pick.form, FloatScore.of(pick), pick.shipped, objective),
        *not_converted(pick.shipped),
    ]


def _over_seeds(pick: PickResult, objective: Objective) -> str:
    if len(pick.seeds) < 2 or pick.test_score_std is None:
        return ""
    spread = objective.shown_spread(pick.test_score_std)
    return f" (± {spread}{spread_unit(objective)} over {len(pick.seeds)} seeds)"


def _reasons(objectives: Sequence[Objective]) -> dict[str, str]:
    """Why a pick of each role is worth a look."""
    score, known = objectives[0], reported_prices(objectives)
    cheaper, dearer = ("faster", "slower") if len(known) == 1 else ("cheaper", "dearer")
    sides = (
        f"{cheaper} students lose much {score.title}, {dearer} ones gain little"
        if score.direction == "maximize"
        else f"{cheaper} students have a much higher {score.title}, {dearer} ones hardly a lower one"
    )
    best = f"It is the best student of the front by {score.title}."
    reasons = {"knee": f"It is the knee of the front: {sides}.", "best": best}
    for each in known:
        adjective, _, place = (role := each.extreme_role).partition(" ")
        reasons[role] = f"It is the {adjective} student of the front{f' {place}' if place else ''}."
    return reasons


def _prices(pick: PickResult, others: Intervals, prices: Sequence[Objective], hw: str) -> list[str]:
    """What one inference takes: latencies with their intervals, then the other known objectives."""
    timed = [each for each in prices if is_latency(each)]
    rest = [each for each in prices if not is_latency(each)]
    shown = [shown_price(pick, others, each) for each in timed]
    if len(timed) == 1:
        sentences = [f"One example takes a predicted {shown[0]}; the range is the 90 % interval."]
    else:
        devices = [f"{text} on {device_of(each, hw)}" for each, text in zip(timed, shown, strict=True)]
        sentences = [f"One example takes a predicted {joined(devices)}; the ranges are the 90 % intervals."]
    if rest:
        sentences.append(f"It needs a predicted {joined([short_price(pick, each) for each in rest])}.")
    return sentences


def _briefly(pick: PickResult, prices: Sequence[Objective], hw: str) -> str:
    texts = [short_price(pick, each) for each in prices]
    return texts[0] if len(prices) == 1 else by_device(prices, texts, hw)
