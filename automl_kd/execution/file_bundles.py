"""Jobs, answers and setups together with their files, for machines that do not share the driver's.

A driver packs its setup, which every machine unpacks once. Each job goes out as a :class:`JobBundle`, is done as a job
of the worker's own files, and comes back as an :class:`AnswerBundle`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from automl_kd.core import cache_dir, locked, replacing, sha256_of
from automl_kd.execution.archive import Archive, unpack_archive
from automl_kd.execution.job_log import add_bytes, bytes_of
from automl_kd.execution.jobs import Answer, EvaluateJob, Failed, Job, Setup, TrainJob, file_failure
from automl_kd.recipes.custom_code import keep_copy

if TYPE_CHECKING:
    from automl_kd.tasks import BroughtTeacher
    from automl_kd.teachers import LoadableTeacher


@dataclass(frozen=True)
class JobBundle:
    """A job with its file.

    Attributes:
        job: The job; its paths are the sender's.
        seconds: Time left until its deadline, because clocks of two machines cannot be compared. None without one.
        content: The checkpoint of a training or the weights of an evaluation; None where there is no such file.
    """

    job: Job
    seconds: float | None
    content: bytes | None

    @classmethod
    def pack(cls, job: Job) -> JobBundle:
        """The job with its file.

        Raises:
            OSError: If the file cannot be read.
        """
        if isinstance(job, TrainJob):
            return cls(job, job.deadline - time.monotonic(), _content(job.checkpoint))
        return cls(job, None, None if job.weights is None else _content(job.weights))

    def unpack(self, folder: Path, transfer_seconds: float = 0.0) -> Job:
        """The job with paths and the clock of this machine.

        Args:
            folder: An empty folder for its files.
            transfer_seconds: What sending the job took and sending the answer is expected to take, of the time until
                the deadline.

        Raises:
            OSError: If the file cannot be written.
        """
        weights, checkpoint = folder / "student.safetensors", folder / "checkpoint.pt"
        job = replace(self.job, log=folder / "job.log")
        if isinstance(job, TrainJob):
            if self.content is not None:
                checkpoint.write_bytes(self.content)
            deadline = time.monotonic() + max(0.0, (self.seconds or 0.0) - transfer_seconds)
            return replace(job, checkpoint=checkpoint, weights=weights, deadline=deadline)
        if self.content is None:
            return job
        weights.write_bytes(self.content)
        return replace(job, weights=weights)


@dataclass(frozen=True)
class AnswerBundle:
    """An answer with the files that its job left.

    Attributes:
        answer: What the worker answered.
        checkpoint: Of a training.
        weights: Of a training at the end of its schedule.
        log: What was told of the job there.
    """

    answer: Answer
    checkpoint: bytes | None = None
    weights: bytes | None = None
    log: bytes | None = None

    @classmethod
    def pack(cls, answer: Answer, job: Job) -> AnswerBundle:
        """An answer with the files of its job, as :meth:`JobBundle.unpack` gave it.

        Raises:
            OSError: If a file cannot be read.
        """
        log = bytes_of(job.log)
        if isinstance(job, EvaluateJob) or isinstance(answer, Failed):
            return cls(answer, log=log)
        return cls(answer, _content(job.checkpoint), _content(job.weights), log)

    def deliver(self, job: Job) -> Answer:
        """Write the files where the sender's job says, whole or not at all, and give the answer.

        Where a file cannot be written, the answer is that failure.
        """
        add_bytes(job.log, self.log)
        if isinstance(job, EvaluateJob):
            return self.answer
        # The checkpoint first, as where a job runs in place, so a kill in between costs one evaluation.
        for path, content in ((job.checkpoint, self.checkpoint), (job.weights, self.weights)):
            if content is not None:
                try:
                    with replacing(path) as draft:
                        draft.write_bytes(content)
                except OSError as error:
                    return file_failure(error, path)
        return self.answer


@dataclass(frozen=True)
class SetupBundle:
    """A setup and the hashes of its files: the task's, data that come with no package, teacher, custom code, weights.

    Attributes:
        setup: The setup; its paths are ``<sha256>/<name>``.
        hashes: SHA-256 of each archive that it needs.
    """

    setup: Setup
    hashes: tuple[str, ...]

    @classmethod
    def pack(cls, setup: Setup) -> tuple[SetupBundle, dict[str, Archive]]:
        """The setup, and its archives by their hashes.

        Raises:
            UserError: If a file is missing, or the teacher is gone from the cache.
        """
        from automl_kd.tasks import (
            data_place,
            moved_to,
            place_of,
            portable_task,
            task_names,
        )  # tasks import torch, which takes seconds
        from automl_kd.teachers import KeptTeacher, TeacherStore

        archives: dict[str, Archive] = {}

        def packed(place: Path) -> str:
            archive = Archive(place)
            archives[archive.sha256] = archive
            return f"{archive.sha256}/{place.name}"

        def packed_teacher(one: LoadableTeacher) -> BroughtTeacher:
            brought = TeacherStore().place(one.sha256) if isinstance(one, KeptTeacher) else one
            return moved_to(Path(packed(place_of(brought))), brought)

        data = data_place(setup.task, setup.data)
        teacher = setup.teacher or KeptTeacher(setup.teacher_sha256)
        moved = replace(
            setup,
            task=setup.task if setup.task in task_names() else packed(portable_task(setup.task, packed)),
            data=None if data is None else packed(data),
            teacher=tuple(map(packed_teacher, teacher)) if isinstance(teacher, tuple) else packed_teacher(teacher),
            code=tuple(packed(Path(file)) for file in setup.code),
            weights=tuple(packed(Path(file)) for file in setup.weights),
        )
        return cls(moved, tuple(archives)), archives

    def with_own(self, data: str | None, teacher: BroughtTeacher | tuple[BroughtTeacher, ...] | None) -> SetupBundle:
        """The same setup with data or a teacher that this machine has already, which need not be fetched then.

        Whoever opens them checks that they are the same.
        """
        setup = replace(self.setup, data=data or self.setup.data, teacher=teacher or self.setup.teacher)
        named, needed = ({path.parts[0] for path in each.paths} for each in (self, SetupBundle(setup, self.hashes)))
        return SetupBundle(setup, tuple(sha256 for sha256 in self.hashes if sha256 not in named - needed))

    @property
    def teachers(self) -> tuple[BroughtTeacher, ...]:
        """The teachers: each has files, because :meth:`pack` replaces one that is known by its hash."""
        from automl_kd.tasks import BroughtTeacher

        several = self.setup.teacher if isinstance(self.setup.teacher, tuple) else (self.setup.teacher,)
        return tuple(one for one in several if isinstance(one, BroughtTeacher))

    @property
    def paths(self) -> list[Path]:
        """All files that the setup names."""
        from automl_kd.tasks import place_of, task_names

        setup = self.setup
        task = [] if setup.task in task_names() else [setup.task]
        data = [] if setup.data is None else [setup.data]
        return [*map(Path, (*task, *data, *setup.code, *setup.weights)), *map(place_of, self.teachers)]

    def unpack(self, fetch: Callable[[str], Iterable[bytes]]) -> Setup:
        """The setup with paths of this machine.

        Archives are unpacked into the cache once a machine, by whichever process comes first.

        Args:
            fetch: Gives an archive by its hash, in parts; called only for those that this machine lacks.

        Raises:
            OSError: If there is no room.
            UserError: If an archive is not what its hash says.
        """
        from automl_kd.students import keep_weights
        from automl_kd.tasks import moved_to, place_of

        folder = cache_dir() / "parcels"  # its name since version 0.1: machines need not fetch again what lies there
        for sha256 in self.hashes:
            with locked(folder / f"{sha256}.lock"):
                if not (folder / sha256).is_dir():
                    unpack_archive(folder / sha256, sha256, fetch(sha256))

        def unpacked(path: str) -> str:
            return str(folder / path) if Path(path).parts[0] in self.hashes else path

        teachers = tuple(moved_to(Path(unpacked(str(place_of(one)))), one) for one in self.teachers)
        code = tuple(map(unpacked, self.setup.code))
        for file in code:
            keep_copy(Path(file))
        weights = tuple(map(unpacked, self.setup.weights))
        for file in weights:
            keep_weights(Path(file), sha256_of(Path(file)))
        return replace(
            self.setup,
            task=unpacked(self.setup.task),
            data=None if self.setup.data is None else unpacked(self.setup.data),
            teacher=teachers if isinstance(self.setup.teacher, tuple) else teachers[0],
            code=code,
            weights=weights,
        )


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
