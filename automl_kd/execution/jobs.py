"""What a worker can be asked to do, and what it answers: values that can be sent to other processes and machines."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from automl_kd.recipes import Recipe
    from automl_kd.teachers import LoadableTeacher


@dataclass(frozen=True)
class Setup:
    """What all jobs of a study share; every worker opens its data and teacher once.

    Attributes:
        task: Name or path of the task.
        data: Path of data that replace the task's own; None for the task's own.
        data_sha256: Hash of the data; a worker whose data have another hash refuses to work.
        teacher: Where the teacher is, a tuple for several; None for one that was trained here and is kept by its hash.
        teacher_sha256: Hash of the teacher; a worker whose teacher has another hash refuses to work.
        device: ``auto``, ``cpu`` or ``cuda``.
        allow_code: Whether custom losses and model spaces may be loaded, which runs their files.
        code: Paths of these files, for machines that lack them.
        metric: What students are compared by, None for what the task says.
        weights: Paths of files of weights that students start from, for machines that lack them.
    """

    task: str
    data: str | None
    data_sha256: str
    teacher: LoadableTeacher | tuple[LoadableTeacher, ...] | None
    teacher_sha256: str
    device: str
    allow_code: bool = False
    code: tuple[str, ...] = ()
    metric: str | None = None
    weights: tuple[str, ...] = ()


@dataclass(frozen=True)
class TrainJob:
    """Train a student up to an epoch, from its checkpoint where there is one.

    Attributes:
        recipe: How to train.
        total_epochs: Length of the schedule.
        until: The epoch to train to now.
        checkpoint: File of the whole state of the training, between jobs.
        weights: File of the student's weights, written at the end of the schedule.
        deadline: ``time.monotonic()`` of this machine at which the job saves its state and stops by itself.
        trained: Seconds of training that the checkpoint already holds.
        log: File that takes what is told of the job while it is done, and what its worker writes on standard error;
            None where nobody reads it.
    """

    recipe: Recipe
    total_epochs: int
    until: int
    checkpoint: Path
    weights: Path
    deadline: float
    trained: float = 0.0
    log: Path | None = None


@dataclass(frozen=True)
class EvaluateJob:
    """Read the test split with a student in the form that ships, and beside it in float32, or with the teacher.

    Attributes:
        recipe: The student's recipe; None for the teacher.
        weights: File of the student's weights as trained; None for the teacher.
        log: As of :class:`TrainJob`.
    """

    recipe: Recipe | None
    weights: Path | None
    log: Path | None = None


Job = TrainJob | EvaluateJob


@dataclass(frozen=True)
class Trained:
    """A training that reached its epoch.

    Attributes:
        score: Value of the task's first metric on the search-validation split.
        error: Its standard error over samples of examples, in the metric's unit.
        values: Values of all metrics of the task there, by name.
        epoch: The epoch reached.
        seconds: Training time since the schedule began, over all jobs.
        between: Seconds since the worker's last training ended in which it did not train, but waited, built, evaluated,
            read and wrote files. None for a worker's first training, which also opens data and teacher.
    """

    score: float
    error: float
    values: Mapping[str, float]
    epoch: int
    seconds: float
    between: float | None


@dataclass(frozen=True, eq=False)
class Evaluated:
    """A reading of the test split.

    Attributes:
        values: Values of all metrics of the task, by name.
        statistics: What the first metric is computed from, one row an example: shape (examples, K), float64.
        uncompressed: The same examples read by the same weights without the stages of ``compress``; None where there
            are none.
    """

    values: Mapping[str, float]
    statistics: NDArray[np.float64]
    uncompressed: Evaluated | None = None


@dataclass(frozen=True)
class Stopped:
    """The job was told to stop, or its deadline came; its checkpoint holds what was done."""


@dataclass(frozen=True)
class Failed:
    """The job cannot be done, for a reason in one line.

    Attributes:
        reason: Why.
        fatal: Whether every other job would fail as well (no room on disk, another teacher than the study's).
        worker_died: Whether the worker ended during the job, so that to try again may help.
    """

    reason: str
    fatal: bool = False
    worker_died: bool = False


@dataclass(frozen=True)
class Cancel:
    """A message to a worker: the job under way is not wanted any more."""


@dataclass(frozen=True)
class Alive:
    """A message between job and answer: the job began, or made a step."""


Answer = Trained | Evaluated | Stopped | Failed


def file_failure(error: OSError, file: Path | None) -> Failed:
    """The answer to a job whose file cannot be read or written; a full disk is fatal: every other job would meet it."""
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    return Failed(f"no room on disk for {file}" if full else str(error), fatal=full)
