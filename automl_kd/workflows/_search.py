"""The main job: search students and their distillation together, then distil the best in full."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import optuna

from automl_kd.controller import MOST_PICKS, REPORT_SECONDS, Point, choose_picks, knee, pareto_front, rung_epochs
from automl_kd.distillation import CONTRACTS
from automl_kd.errors import Interrupted, UserError
from automl_kd.execution import Setup, WorkerPool
from automl_kd.hardware import Profile, load_profile
from automl_kd.paths import DEFAULT_STORAGE
from automl_kd.recipes import Space, digest, load_space
from automl_kd.samplers import multivariate_tpe
from automl_kd.storage import Database, Lease
from automl_kd.tasks import Task, open_task
from automl_kd.words import duration
from automl_kd.workflows._clock import Clock, StopRequest
from automl_kd.workflows._files import Files
from automl_kd.workflows._ledger import Ledger
from automl_kd.workflows._observer import Observer, Snapshot
from automl_kd.workflows._pick_phase import TEACHER, Pick, PickPhase, measured
from automl_kd.workflows._publishing import Publisher
from automl_kd.workflows._record import open_record, refuse_another
from automl_kd.workflows._request import SearchRequest
from automl_kd.workflows._search_phase import SearchPhase
from automl_kd.workflows._summary import result_document, summarize
from automl_kd.workflows._supply import Pricing, Supply, survey
from automl_kd.workflows._teaching import Lesson, Taught, find_teacher

_WORKER_START_SECONDS = 5.0
_WAIT_SECONDS = 0.2
_OVERDUE_SECONDS = 8.0
_LOSS_SAMPLES = 64


@dataclass(frozen=True)
class SearchResult:
    """What a search found.

    Attributes:
        study: The study's name, for other verbs.
        storage: Where it is.
        document: The same as ``search --json`` prints.
    """

    study: str
    storage: str
    document: dict[str, Any]

    @property
    def front(self) -> list[dict[str, Any]]:
        """The Pareto front of the search, fastest first."""
        return list(self.document["front"])

    @property
    def picks(self) -> list[dict[str, Any]]:
        """The picks that were distilled in full."""
        return list(self.document["picks"])


def search(
    hw: str,
    budget: str | float,
    *,
    task: str = "digits",
    data: str | None = None,
    teacher: str | None = None,
    space: str = "tiny_cnn",
    pins: Sequence[str] = (),
    max_latency: str | float | None = None,
    max_params: str | float | None = None,
    max_memory: str | float | None = None,
    study: str | None = None,
    storage: str = DEFAULT_STORAGE,
    workers: int | None = None,
    seed: int = 0,
    device: str = "auto",
    extend: str | float | None = None,
    max_disk: str | float | None = None,
    observer: Observer | None = None,
) -> SearchResult:
    """Search student architecture and distillation recipe together for a device.

    Called again with the same arguments it resumes: time used before counts, nothing finished is done twice.

    Args:
        hw: A device profile by name or path.
        budget: Time in all, such as ``"3m"`` or ``"48h"``: teacher, search, and full distillation of the picks.
        task: A built-in task, or the path of a task file.
        data: Data instead of those that the task names.
        teacher: A teacher instead of the one that the task names: ``teacher.onnx``, ``teacher.pt@{family: resnet, …}``.
        space: A search space by name or path.
        pins: Holes to fill, ``path=value`` each.
        max_latency: Candidates predicted slower are never trained; milliseconds, or such as ``"4ms"``.
        max_params: The same for the number of parameters.
        max_memory: The same for weights and activations together, in bytes.
        study: Name of the study; by default from task, device and space.
        storage: Database URL or path of an SQLite file.
        workers: Trainings at a time; by default one a core, or one on a GPU.
        seed: Of the sampler and of the students' weights.
        device: Where students train: ``"auto"``, ``"cpu"`` or ``"cuda"``.
        extend: Time to add to the study's budget.
        max_disk: Bytes that the study's files may take.
        observer: Told what happens.

    Raises:
        UserError: If something is wrong with what was asked, or the study cannot go on.
        Interrupted: If a signal ended it; the same call goes on.
    """
    request = SearchRequest(
        hw=hw,
        budget=budget,
        task=task,
        data=data,
        teacher=teacher,
        space=space,
        pins=tuple(pins),
        max_latency=max_latency,
        max_params=max_params,
        max_memory=max_memory,
        study=study,
        storage=storage,
        workers=workers,
        seed=seed,
        device=device,
        extend=extend,
        max_disk=max_disk,
    )
    return run_search(request, observer or Observer())


def run_search(request: SearchRequest, observer: Observer) -> SearchResult:
    """As :func:`search`, from a request."""
    began = time.monotonic()
    stop = StopRequest()
    with stop.listening():
        database = Database(request.storage)
        parts = _Parts(
            request,
            observer,
            stop,
            database,
            task=open_task(request.task, request.data),
            space=load_space(request.space, request.pins),
            profile=load_profile(request.hw, progress=lambda done, text: observer.note(text)),
        )
        with database.lease(request.name) as lease, database.explained():
            _Search(parts, lease, began).run()
    return SearchResult(request.name, database.url, result_document(summarize(database, request.name)))


@dataclass(frozen=True)
class _Parts:
    request: SearchRequest
    observer: Observer
    stop: StopRequest
    database: Database
    task: Task
    space: Space
    profile: Profile


class _Search:
    """One run of a study, from where the last one ended."""

    def __init__(self, parts: _Parts, lease: Lease, began: float) -> None:
        self.parts = parts
        self.request = parts.request
        self.lease = lease
        self.name = parts.request.name
        self.files = Files(parts.database.files / self.name)
        self.record, self.extension = open_record(parts.database, parts.request, parts.task, parts.space, parts.profile)
        self.clock = Clock(self.record.seconds, self.record.budget, began)
        self.rungs = rung_epochs(parts.space.search_epochs, len(parts.task.train))
        self.workers = parts.request.worker_count()

    def run(self) -> None:
        if self.record.state == "done" and not self.extension:
            used = f"{duration(self.clock.spent)} of {duration(self.record.budget)}"
            self.parts.observer.note(f"study {self.name} is finished, {used} used; --extend 2h adds to it")
            return
        try:
            self._run()
        finally:
            self.clock.save(self.parts.database, self.name)

    def _run(self) -> None:
        pricing = Pricing(self.parts.task, self.parts.profile)
        self._tell("prepare", "pricing a sample of the space")
        survey(self.parts.space, pricing, self.request.limits, self.request.seed)  # or there is nothing to search
        taught = self._teach()
        storage = self.parts.database.optuna()
        ledger = self._ledger(storage)
        setup = Setup(
            task=self.request.task,
            data=self.request.data,
            data_sha256=self.parts.task.sha256,
            teacher=taught.spec,
            teacher_sha256=taught.teacher.sha256,
            device=self.request.device,
        )
        with WorkerPool[Any](self.workers, setup, self.files.log) as pool:
            if self.record.settings.get("searched") != self.record.budget:
                self._search(ledger, pricing, taught, pool)
            self._pick(ledger, taught, pool, storage)
        seconds = self.clock.seconds()
        self._keep(state="done", settings={"rounds": {phase: seconds.get(phase, 0.0) for phase in ("search", "picks")}})

    # -- teacher ------------------------------------------------------------------------------------------------------

    def _teach(self) -> Taught:
        self.clock.enter("teacher")
        self._tell("teacher", "looking for the teacher")
        short: list[str] = []

        def watch(lesson: Lesson) -> bool:
            doing = f"training the teacher, epoch {lesson.epoch} of {lesson.epochs}"
            self._tell("teacher", doing, done=lesson.done)
            short[:] = filter(None, [self._too_short_for(lesson)])
            return bool(short) or bool(self.parts.stop)

        try:
            taught = find_teacher(self.parts.task, self.request.teacher, watch=watch, device=self.request.device)
        except Interrupted:
            raise UserError(short[0]) if short else self._interrupted() from None
        self._recognise({"teacher": taught.teacher.sha256})
        self._check_losses(taught)
        facts = {"accuracy": None, "sha256": taught.teacher.sha256}
        self._keep(settings={"teacher_facts": facts | self.record.settings.get("teacher_facts", {})})
        if self.extension:
            self.clock.budget = self.record.budget + self.extension
            self.record = replace(self.record, budget=self.clock.budget)
            self.extension = 0.0
            self._keep(state="open")
        return taught

    def _too_short_for(self, lesson: Lesson) -> str | None:
        """Why the budget does not even hold the teacher and one trial, with what would, or None."""
        if lesson.seconds_left is None or lesson.seconds_per_epoch is None:
            return None
        # A student's epoch costs at most about a teacher's: it hears one.
        trial = lesson.seconds_per_epoch * self.rungs[-1] + _WORKER_START_SECONDS
        if lesson.seconds_left + trial <= self.clock.left + self.extension:
            return None
        return (
            f"budget {duration(self.record.budget)} is too short: the teacher needs"
            f" {duration(lesson.seconds_left)} more and one trial of {self.rungs[-1]} epochs up to"
            f" {duration(trial)}; give at least {duration(self.clock.spent + lesson.seconds_left + trial)}"
            " (what the teacher learned so far is kept)"
        )

    def _check_losses(self, taught: Taught) -> None:
        """Refuse a space that this teacher cannot serve before a trial is spent on finding out."""
        if taught.teacher.stage_names():
            return
        rng = random.Random(self.request.seed)
        samples = [self.parts.space.sample(rng) for _ in range(_LOSS_SAMPLES)]
        used = {name for recipe in samples for name, _ in recipe.distill.losses.active()}
        unserved = sorted(name for name in used if CONTRACTS[name].inputs in ("maps", "embeddings"))
        if unserved:
            pins = " ".join(f"--set distill.losses.{name}=null" for name in unserved)
            raise UserError(
                f"the teacher gives logits only, but space {self.request.space} also uses {', '.join(unserved)};"
                f" leave them out: {pins}"
            )

    # -- search -------------------------------------------------------------------------------------------------------

    def _ledger(self, storage: optuna.storages.RDBStorage) -> Ledger:
        before = 0
        if self.name in optuna.get_all_study_names(storage):
            before = len(optuna.load_study(study_name=self.name, storage=storage).get_trials(deepcopy=False))
        return Ledger(storage, self.name, self.rungs, multivariate_tpe(self.request.seed + before))

    def _search(self, ledger: Ledger, pricing: Pricing, taught: Taught, pool: WorkerPool[Any]) -> None:
        self.clock.enter("search")
        fixed = {
            "task": self.parts.task.reference.model_dump(exclude_none=True),
            "teacher": taught.reference.model_dump(exclude_none=True),
            "hw": self.request.hw,
            "seed": self.request.seed,
        }
        supply = Supply(ledger, self.parts.space, pricing, self.request.limits, fixed)
        phase = SearchPhase(
            ledger,
            supply,
            pool,
            self.files,
            self.clock,
            self.parts.stop,
            self.workers,
            self.request.disk,
            self.record.settings.get("rounds", {}),
            len(self.parts.task.train),
        )
        try:
            while not phase.over and not phase.idle:
                phase.step()
                self._tell_search(phase, ledger)
            while pool.running and not self.parts.stop and phase.full is None:
                phase.take(pool.wait(_WAIT_SECONDS))  # their own deadline ends them within a step
                self._tell_search(phase, ledger)
                if phase.left < -_OVERDUE_SECONDS:
                    phase.abandon()
        finally:
            if pool.running:
                phase.take(pool.stop())
        if self.parts.stop:
            raise self._interrupted()
        if phase.full is not None:
            raise UserError(f"{phase.full}; make room and run the same command to go on")
        if not ledger.complete():
            raise UserError(self._too_short(ledger, supply))
        phase.close("the search ended")
        self._keep(settings={"searched": self.record.budget})

    def _too_short(self, ledger: Ledger, supply: Supply) -> str:
        if supply.exhausted and not ledger.candidates:
            return "the search space holds no candidate within the limits that the budget can train"
        known = ledger.seconds_per_epoch()
        trial = min(known) * self.rungs[-1] if known else 2 * self.clock.seconds()["search"]
        cost = "takes about" if known else "takes more than"
        return (
            f"budget {duration(self.record.budget)} is too short: no trial reached {self.rungs[-1]} epochs, one"
            f" {cost} {duration(trial)}; add at least {duration(2 * trial)} with --extend"
        )

    # -- picks --------------------------------------------------------------------------------------------------------

    def _pick(self, ledger: Ledger, taught: Taught, pool: WorkerPool[Any], storage: optuna.storages.RDBStorage) -> None:
        self.clock.enter("picks")
        picks = self._choose(ledger)
        phase = PickPhase(
            picks,
            self.name,
            digest([self.parts.task.sha256, taught.teacher.sha256]),
            self.parts.database,
            pool,
            self.files,
            self.clock,
            self.parts.stop,
            REPORT_SECONDS,
            len(self.parts.task.test) / len(self.parts.task.train),
        )
        try:
            while phase.step() and not self.parts.stop:
                doing = f"distilling picks and their arms in full, {phase.done} trainings done"
                self._tell("picks", doing, ledger)
        finally:
            if self.parts.stop:
                phase.take_all(pool.stop())
        if self.parts.stop:
            raise self._interrupted()
        self._tell("picks", "reading the test split", ledger)
        teacher_accuracy = phase.test(self._beat).get(TEACHER)
        if self.parts.stop:
            raise self._interrupted()
        self._keep(settings={"teacher_facts": self.record.settings["teacher_facts"] | {"accuracy": teacher_accuracy}})
        publisher = Publisher(
            self.parts.database, storage, self.name, self.parts.task, self.parts.profile, teacher_accuracy
        )
        delivered = [(pick, found) for pick in picks if (found := measured(pick)) is not None]
        if not delivered and phase.failures:
            raise UserError(f"no pick could be distilled in full: {phase.failures[0]}")
        if not delivered:
            self.parts.observer.note("the time left held no full distillation of a pick; --extend gives more")
        for pick, found in delivered:
            self._tell("picks", f"delivering trial {pick.candidate.number}", ledger)
            run = phase.delivered(pick)
            entry = found | {"round": self.record.budget}
            publisher.pick(entry, run.recipe, phase.weights(run), self.files.pick(pick.candidate.number))
        self._tell("picks", "writing the report", ledger)
        self.clock.save(self.parts.database, self.name)
        publisher.report()

    def _choose(self, ledger: Ledger) -> list[Pick]:
        points = ledger.complete()
        front = pareto_front(points)
        picks = []
        for point in choose_picks(points, MOST_PICKS):
            candidate = ledger.candidates[point.trial]
            per_epoch = candidate.seconds_per_epoch(self.rungs) or 0.0
            picks.append(Pick(candidate, _role(point, front), self.request.seed, per_epoch))
        return picks

    def _interrupted(self) -> Interrupted:
        again = "the same command goes on" + (" (without --extend: the time is added)" if self.request.extend else "")
        return Interrupted(f"stopped; nothing finished is lost, {again} with study {self.name}")

    # -- record -------------------------------------------------------------------------------------------------------

    def _recognise(self, more: Mapping[str, Any]) -> None:
        refuse_another(self.record, more)
        self.record = replace(self.record, identity={**self.record.identity, **more})
        self._keep()

    def _keep(self, *, state: str | None = None, settings: Mapping[str, Any] | None = None) -> None:
        self.record = replace(
            self.record,
            seconds=self.clock.seconds(),
            state=state or self.record.state,
            settings={**self.record.settings, **(settings or {})},
        )
        self.parts.database.save_study(self.record)

    # -- telling ------------------------------------------------------------------------------------------------------

    def _tell_search(self, phase: SearchPhase, ledger: Ledger) -> None:
        self._tell("search", f"training {ledger.count('running')} candidates", ledger, split=vars(phase.split))

    def _beat(self) -> None:
        self.clock.beat(self.parts.database, self.name, self.lease)

    def _tell(
        self,
        phase: str,
        doing: str,
        ledger: Ledger | None = None,
        done: float | None = None,
        split: Mapping[str, float] | None = None,
    ) -> None:
        self._beat()
        self.parts.observer.update(
            Snapshot(
                phase=phase,
                doing=doing,
                spent=self.clock.spent,
                budget=self.clock.budget,
                split=split or {},
                counts={} if ledger is None else ledger.counts(),
                front=() if ledger is None else ledger.front(),
                done=done,
            )
        )


def _role(point: Point, front: Sequence[Point]) -> str:
    if point == knee(front):
        return "knee"
    return "best" if point == front[-1] else "fastest" if point == front[0] else "between"
