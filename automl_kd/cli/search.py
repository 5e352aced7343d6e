"""``automl-kd search``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from automl_kd.cli.answer import Json, answer, quiet, table
from automl_kd.cli.hw_words import extrapolation
from automl_kd.cli.options import with_fields
from automl_kd.cli.progress import front_row, watching
from automl_kd.core import count, duration, milliseconds, percent, whole
from automl_kd.studies.request import SearchRequest

if TYPE_CHECKING:
    from automl_kd.workflows.plan import SearchPlan


_ARMS = {"searched": "searched", "no_distillation": "no teacher", "plain_kd": "plain KD"}


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("search")(search)


@with_fields(SearchRequest)
def search(
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what the search would do, and stop.")] = False,
    json: Json = False,
    **options: Any,
) -> None:
    """Search students and their distillation together; the same command resumes."""
    with quiet(json):
        from automl_kd.workflows.plan import plan_search
        from automl_kd.workflows.search import run_search

        request = SearchRequest(**options)
        with watching(json) as observer:
            if dry_run:
                plan = plan_search(request, observer)
                document, text = plan.document(), _plan_text(plan)
            else:
                document = run_search(request, observer).document
                text = result_text(document)
    answer(document, text, json)


def result_text(document: dict[str, Any]) -> str:
    """What a search found, for people."""
    trials, seconds = document["trials"], document["seconds"]
    parts = [
        f"study {document['study']}: task {document['task']}, device {document['hw']}, space {document['space']}",
        f"{document['screened']} screened before training; {trials['pruned']} stopped early,"
        f" {trials['complete']} finished, {trials['failed']} failed",
        f"{duration(seconds['total'])} of {duration(seconds['budget'])} used: teacher"
        f" {duration(seconds['teacher'])}, search {duration(seconds['search'])},"
        f" picks {duration(seconds['picks'])}",
    ]
    if document["front"]:
        header = ["trial", "accuracy", "latency", "interval", "parameters"]
        rows = [front_row(entry) for entry in document["front"]]
        parts += ["", "front (accuracy on search-validation, latency predicted):", table(rows, header)]
    if document["picks"]:
        parts += ["", f"picks, distilled in full (test split; teacher {percent(document['teacher']['accuracy'])}):"]
        header = ["trial", "role", "accuracy", "on device", "delivered", *_ARMS.values(), "latency", "files"]
        parts.append(table([_pick_row(pick) for pick in document["picks"]], header))
        parts += [f"trial {pick['trial']}, {line}" for pick in document["picks"] for line in _not_compared(pick)]
        parts += [f"trial {pick['trial']}, {pick['role']}: {_why(pick)}" for pick in document["undistilled"]]
        parts += ["", f"next: automl-kd export --study {document['study']} --pick knee --out winner/"]
    return "\n".join(parts)


def _not_compared(pick: dict[str, Any]) -> list[str]:
    """Why an arm has no accuracy, a line for each reason."""
    arms: dict[str, list[str]] = {}
    for arm, reason in pick["missing"].items():
        arms.setdefault(reason, []).append(_ARMS[arm])
    return [f"{' and '.join(names)}: {reason}" for reason, names in arms.items()]


def _why(pick: dict[str, Any]) -> str:
    return pick["missing"]["searched"]  # type: ignore[no-any-return]


def _pick_row(pick: dict[str, Any]) -> list[str]:
    std = pick["test_accuracy_std"]
    return [
        str(pick["trial"]),
        pick["role"],
        percent(pick["test_accuracy"]) + ("" if std is None else f" ± {100 * std:.1f}"),
        percent(pick["test_accuracy_deployed"]),
        pick["arm"].replace("_", " "),
        percent(pick["searched"]),
        percent(pick["no_distillation"]),
        percent(pick["plain_kd"]),
        milliseconds(pick["latency_ms"]),
        pick["path"],
    ]


def _plan_text(plan: SearchPlan) -> str:
    quantiles = ", ".join(f"{value:.3g}" for value in plan.survey.latency_ms)
    params = ", ".join(count(value) for value in plan.survey.params)
    rows = [
        [
            str(number),
            milliseconds(price.ms),
            f"{price.low:.3g}–{price.high:.3g}",
            count(price.params),
            recipe.student.family,
        ]
        for number, (recipe, price) in enumerate(plan.survey.examples)
    ]
    unsure = None if plan.notes else extrapolation(plan.survey.extrapolated, plan.hw, "the time of the sample")
    return "\n".join(
        [
            f"study {plan.study}: {whole(plan.architectures)} student architectures, {whole(plan.recipes)} recipes",
            f"a sample of {plan.survey.sampled}: {100 * plan.survey.feasible:.0f} % within the limits",
            f"  latency in ms (least, quartiles, most): {quantiles}",
            f"  parameters: {params}",
            *(f"  {note}" for note in (*plan.notes, *([] if unsure is None else [unsure]))),
            table(rows, ["sample", "latency", "interval", "parameters", "family"]),
            *plan.understood.lines(),
            f"budget {duration(plan.budget)}:{_teacher_share(plan)} at least {duration(plan.search)} for the search,"
            f" at most {duration(plan.budget - plan.teacher_seconds - plan.search)} for the picks",
            f"an epoch takes about {plan.epoch_seconds:.2g} s; with {plan.workers} workers and rungs at"
            f" {', '.join(map(str, plan.rungs))} epochs the budget buys about {plan.trials} trials",
        ]
    )


def _teacher_share(plan: SearchPlan) -> str:
    return f" about {duration(plan.teacher_seconds)} for the teacher," if plan.teacher_seconds else ""
