"""The report of a study, at any point of its search."""

from __future__ import annotations

from dataclasses import dataclass

from automl_kd.delivery.arms import arm_heads
from automl_kd.delivery.form_words import deployed_score
from automl_kd.delivery.forms_table import forms_table
from automl_kd.delivery.front_figure import front_figure
from automl_kd.delivery.html_page import embed, render
from automl_kd.delivery.prices import LATENCY, is_latency, joined, known_objectives
from automl_kd.delivery.progress import progress
from automl_kd.delivery.progress_figures import growth_figure, progress_figure
from automl_kd.delivery.recipe_words import recipe_sentences
from automl_kd.delivery.tables import front_table, metrics_table
from automl_kd.delivery.text import spread_unit
from automl_kd.delivery.understood import understood_rows
from automl_kd.delivery.verdict import verdict
from automl_kd.recipes import Recipe, to_yaml
from automl_kd.results import PhaseSeconds, StudyReview


def study_report(review: StudyReview) -> str:
    """One self-contained HTML page about a study; it loads nothing from a network and is equal for equal reviews.

    Args:
        review: At any point of the search; what was not reached yet is None or empty.
    """
    recommended = verdict(review)
    steps = progress(review.history, review.objectives).steps
    values = review.common.values
    winner = _recipes(review).get(recommended.trial)
    return render(
        "study.html",
        review=review,
        score=review.objective,
        spread_unit=spread_unit(review.objective).strip(),
        compared=_compared(review),
        order=known_objectives(review.objectives)[0].extreme_role,
        others=[each for each in known_objectives(review.objectives) if each.name != LATENCY.name],
        several=sum(is_latency(each) for each in review.objectives) > 1,
        verdict=recommended,
        understood=understood_rows(review.understood) if review.understood else [],
        front=front_table(review),
        metrics=metrics_table(review, recommended.trial),
        forms=forms_table(review),
        arms=arm_heads(review.picks),
        deployed=_deployed(review),
        started=any(pick.pretrained for pick in review.picks),
        kept=[pick.trial for pick in review.picks if pick.origin == "search checkpoint"],
        verified=any(pick.measured_ms is not None for pick in review.picks),
        panels=len(known_objectives(review.objectives)),
        front_plot=embed(front_figure(review), "front") if _drawn(review) else None,
        phases=_phases(review.seconds),
        common=[each for each in values if each.sure],
        within_chance=[each for each in values if not each.sure],
        steps=[step for step in steps if step.grew],
        progress_plots=[
            embed(figure(review), name)
            for name, figure in (("progress", progress_figure), ("growth", growth_figure))
            if len(steps) > 1
        ],
        recipe_words=recipe_sentences(winner) if winner else (),
        recipe_yaml=to_yaml(winner.document()) if winner else None,
    )


def _compared(review: StudyReview) -> str:
    """What students of the front are not beaten in: ``both log loss and latency``."""
    several = sum(is_latency(each) for each in review.objectives) > 1
    own = f"latency on {review.hw}" if several else "latency"
    titles = [own if each.name == LATENCY.name else each.title for each in review.objectives]
    return f"{'both' if len(titles) == 2 else 'all of'} {joined(titles)}"


def _deployed(review: StudyReview) -> dict[int, float | None]:
    """Scores in the device's precision by pick; empty where every pick is scored by its file in any case."""
    scores = {pick.trial: deployed_score(pick) for pick in review.picks}
    return scores if any(score is not None for score in scores.values()) else {}


def _drawn(review: StudyReview) -> bool:
    return bool(review.front or review.complete or review.stopped)


def _recipes(review: StudyReview) -> dict[int | None, Recipe]:
    """What makes each student again, by trial."""
    # Those of picks last: what is delivered may be another arm than what was searched. The recipe of a student that
    # the search left is that of its short training, which is not what a user should repeat.
    recipes: dict[int | None, Recipe] = {entry.trial: entry.recipe for entry in (*review.complete, *review.front)}
    return recipes | {pick.trial: pick.recipe for pick in review.picks if pick.origin != "search checkpoint"}


@dataclass(frozen=True)
class Phase:
    """A phase that has taken time: its seconds, and their share of the longer of budget and total."""

    name: str
    seconds: float
    share: float


def _phases(seconds: PhaseSeconds) -> list[Phase]:
    spent = {"prepare": seconds.prepare, "teacher": seconds.teacher, "search": seconds.search, "picks": seconds.picks}
    whole = max(seconds.budget, seconds.total, sum(spent.values())) or 1.0
    return [Phase(name, value, value / whole) for name, value in spent.items() if value]
