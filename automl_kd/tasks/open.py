"""From a name or a task file to a task."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from automl_kd.core import UserError, unknown
from automl_kd.pictures import Progress, silent
from automl_kd.recipes import TaskReference, parse_yaml, validate
from automl_kd.tasks.built_in import BUILT_IN
from automl_kd.tasks.data.registry import DATA
from automl_kd.tasks.document import TaskDocument
from automl_kd.tasks.group_splits import stratify_groups
from automl_kd.tasks.metrics import Metric, refuse_no_metric
from automl_kd.tasks.modalities import Modality
from automl_kd.tasks.problems import PROBLEMS, Problem
from automl_kd.tasks.source import Data, Hints, Source
from automl_kd.tasks.split import Examples, Split
from automl_kd.tasks.splits import Splits, stratify
from automl_kd.tasks.stored_pictures import in_memory
from automl_kd.tasks.task import Task
from automl_kd.tasks.teacher import relative_to, size_of

_TEST_SHARE = 0.2


def task_names() -> dict[str, str]:
    """The built-in tasks, each with a line that says what it is."""
    return {name: description for name, (description, _) in BUILT_IN.items()}


def open_task(name: str, data: str | None = None, metric: str | None = None, *, progress: Progress = silent) -> Task:
    """The task of a name or file, its data read and split.

    >>> open_task("digits").signature.input.shape
    (1, 8, 8)

    Args:
        name: A built-in task, or the path of a task file (``.yaml``).
        data: File or folder to read instead of the one that the task names.
        metric: Name of the metric to compare networks by, instead of the task's first.
        progress: Told which share of the reading is done, and what is being done, where it takes long.

    Raises:
        UserError: If the task is unknown, its file has a mistake, or it has no such metric; or if its data are missing,
            damaged or too few to split.
    """
    checked = check_task(name, data, metric)
    document, folder = checked.document, checked.folder
    teacher = None if document.teacher is None else relative_to(folder, document.teacher)
    try:
        source = checked.data.knowing(Hints(size_of(teacher), progress)).read(folder, checked.problem)
        parts = _split(source, document.splits)
        problem = source.problem.fitted(parts["train"].labels)
        modality, parts = source.modality(parts)
        train = parts["train"]
        refusal = problem.refusal(train.labels, source.noun) or modality.refusal(train, source.found)
        if refusal is not None:
            raise UserError(f"{source.found.place}: {refusal}")
        stated = _metrics(document.metric, problem)
        metrics = stated if metric is None else _with_first(problem.metric_named(metric), stated)
    except UserError as error:
        raise UserError(f"task {name}: {error}") from None
    unlabelled = {} if source.unlabelled is None else {"unlabelled": source.unlabelled}
    sha256 = _digest(parts | unlabelled, modality, problem)
    kept = {role: replace(split, inputs=in_memory(split.inputs)) for role, split in (parts | unlabelled).items()}
    return Task(
        name=document.name,
        modality=modality,
        problem=problem,
        metrics=metrics,
        sha256=sha256,
        teacher=teacher,
        reference=TaskReference(
            name=_anywhere(name),
            data=None if data is None else _anywhere(data),
            sha256=sha256,
            metric=None if metrics == stated else metric,
        ),
        found=source.found,
        **kept,
    )


@dataclass(frozen=True)
class CheckedTask:
    """A task as far as it is known before its data are read.

    Attributes:
        document: Of its file.
        folder: Where relative paths start.
        data: What is read.
        problem: The type of its labels.
    """

    document: TaskDocument
    folder: Path
    data: Data
    problem: type[Problem]


def check_task(name: str, data: str | None = None, metric: str | None = None) -> CheckedTask:
    """Make every check of a task for which its data need not be read.

    Args:
        name: As for :func:`open_task`.
        data: As for :func:`open_task`.
        metric: As for :func:`open_task`.

    Raises:
        UserError: If the task is unknown, its file has a mistake, or no data of its problem type have such a metric.
    """
    document, folder = task_document(name)
    part = document.data
    if data is not None:
        if "path" not in type(part).model_fields:
            raise UserError(f"task {name} takes no data; leave {data} out")
        part = part.at(Path(data).expanduser().absolute())
    try:
        problem = _problem_type(document)
        _refuse_no_metrics(document.metric, problem)
        if metric is not None:
            refuse_no_metric(metric, problem.name, problem.meaning)
    except UserError as error:
        raise UserError(f"task {name}: {error}") from None
    return CheckedTask(document, folder, part, problem)


def _problem_type(document: TaskDocument) -> type[Problem]:
    """The problem type that a task file names, or the first that its kind of data can be of."""
    kind = document.data.kind
    able = DATA[kind].problems
    if document.problem is None:
        return PROBLEMS[able[0] if able else "multiclass"]
    try:
        chosen = PROBLEMS.find(document.problem)
    except UserError as error:
        raise UserError(f"problem: {error}") from None
    if able and document.problem not in able:
        raise UserError(
            f"problem: data of the kind {kind} are {' or '.join(able)}, not {document.problem}; the kinds csv and npz"
            " take any problem"
        )
    return chosen


def _metrics(named: str | tuple[str, ...] | None, problem: Problem) -> tuple[Metric, ...]:
    """The metrics that ``metric`` of a task file means, that of the search first."""
    every = problem.metrics()
    if named is None:
        return every
    try:
        if isinstance(named, str):
            return _with_first(problem.metric_named(named), every)
        twice = next((name for name in named if named.count(name) > 1), None)
        if twice is not None:
            raise UserError(f"names {twice} twice; once is right")
        return tuple(map(problem.metric_named, named))
    except UserError as error:
        raise UserError(f"metric: {error}") from None


def _refuse_no_metrics(named: str | tuple[str, ...] | None, problem: type[Problem]) -> None:
    """Make sure that the problem type has what ``metric`` of a task file names, before the data are read."""
    try:
        for name in (named,) if isinstance(named, str) else named or ():
            refuse_no_metric(name, problem.name, problem.meaning)
    except UserError as error:
        raise UserError(f"metric: {error}") from None


def _with_first(first: Metric, metrics: tuple[Metric, ...]) -> tuple[Metric, ...]:
    return (first, *(metric for metric in metrics if metric.name != first.name))


def data_place(name: str, data: str | None = None) -> Path | None:
    """The file or folder that a task's data are read from, None where they come with a package.

    Args:
        name: As for :func:`open_task`.
        data: As for :func:`open_task`.

    Raises:
        UserError: If the task is unknown or its file has a mistake.
    """
    document, folder = task_document(name)
    if data is not None:
        return document.data.at(Path(data).expanduser()).place(folder)
    return None if name in BUILT_IN else document.data.place(folder)


def _anywhere(name: str) -> str:
    """A path that is found from every folder; a built-in name as it is."""
    return name if name in BUILT_IN else str(Path(name).expanduser().absolute())


def task_document(name: str) -> tuple[TaskDocument, Path]:
    """The document of a built-in task or a task file, and the folder where its relative paths start.

    Raises:
        UserError: If the task is unknown or its file has a mistake.
    """
    if name.endswith((".yaml", ".yml")) or os.sep in name:
        return validate(TaskDocument, parse_yaml(name), name), Path(name).parent
    if name not in BUILT_IN:
        raise unknown("task", name, BUILT_IN)
    document = BUILT_IN[name][1]
    return document if isinstance(document, TaskDocument) else document(), Path()


def _split(source: Source, splits: Splits) -> dict[str, Split]:
    sizes = {"validation": splits.validation, "train": splits.train, "test": splits.test}
    for name in source.given:
        if name in splits.model_fields_set and sizes[name] is not None:
            raise UserError(f"splits.{name}: the data have a {name} set of their own; leave it out")
        del sizes[name]
    if "test" in sizes and splits.train is None and splits.test is None:
        sizes["test"] = _TEST_SHARE
    rest_last = dict(sorted(sizes.items(), key=lambda item: item[1] is None))
    strata, names = source.problem.strata(source.pool.labels)
    if source.groups is None:
        drawn = stratify(strata, rest_last, splits.seed, names, source.noun)
    else:
        drawn = stratify_groups(strata, source.groups, rest_last, splits.seed, names, source.noun)
    return {split: source.pool.take(indices) for split, indices in drawn.items()} | dict(source.given)


def _digest(parts: dict[str, Split], modality: Modality, problem: Problem) -> str:
    header = modality.identity() | problem.identity()
    hashed = hashlib.sha256(json.dumps(header, sort_keys=True).encode())
    for name, examples in _examples(parts):
        hashed.update(f"{name} {examples.dtype} {tuple(examples.shape)}".encode())
        if isinstance(examples, Tensor):
            hashed.update(examples.contiguous().view(torch.uint8).numpy().data)
        else:
            hashed.update(json.dumps(examples.identity(), sort_keys=True).encode())
    return hashed.hexdigest()


def _examples(parts: dict[str, Split]) -> Iterator[tuple[str, Examples]]:
    for name, split in sorted(parts.items()):
        yield f"{name}.images", split.inputs
        yield f"{name}.labels", split.labels
