"""What a search would do, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from automl_kd.cli.answer import table
from automl_kd.cli.front import price_cells, price_header
from automl_kd.cli.hw_words import extrapolation
from automl_kd.core import count, duration, whole

if TYPE_CHECKING:
    from automl_kd.workflows.plan import SearchPlan


def plan_text(plan: SearchPlan) -> str:
    """What the study is of, what a sample of its space costs, and what its budget buys."""
    score, *prices = plan.objectives
    quantiles = ", ".join(f"{value:.3g}" for value in plan.survey.latency_ms)
    params = ", ".join(count(value) for value in plan.survey.params)
    rows = [
        [str(number), *price_cells(price.stored(), prices), recipe.student.title]
        for number, (recipe, price) in enumerate(plan.survey.examples)
    ]
    unsure = None if plan.notes else extrapolation(plan.survey.extrapolated, plan.hw, "the time of the sample")
    return "\n".join(
        [
            f"study {plan.study}: {whole(plan.architectures)} student architectures, {whole(plan.recipes)} recipes",
            f"objectives: {'high' if score.direction == 'maximize' else 'low'} {score.title}; low"
            f" {', '.join(each.title for each in prices)}",
            f"a sample of {plan.survey.sampled}: {100 * plan.survey.feasible:.0f} % within the limits",
            f"  latency in ms (least, quartiles, most): {quantiles}",
            f"  parameters: {params}",
            *(f"  {note}" for note in (*plan.notes, *([] if unsure is None else [unsure]))),
            table(rows, ["sample", *price_header(prices), "network"]),
            *plan.understood.lines(),
            f"budget {duration(plan.budget)}:{_teacher_share(plan)} at least {duration(plan.search)} for the search,"
            f" at most {duration(plan.budget - plan.teacher_seconds - plan.search)} for the picks",
            f"an epoch takes about {plan.epoch_seconds:.2g} s; with {plan.workers} workers and rungs at"
            f" {', '.join(map(str, plan.rungs))} epochs the budget buys about {plan.trials} trials",
        ]
    )


def _teacher_share(plan: SearchPlan) -> str:
    return f" about {duration(plan.teacher_seconds)} for the teacher," if plan.teacher_seconds else ""
