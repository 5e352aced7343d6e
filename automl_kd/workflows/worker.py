"""Verb ``worker``: this machine joins a study over the database that it shares with the study's driver."""

from __future__ import annotations

import shutil
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypedDict

from automl_kd.core import DEFAULT_STORAGE, Interrupted, UserError, parse_bytes, parse_duration
from automl_kd.distillation import resolve_device
from automl_kd.execution import EXECUTORS, Bounds, Dismissed, Setup, SetupBundle, WorkerAgent, WorkerPool, usual_workers
from automl_kd.results import Observer, Snapshot
from automl_kd.storage import Database, Mailboxes
from automl_kd.studies.clock import StopRequest
from automl_kd.tasks import BroughtTeacher, found_anywhere, open_task, parse_teacher
from automl_kd.teachers import load_teacher

_WAIT_SECONDS = 0.5


class WorkerResult(TypedDict):
    """What a worker did: the study's name, and how many jobs were done here."""

    study: str
    jobs: int


def work(
    study: str,
    *,
    storage: str = DEFAULT_STORAGE,
    workers: int | None = None,
    data: str | None = None,
    teacher: str | None = None,
    trial_timeout: str | float | None = None,
    trial_memory: str | float | None = None,
    allow_code: bool = False,
    observer: Observer | None = None,
) -> WorkerResult:
    """Do jobs of a study until it is finished; while nobody drives it, wait.

    Data and teacher come through the database once a machine, named by their hashes. Checkpoints come with the jobs and
    go back with the answers.

    Args:
        study: The study's name.
        storage: URL of the database of the study's driver.
        workers: Trainings at a time; by default one a core, or one on a GPU.
        data: This machine's own copy of the data, which then are not fetched.
        teacher: This machine's own copy of the teacher, named as for ``search``, which then is not fetched.
        trial_timeout: How long a training may make no step before it counts as hanging; by default 10 minutes.
        trial_memory: Memory that a training's process may take; by default an equal share of this machine's.
        allow_code: Whether custom losses and model spaces may be loaded, which runs their files.
        observer: Is told what happens.

    Returns:
        The study's name and how many jobs were done here.

    Raises:
        UserError: If there is no such study, if data or teacher here are not the study's, or if this machine cannot do
            its jobs (its disk is full, say); what was under way is handed back first.
        Interrupted: If a signal ended it; what was under way is handed back, its state saved.
    """
    if workers is not None and workers < 1:
        raise UserError(f"workers {workers}: must be at least 1")
    options = _Options(
        workers=workers,
        data=data,
        teacher=None if teacher is None else _own_teacher(teacher),
        silent_seconds=None if trial_timeout is None else parse_duration(trial_timeout, "trial_timeout"),
        memory_bytes=parse_bytes(trial_memory, "trial_memory"),
        allow_code=allow_code,
    )
    stop = StopRequest()
    with stop.listening(), tempfile.TemporaryDirectory(prefix="automl-kd-") as folder:
        session = _Session(Database(storage, create=False), study, options, stop, observer or Observer(), Path(folder))
        session.run()
    return {"study": study, "jobs": session.done}


@dataclass(frozen=True)
class _Options:
    """What the user said of this machine."""

    workers: int | None
    data: str | None
    teacher: BroughtTeacher | tuple[BroughtTeacher, ...] | None
    silent_seconds: float | None
    memory_bytes: float | None
    allow_code: bool


