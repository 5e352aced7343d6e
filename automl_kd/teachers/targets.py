"""Whether a teacher is asked at every step or its outputs are kept: measured once, then decided by arithmetic."""

from __future__ import annotations

import dataclasses
import math
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from automl_kd.recipes import Recipe, mixing_among
from automl_kd.recipes.schema import TeacherOutputs
from automl_kd.tasks import Split, Task
from automl_kd.teachers.cache import TargetCache
from automl_kd.teachers.stored_outputs import is_mean, stage_of
from automl_kd.teachers.teacher import Outputs, Teacher

_BATCH = 64
_REPEATS = 5
_SECONDS = 0.5
_BYTES = 64_000_000


@dataclass(frozen=True)
class OutputCost:
    """One output of a teacher, kept as float32: bytes an example, and seconds an example to read it.

    Reading is with opening and checking the file, as in a run that reads every example once; later epochs take less.
    """

    bytes: int
    read_seconds: float


@dataclass(frozen=True)
class TeacherCost:
    """What a teacher costs on this machine, with the threads that torch has.

    Attributes:
        live_seconds: Seconds an example to compute its outputs.
        logits: The raw outputs, kept.
        maps: The maps that were measured, kept, by stage.
    """

    live_seconds: float
    logits: OutputCost
    maps: Mapping[str, OutputCost]


def measure_cost(teacher: Teacher, task: Task, stages: Sequence[str], folder: Path) -> TeacherCost:
    """Time a teacher and its cache on some training examples; takes about a second, for slow teachers a few batches.

    Args:
        teacher: The teacher, on the device where it shall compute.
        task: Whose training examples.
        stages: Stages that some loss may read, or what is kept of them.
        folder: Where outputs would be kept; what is written to it for this is deleted again.
    """
    batch = task.modality.arranged(task.modality.prepare(task.train.inputs[:_BATCH].to(teacher.device)))
    shown = tuple(dict.fromkeys(map(stage_of, stages)))
    outputs = _finished(teacher.outputs(batch, shown))  # the first time allocates and chooses kernels
    live = _median(lambda: _finished(teacher.outputs(batch, shown))) / len(batch)
    of_stage = [(name, outputs.maps[stage_of(name)]) for name in stages]
    sizes = {name: 4 * (maps.shape[1] if is_mean(name) else maps[0].numel()) for name, maps in of_stage}
    logits_bytes = 4 * math.prod(teacher.logits_shape)

    affordable = min(_SECONDS / live, _BYTES / max(1, logits_bytes + sum(sizes.values())))
    count = min(len(task.train), max(1, int(affordable)))
    sample = dataclasses.replace(task, train=Split(task.train.inputs[:count], task.train.labels[:count]))
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as place:

        def read(names: Sequence[str]) -> float:
            plain = task.modality.views(count, (), 0)
            cache = TargetCache(teacher, sample, plain, (0,), names, "cache-fp32", Path(place))
            order = torch.randperm(count, generator=torch.Generator().manual_seed(0))
            started = time.perf_counter()
            for index in torch.split(order, _BATCH):
                cache.rows(index, 0, names)
            return (time.perf_counter() - started) / count

        read(stages)  # the first time computes
        logits = 0.0 if teacher.headless else min(read(()) for _ in range(_REPEATS))
        maps = {stage: max(0.0, min(read((stage,)) for _ in range(_REPEATS)) - logits) for stage in stages}
    return TeacherCost(
        live,
        OutputCost(logits_bytes, logits),
        {stage: OutputCost(sizes[stage], maps[stage]) for stage in stages},
    )


def decide_targets(
    recipe: Recipe,
    cost: TeacherCost,
    *,
    runs: int,
    examples: int,
    stages: Sequence[str],
    limit_bytes: int,
    share: float = 1.0,
) -> TeacherOutputs:
    """Where a recipe that leaves ``distill.targets`` out shall have its teacher's outputs from.

    1. Live where examples are mixed, but for ``mixed: cached``: an output that was kept is that of an unmixed example.
    2. Kept where computing every view once and reading it in every epoch of every run takes less time than asking then.
    3. Exactly (``cache-fp32``) if that fits the bound, else as ``cache-fp16`` if that does, else live.

    Args:
        recipe: The recipe; its length, its augmentations, its views and whether it needs a teacher decide.
        cost: As :func:`measure_cost` found it, for these stages at least.
        runs: Trainings that will share what is kept.
        examples: How many there are to learn from, all of which are kept.
        stages: What the recipe's losses read of stages, as it is kept.
        limit_bytes: What the cache may hold.
        share: Of the examples, what an epoch goes through.
    """
    augment, epochs, views = recipe.train.augment, recipe.train.epochs, recipe.distill.views
    mixing = bool(mixing_among(augment)) and recipe.distill.mixed != "cached"
    if mixing or not recipe.distill.needs_teacher():
        return "live"
    distinct = min(epochs, views or epochs) if augment else 1
    outputs = [cost.logits, *(cost.maps[stage] for stage in stages)]
    passes = runs * epochs * share
    asked = passes * cost.live_seconds
    kept = distinct * cost.live_seconds + passes * sum(output.read_seconds for output in outputs)
    needed = distinct * examples * sum(output.bytes for output in outputs)
    if kept >= asked or needed / 2 > limit_bytes:
        return "live"
    return "cache-fp32" if needed <= limit_bytes else "cache-fp16"


def _finished(outputs: Outputs) -> Outputs:
    for last in (outputs.logits, *outputs.maps.values()):
        last[:1].cpu()  # waits for the device
    return outputs


def _median(action: Callable[[], object]) -> float:
    """Seconds of an action."""
    taken: list[float] = []
    while len(taken) < 2 or (len(taken) < _REPEATS and sum(taken) < _SECONDS):
        started = time.perf_counter()
        action()
        taken.append(time.perf_counter() - started)
    return statistics.median(taken)
