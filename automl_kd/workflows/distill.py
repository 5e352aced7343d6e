"""One student by one recipe, delivered."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from automl_kd.compression import undecided
from automl_kd.core import Interrupted, UserError, cache_dir, parse_latency, write_text
from automl_kd.delivery import Facts, check_replaceable, deliver
from automl_kd.distillation import (
    Diverged,
    MixedPrecision,
    MixedPrecisionPolicy,
    Outcome,
    ResolvedTeacher,
    TeacherOutputPolicy,
    TrainingProgress,
    expect_teacher,
    find_teacher,
    resolve_device,
    wire,
)
from automl_kd.distillation import distill as train
from automl_kd.hardware import Profile, load_profile
from automl_kd.recipes import Recipe, load_recipe, pin_code, save_recipe
from automl_kd.results import Observer, Snapshot, sharing
from automl_kd.students import beginning, plan
from automl_kd.studies.clock import StopRequest
from automl_kd.studies.delivered import DEFAULT_HW, delivery_document, open_recipe_task
from automl_kd.studies.integers import check_recipe
from automl_kd.studies.understanding import understand, with_teacher
from automl_kd.tasks import Task
from automl_kd.teachers import Teacher

_STAGES = 10
"""Evaluations along the way, for the history in the report."""
_STOPPED = "stopped; what was done is kept, the same command goes on"


def distill(
    recipe: str | Path | Recipe,
    *,
    out: str | Path = "student",
    task: str | None = None,
    data: str | None = None,
    teacher: str | None = None,
    hw: str | None = None,
    max_latency: str | float | None = None,
    device: str = "auto",
    allow_code: bool = False,
    compiled: bool = False,
    observer: Observer | None = None,
) -> dict[str, Any]:
    """Make the student that a recipe describes, and deliver it.

    On one machine equal recipes give equal weights. An interrupted run goes on where it was.

    Args:
        recipe: A recipe, or the path of its file.
        out: Folder for the delivery.
        task: The task's file, if not where the recipe says.
        data: Where the task's data are, if not where the task says.
        teacher: Where the teacher is, if not where recipe or task say.
        hw: The device to deliver for; by default the recipe's, else this machine.
        max_latency: What the student may take there, ``"4ms"`` or a number of milliseconds: decides which layers
            compute with floats where the recipe says ``keep_float: auto``.
        device: Where to train: ``"auto"``, ``"cpu"`` or ``"cuda"``.
        allow_code: Whether the recipe's losses of the user's own may be loaded, which runs their files.
        compiled: Whether the student is compiled (``torch.compile``); its last bits are then others.
        observer: Told what happens.

    Returns:
        ``path``, ``test_score`` and its ``metric``, ``latency_ms``, ``files`` (SHA-256 by name) and more.

    Raises:
        UserError: If recipe, data, teacher or folder do not fit; or the training diverged.
        Interrupted: If a signal ended it; the same call goes on.
    """
    source = "recipe" if isinstance(recipe, Recipe) else str(recipe)
    given = recipe if isinstance(recipe, Recipe) else load_recipe(recipe)
    described = Recipe.model_validate(pin_code(given.document()))
    limit = _limit(described, max_latency, source)
    watcher = observer or Observer()
    stop = StopRequest()
    with stop.listening():
        learned = open_recipe_task(described, source, task, data, progress=sharing(watcher, "read"))
        profile = load_profile(hw or described.hw or DEFAULT_HW, progress=sharing(watcher, "calibrate"))
        check_replaceable(Path(out))
        odd = check_recipe(described, source, learned, profile, allow_code)
        begun = beginning(described.student, learned.signature)
        if begun is not None:
            described = described.model_copy(update={"student": begun.pinned(described.student)})
        layers = None if limit is None else _layers(described, learned, profile, limit, allow_code)
        named = teacher or (described.teacher.file if described.teacher else None)
        expected = expect_teacher(learned, named) if described.distill.needs_teacher() else None
        wire(described, learned, None if expected is None else expected.teacher, allow_code=allow_code)
        understood = replace(understand(learned, expected, resolve_device(device)), space=odd)
        watcher.tell([*understood.lines(), *([] if begun is None else [begun.words])])
        taught = None if expected is None else expected.resolved
        if expected is not None and taught is None:
            taught = _trained(learned, named, watcher, stop, device)
            understood = with_teacher(understood, learned, taught.teacher, resolve_device(device))
            watcher.tell(understood.teacher_lines())
        if taught is not None:
            _recognise(described, taught.teacher, source)
        heard = None if taught is None else taught.teacher
        decided = _decided(described, learned, heard, device, allow_code)
        checkpoint = _checkpoint(decided)
        outcome, history = _train(decided, learned, heard, watcher, stop, device, allow_code, compiled)
        if taught is not None and teacher is not None:
            # Without it the delivered recipe would be taught by the task's own teacher next time.
            decided = decided.with_(teacher=taught.reference.model_dump(exclude_none=True))
        mixed: MixedPrecision | None = None
        if layers is not None:
            decided, mixed = _with_layers(layers, decided, outcome, learned, watcher, stop)
            history = [*history[:-1], {**history[-1], **mixed.values}]
        facts = Facts(
            origin="distilled in full",
            epochs=outcome.epoch,
            seeds=(described.seed,),
            history=history,
            mixed_precision=mixed,
        )
        delivered = deliver(Path(out), outcome.student, decided, learned, profile, facts)
    for path in (checkpoint, checkpoint.with_suffix(".json"), _decision(described)):
        path.unlink(missing_ok=True)
    told = {} if mixed is None else {"mixed_precision": mixed.document()}
    return delivery_document(delivered, learned) | {"understood": understood.document()} | told


def _limit(recipe: Recipe, max_latency: str | float | None, source: str) -> float | None:
    """The limit in ms under which layers are to be decided, if they are."""
    limit, part = parse_latency(max_latency), undecided(recipe.compress)
    if part is None and limit is not None:
        raise UserError(
            f"--max-latency decides keep_float: auto, which {source} does not say under compress: leave it out"
        )
    if part is not None and limit is None:
        where = f"{source}: compress.{recipe.compress.index(part)}.keep_float"
        raise UserError(f"{where}: auto is decided under a limit: give --max-latency, such as 4ms, or name the layers")
    return limit


def _layers(recipe: Recipe, task: Task, profile: Profile, limit: float, allow_code: bool) -> MixedPrecisionPolicy:
    policy = MixedPrecisionPolicy(profile, limit)
    policy.check(recipe, plan(recipe.student, task.signature, allow_code=allow_code))
    return policy


def _with_layers(
    policy: MixedPrecisionPolicy, recipe: Recipe, outcome: Outcome, task: Task, watcher: Observer, stop: StopRequest
) -> tuple[Recipe, MixedPrecision]:
    """The recipe with the layers named that compute with floats, and why."""

    def watch() -> None:
        if stop:
            raise Interrupted(_STOPPED)

    recipe, mixed = policy.decided(recipe, outcome.student, task, watch)
    watcher.tell([mixed.words])
    return recipe, mixed


def _trained(task: Task, named: str | None, watcher: Observer, stop: StopRequest, device: str) -> ResolvedTeacher:
    began = time.monotonic()

    def watch(lesson: TrainingProgress) -> bool:
        watcher.update(Snapshot("teacher", lesson.doing, time.monotonic() - began, 0.0, done=lesson.done))
        return bool(stop)

    try:
        return find_teacher(task, named, watch=watch, device=device)
    except Interrupted:
        raise Interrupted(_STOPPED) from None


def _recognise(recipe: Recipe, teacher: Teacher, source: str) -> None:
    """Make sure that a teacher is the one that a recipe was made with, where it says so."""
    if recipe.teacher is not None and recipe.teacher.sha256 != teacher.sha256:
        raise UserError(
            f"{source}: teacher.sha256: the recipe was made with teacher {recipe.teacher.sha256[:12]}, but the teacher"
            f" found here is {teacher.sha256[:12]}; give the same one with --teacher, or remove the hash to learn from"
            " this one"
        )


def _decided(recipe: Recipe, task: Task, teacher: Teacher | None, device: str, allow_code: bool) -> Recipe:
    """The recipe with its targets; what was decided for a run that was stopped holds for the rest of it."""
    if teacher is None or recipe.distill.targets is not None:
        return recipe
    path = _decision(recipe)
    if path.is_file():
        return load_recipe(path)
    targets = TeacherOutputPolicy(task, teacher, device=device, threads=recipe.threads, runs=1, allow_code=allow_code)
    decided = targets.decided(recipe)
    path.parent.mkdir(parents=True, exist_ok=True)
    save_recipe(decided, path)
    return decided


def _train(
    recipe: Recipe,
    task: Task,
    teacher: Teacher | None,
    watcher: Observer,
    stop: StopRequest,
    device: str,
    allow_code: bool,
    compiled: bool,
) -> tuple[Outcome, list[dict[str, float]]]:
    """The finished student, and what its metrics and losses were at the end of each stage, by epoch."""
    epochs, metric = recipe.train.epochs, task.metric
    stages = sorted({max(1, epochs * part // _STAGES) for part in range(1, _STAGES + 1)})
    checkpoint = _checkpoint(recipe)
    passed = checkpoint.with_suffix(".json")
    history: list[dict[str, float]] = json.loads(passed.read_text(encoding="utf-8")) if passed.is_file() else []
    began = time.monotonic()
    threads = torch.get_num_threads()
    torch.set_num_threads(recipe.threads)

    def on_epoch(epoch: int, score: float | None) -> None:
        shown = "" if score is None else f", {metric.title} {metric.shown(score)}"
        doing = f"distilling, epoch {epoch} of {epochs}{shown}"
        watcher.update(Snapshot("distill", doing, time.monotonic() - began, 0.0, done=epoch / epochs))

    known = {row["epoch"] for row in history}
    left = [until for until in stages if until not in known or until == epochs]
    try:
        for until in left:
            outcome = train(
                recipe,
                task,
                teacher,
                until=until,
                checkpoint=checkpoint,
                device=device,
                on_epoch=on_epoch,
                should_stop=lambda: bool(stop),
                allow_code=allow_code,
                compiled=compiled,
            )
            if outcome.epoch == until and until not in known:
                history.append({"epoch": float(until), **outcome.values, **outcome.losses})
                write_text(passed, json.dumps(history))
        return outcome, history
    except Diverged as error:
        raise UserError(f"the training diverged: {error}") from None
    except Interrupted:
        raise Interrupted(_STOPPED) from None
    finally:
        torch.set_num_threads(threads)


def _decision(recipe: Recipe) -> Path:
    return cache_dir() / "distill" / f"{recipe.digest()}.yaml"


def _checkpoint(recipe: Recipe) -> Path:
    return cache_dir() / "distill" / f"{recipe.digest()}.pt"
