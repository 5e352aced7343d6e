"""``automl-kd search``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from automl_kd.cli.answer import AllowCode, Json, Storage, TrialMemory, TrialTimeout, answer, quiet, table
from automl_kd.cli.hw_words import extrapolation
from automl_kd.cli.progress import front_row, watching
from automl_kd.core import DEFAULT_STORAGE, count, duration, milliseconds, percent, whole

if TYPE_CHECKING:
    from automl_kd.workflows.plan import SearchPlan


_ARMS = {"searched": "searched", "no_distillation": "no teacher", "plain_kd": "plain KD"}


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("search")(search)


def search(
    hw: Annotated[str, typer.Option(help="Device to search for, by name or path; see automl-kd hw list.")],
    budget: Annotated[str, typer.Option(help="Time in all: 90s, 3m, 48h, 1h30m.")],
    task: Annotated[str, typer.Option(help="Built-in task or path of a task file.")] = "digits",
    data: Annotated[str | None, typer.Option(help="Data instead of those that the task names.")] = None,
    teacher: Annotated[
        str | None,
        typer.Option(
            help="Teacher instead of the task's: t.onnx, t.pt2, t.pt@{family: resnet, …}; 'a + b' for several."
        ),
    ] = None,
    space: Annotated[str, typer.Option(help="Search space by name or path.")] = "tiny_cnn",
    pins: Annotated[
        list[str] | None, typer.Option("--set", metavar="PATH=VALUE", help="Fill a hole of the space; repeatable.")
    ] = None,
    max_latency: Annotated[str | None, typer.Option(help="Never train what is predicted slower, e.g. 4ms.")] = None,
    max_params: Annotated[str | None, typer.Option(help="Never train what has more parameters, e.g. 100k.")] = None,
    max_memory: Annotated[str | None, typer.Option(help="Never train what needs more memory, e.g. 512KB.")] = None,
    study: Annotated[str | None, typer.Option(help="Name of the study; by default <task>-<hw>-<space>.")] = None,
    workers: Annotated[
        int | None, typer.Option(help="Trainings at a time here; by default one a core, or what the cluster holds.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the sampler and of the students' weights.")] = 0,
    sampler: Annotated[
        str, typer.Option(help="What proposes candidates: known-cost, tpe, nsga2, random or gp.")
    ] = "known-cost",
    fidelity: Annotated[
        str, typer.Option(help="halving: only promising candidates are trained on; none: all are.")
    ] = "halving",
    device: Annotated[str, typer.Option(help="Where students train: auto, cpu or cuda.")] = "auto",
    extend: Annotated[str | None, typer.Option(help="Time to add to the study's budget.")] = None,
    max_disk: Annotated[str | None, typer.Option(help="What the study's files may take, e.g. 2GB.")] = None,
    executor: Annotated[
        str, typer.Option(help="Where students train: process (which automl-kd worker joins), inline or ray.")
    ] = "process",
    address: Annotated[str | None, typer.Option(help="Of the Ray cluster: host:port, ray://host:port, local.")] = None,
    per_trial: Annotated[
        str | None, typer.Option(help="What a trial takes of the Ray cluster, e.g. cpu=1,gpu=0.25.")
    ] = None,
    from_study: Annotated[
        list[str] | None,
        typer.Option(help="Take over what an earlier study of this task and teacher finished; repeatable."),
    ] = None,
    stop_when_flat: Annotated[
        bool, typer.Option("--stop-when-flat", help="End the search once hardly any improvement is expected.")
    ] = False,
    trial_timeout: TrialTimeout = None,
    trial_memory: TrialMemory = None,
    allow_code: AllowCode = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what the search would do, and stop.")] = False,
    storage: Storage = DEFAULT_STORAGE,
    json: Json = False,
) -> None:
    """Search students and their distillation together; the same command resumes."""
    with quiet(json):
        from automl_kd.studies.request import SearchRequest
        from automl_kd.workflows.plan import plan_search
        from automl_kd.workflows.search import run_search

        request = SearchRequest(
            hw=hw,
            budget=budget,
            task=task,
            data=data,
            teacher=teacher,
            space=space,
            pins=tuple(pins or ()),
            max_latency=max_latency,
            max_params=max_params,
            max_memory=max_memory,
            study=study,
            storage=storage,
            workers=workers,
            seed=seed,
            sampler=sampler,
            fidelity=fidelity,
            device=device,
            extend=extend,
            max_disk=max_disk,
            allow_code=allow_code,
            from_study=tuple(from_study or ()),
            stop_when_flat=stop_when_flat,
            trial_timeout=trial_timeout,
            trial_memory=trial_memory,
            executor=executor,
            address=address,
            per_trial=per_trial,
        )
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