@dataclass
class _Session:
    """This machine's work for one study."""

    database: Database
    study: str
    options: _Options
    stop: StopRequest
    observer: Observer
    folder: Path
    done: int = 0
    _noted: set[str] = field(default_factory=set)

    def run(self) -> None:
        """Join the study's drivers, one after the other, until the study is finished."""
        while not self._finished():
            if self.stop:
                raise self._interrupted()
            try:
                self._join()
            except Dismissed:
                self._note_once("the driver has ended; waiting for the next")
                time.sleep(_WAIT_SECONDS)

    def _join(self) -> None:
        """Work for one driver.

        Raises:
            Dismissed: If the driver ends, or gives this machine up.
        """
        jobs = self.folder / "jobs"
        shutil.rmtree(jobs, ignore_errors=True)
        jobs.mkdir()
        with WorkerAgent(Mailboxes(self.database, self.study), jobs) as agent:
            offer = self._wait_for_offer(agent)
            if offer is None:
                return
            setup = self._checked(offer, agent)
            count = self.options.workers or usual_workers(setup.device)
            bounds = Bounds.of(self.options.silent_seconds, self.options.memory_bytes, count, elsewhere=True)
            with WorkerPool[int](count, setup, self.folder / "workers.log", bounds) as pool:
                agent.set_ready(count)
                self.observer.note(f"joined study {self.study} with {count} workers")
                self._serve(agent, pool)

    def _serve(self, agent: WorkerAgent, pool: WorkerPool[int]) -> None:
        before = self.done
        try:
            while not self.stop:
                agent.step(pool)
                self.done = before + agent.done
                self._show(f"{agent.busy} jobs under way, {self.done} done")
        except UserError:
            agent.leave(pool)
            raise
        agent.leave(pool)
        self.done = before + agent.done

    def _wait_for_offer(self, agent: WorkerAgent) -> SetupBundle | None:
        """The setup that the driver offers; None once the user has asked to stop, or the study is finished."""
        while not self.stop and not self._finished():
            offer = agent.offer()
            if offer is not None:
                return offer
            self._note_once(f"waiting for the driver of study {self.study}: the search command that began it")
            self._show("waiting for the study's driver")
            time.sleep(_WAIT_SECONDS)
        return None

    def _checked(self, offer: SetupBundle, agent: WorkerAgent) -> Setup:
        """The offered setup with this machine's paths, once its data and teacher are known to be the study's.

        Raises:
            UserError: If they are not, or the setup needs custom code that is not allowed.
        """
        self._show("fetching data and teacher")
        if offer.setup.allow_code and not self.options.allow_code:
            raise UserError(
                f"study {self.study} uses custom losses or model spaces, whose files would be run here;"
                " allow it with --allow-code"
            )
        resolve_device(offer.setup.device)
        setup = offer.with_own(self.options.data, self.options.teacher).unpack(agent.fetch)
        task = open_task(setup.task, setup.data)
        if task.sha256 != setup.data_sha256:
            raise UserError(_other("data set", task.sha256, setup.data_sha256, self.study))
        assert setup.teacher is not None, "an offer names it"
        found = load_teacher(setup.teacher, task).sha256
        if found != setup.teacher_sha256:
            raise UserError(_other("teacher", found, setup.teacher_sha256, self.study))
        return setup

    def _finished(self) -> bool:
        """Whether the study is finished.

        Raises:
            UserError: If there is no such study, or its driver takes no workers that join.
        """
        record = self.database.study(self.study)
        executor = record.settings.get("executor", "process")
        if record.state != "done" and not EXECUTORS.find(executor).joined:
            raise UserError(f"study {self.study} is searched with --executor {executor}, which no worker joins")
        return record.state == "done"

    def _note_once(self, text: str) -> None:
        """Tell the observer something, unless it was told before."""
        if text not in self._noted:
            self._noted.add(text)
            self.observer.note(text)

    def _show(self, doing: str) -> None:
        self.observer.update(Snapshot(phase=f"worker of {self.study}", doing=doing, spent=0.0, budget=0.0))

    def _interrupted(self) -> Interrupted:
        return Interrupted(f"left study {self.study}; {self.done} jobs were done, what was under way is handed back")


def _own_teacher(text: str) -> BroughtTeacher | tuple[BroughtTeacher, ...]:
    spec = parse_teacher(found_anywhere(text))
    several = spec if isinstance(spec, tuple) else (spec,)
    brought = tuple(each for each in several if isinstance(each, BroughtTeacher) and each.fine_tune is None)
    if len(brought) != len(several):
        raise UserError(f"teacher {text!r}: a worker trains none; name its file, or leave it out to fetch the study's")
    return brought if isinstance(spec, tuple) else brought[0]


def _other(what: str, here: str, theirs: str, study: str) -> str:
    return (
        f"refused: the {what} here has hash {here[:12]}, that of study {study} {theirs[:12]};"
        " results could not be compared"
    )
