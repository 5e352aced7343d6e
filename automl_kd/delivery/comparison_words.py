"""Two or three trials beside each other in plain words, and what their recipes differ in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from automl_kd.core import signed
from automl_kd.delivery.part_words import named, title_of
from automl_kd.delivery.prices import joined
from automl_kd.delivery.recipe_words import stages_words, student_words
from automl_kd.objectives import Objective
from automl_kd.recipes import Recipe, differences
from automl_kd.results import ComparedPair, PriceRatio, RecipeDifference, ScoreDifference

_MOST_DIFFERENCES = 8
_APART = ("student", "distill", "losses", "train", "optimizer")
"""Parts of a path that its title does without."""
_SAME = 0.005
"""Prices that are closer are told as the same."""


def comparison_sentences(
    objectives: Sequence[Objective],
    pairs: Sequence[ComparedPair],
    prices: Mapping[int, Mapping[str, float]],
    picks: Sequence[int],
    differ: Sequence[RecipeDifference],
) -> tuple[str, ...]:
    """What the numbers say.

    Args:
        objectives: The score first, then prices.
        pairs: Every two of the trials.
        prices: Values of known objectives by trial.
        picks: Those of the trials that were distilled in full.
        differ: In what the recipes differ.
    """
    score, *known = objectives
    said = []
    for pair in pairs:
        said.append(_scores(pair, pair.score, score, "on search-validation"))
        said += [_price(pair, ratio, one, prices) for ratio, one in zip(pair.prices, known, strict=True)]
        if pair.test_score is not None:
            said.append(_scores(pair, pair.test_score, score, "on the test split"))
    trials = dict.fromkeys(number for pair in pairs for number in (pair.first, pair.second))
    if missing := [str(number) for number in trials if number not in picks]:
        were = "were" if len(missing) > 1 else "was"
        said.append(f"Trial{'s' if were == 'were' else ''} {joined(missing)} {were} not distilled in full: no test.")
    return (*said, _differences(differ))


def recipe_differences(recipes: Sequence[Recipe]) -> tuple[RecipeDifference, ...]:
    """In what recipes differ, with values as words."""
    return tuple(
        RecipeDifference(path=each.path, title=_title(each.path), values=_values(each.path, each.values, recipes))
        for each in differences(recipes)
    )


def _scores(pair: ComparedPair, found: ScoreDifference, score: Objective, where: str) -> str:
    """Who is ahead and by how much, or that it is noise."""
    ahead = score.goodness(found.difference) >= 0
    leader, other = (pair.first, pair.second) if ahead else (pair.second, pair.first)
    amount = score.shown_difference(abs(found.difference)).removeprefix("+")
    lead = f"Trial {leader} is {amount} ahead of trial {other} in {score.title} {where}"
    if found.low is None or found.high is None:
        return f"{lead}; how sure that is, is not known."
    if found.within_noise:
        low, high = (signed(each, score.unit) for each in (found.low, found.high))
        return (
            f"Trials {pair.first} and {pair.second} are within noise of each other in {score.title} {where}: they"
            f" differ by {score.shown_difference(found.difference)} (95 % interval {low} to {high})."
        )
    low, high = (signed(each, score.unit).lstrip("+") for each in sorted(map(abs, (found.low, found.high))))
    return f"{lead} (95 % interval {low} to {high})."


def _price(
    pair: ComparedPair, found: PriceRatio, objective: Objective, prices: Mapping[int, Mapping[str, float]]
) -> str:
    """What the cheaper one takes of what the other takes, and whether that is sure."""
    sure = "; their 90 % intervals overlap, so that is not certain" if found.overlap else ""
    if 1 - _SAME < found.ratio < 1 / (1 - _SAME):
        both = joined([objective.shown(prices[number][objective.name]) for number in (pair.first, pair.second)])
        return f"Trials {pair.first} and {pair.second} take about the same {objective.title}, {both}."
    cheap, dear = (pair.first, pair.second) if found.ratio <= 1 else (pair.second, pair.first)
    ours, theirs = (objective.shown(prices[number][objective.name]) for number in (cheap, dear))
    ratio = min(found.ratio, 1 / found.ratio) if found.ratio > 0 else 0.0
    return f"Trial {cheap} takes {ratio:.2f} of the {objective.title} of trial {dear} ({ours} against {theirs}{sure})."


def _differences(differ: Sequence[RecipeDifference]) -> str:
    if not differ:
        return "Their recipes are the same."
    shown = [each.title for each in differ[:_MOST_DIFFERENCES]]
    more = len(differ) - len(shown)
    return f"They differ in {joined([*shown, *([f'{more} more'] if more else [])])}."


def _title(path: str) -> str:
    words = path.split(".")
    while len(words) > 1 and words[0] in _APART:
        words = words[1:]
    if words[0] == "stages" and len(words) > 2:
        return f"{' '.join(map(title_of, words[2:]))} of stage {int(words[1]) + 1}"
    return " ".join(title_of(word) for word in words if not word.isdecimal())


def _values(path: str, values: Sequence[Any], recipes: Sequence[Recipe]) -> tuple[str, ...]:
    if path == "student":
        return tuple(student_words(recipe.student) for recipe in recipes)
    if path == "student.stages":
        stages = [getattr(recipe.student, "stages", None) for recipe in recipes]
        return tuple("none" if each is None else stages_words(each) for each in stages)
    if path == "student.start":
        return tuple("random weights" if value is None else named(value["weights"]) for value in values)
    off = "off" if path.startswith("distill.losses.") and path.count(".") == 2 else "none"
    shown = [off if value is None else named(value) for value in values]
    return tuple(map(str, values)) if len(set(shown)) == 1 else tuple(shown)
