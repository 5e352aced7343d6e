"""What a worker can be asked to do, and what it answers: plain data, so that it crosses processes and machines."""

from __future__ import annotations

import errno
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from automl_kd.teachers import LoadableTeacher


@dataclass(frozen=True)
class Setup:
    """What all jobs of a study share; every worker opens it once.

    Attributes:
        task: Name or path of the task.
        data: Data given instead of the task's own.
        data_sha256: Hash of the data; a worker that finds others refuses to work.
        teacher: Where the teacher is, a tuple for several, None for one that was trained here and is kept by its hash.
        teacher_sha256: Hash of the teacher.
        device: ``auto``, ``cpu`` or ``cuda``.
        allow_code: Whether losses of the user's own may be loaded, which runs their files.
        code: These files, for machines that lack them.
    """

    task: str
    data: str | None
    data_sha256: str
    teacher: LoadableTeacher | tuple[LoadableTeacher, ...] | None
    teacher_sha256: str
    device: str
    allow_code: bool = False
    code: tuple[str, ...] = ()


@dataclass(frozen=True)
class TrainJob:
    """Train a student up to an epoch, from its checkpoint where there is one.

    Attributes:
        recipe: The recipe as plain data.
        total_epochs: Length of the schedule.
        until: The epoch to train to now.
        checkpoint: Where the whole state is kept between jobs.
        weights: Where the student's weights go once the schedule is at its end.
        deadline: ``time.monotonic()`` of this machine at which the job stops by itself, state saved.
        trained: Seconds of training that the checkpoint already holds.
    """

    recipe: dict[str, Any]
    total_epochs: int
    until: int
    checkpoint: Path
    weights: Path
    deadline: float
    trained: float = 0.0


@dataclass(frozen=True)
class EvaluateJob:
    """Read the test split with a trained student, or with the teacher.

    Attributes:
        recipe: The student's recipe as plain data, None for the teacher.
        weights: The student's weights, None for the teacher.
    """

    recipe: dict[str, Any] | None
    weights: Path | None


Job = TrainJob | EvaluateJob


@dataclass(frozen=True)
class Trained:
    """A training that reached its epoch.

    Attributes:
        accuracy: On the search-validation split.
        epoch: The epoch reached.
        seconds: Training time since the schedule began, over all jobs.
        between: Seconds that the worker did not train since its last training ended: waiting, building, evaluating,
            files. None for a worker's first job, which also opens data and teacher.
    """

    accuracy: float
    epoch: int
    seconds: float
    between: float | None


@dataclass(frozen=True)
class Evaluated:
    """Right answers on the test split, shape (examples,)."""

    correct: NDArray[np.bool_]


@dataclass(frozen=True)
class Stopped:
    """The job was told to stop, or ran out of its time; its checkpoint holds what was done."""


@dataclass(frozen=True)
class Failed:
    """The job cannot be done, for a reason in one line.

    Attributes:
        reason: Why.
        fatal: Whether every other job would fail as well (no room on disk, another teacher than the study's).
        worker_died: Whether the process ended under the job, so that trying again may help.
    """

    reason: str
    fatal: bool = False
    worker_died: bool = False


@dataclass(frozen=True)
class Alive:
    """Not an answer: a job began, or made a step."""


Answer = Trained | Evaluated | Stopped | Failed


def failed_file(error: OSError, file: Path | None) -> Failed:
    """What a file that could not be read or written means: without room on disk every other job would fail as well."""
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    return Failed(f"no room on disk for {file}" if full else str(error), fatal=full)
