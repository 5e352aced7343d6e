"""What all parts of a running study share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from optuna.storages import RDBStorage

from automl_kd.core import Interrupted, duration
from automl_kd.results import Observer, Snapshot
from automl_kd.storage import Database, Lease
from automl_kd.studies.clock import Clock, StopRequest
from automl_kd.studies.objectives import StudyObjectives
from automl_kd.studies.preparation import Preparation
from automl_kd.studies.record import StudyBook
from automl_kd.studies.request import SearchRequest
from automl_kd.studies.study_files import StudyFiles
from automl_kd.studies.trials import TrialStore
from automl_kd.studies.wishes import Wishes


@dataclass(frozen=True)
class StudyInputs:
    """What a study is driven with.

    Attributes:
        request: What was asked for.
        observer: Told what happens.
        stop: The user's wish to stop.
        database: Where the study is.
        prepared: What was read and checked.
        wishes: What somebody wants of it while it runs.
    """

    request: SearchRequest
    observer: Observer
    stop: StopRequest
    database: Database
    prepared: Preparation
    wishes: Wishes = field(default_factory=Wishes)


@dataclass(frozen=True)
class StudyContext:
    """The study at hand.

    Attributes:
        inputs: What it is driven with.
        lease: What keeps other processes from driving it.
        storage: Optuna's view of its database.
        files: What is too large for the database.
        clock: Time used and left.
        book: What is kept of it beside its trials.
    """

    inputs: StudyInputs
    lease: Lease
    storage: RDBStorage
    files: StudyFiles
    clock: Clock
    book: StudyBook

    @property
    def name(self) -> str:
        """Of the study."""
        return self.request.name

    @property
    def request(self) -> SearchRequest:
        """What was asked for."""
        return self.inputs.request

    @property
    def prepared(self) -> Preparation:
        """What was read and checked."""
        return self.inputs.prepared

    @property
    def database(self) -> Database:
        """Where the study is."""
        return self.inputs.database

    @property
    def observer(self) -> Observer:
        """Told what happens."""
        return self.inputs.observer

    @property
    def stop(self) -> StopRequest:
        """The user's wish to stop."""
        return self.inputs.stop

    @property
    def wishes(self) -> Wishes:
        """What somebody wants of the study while it runs."""
        return self.inputs.wishes

    @property
    def objectives(self) -> StudyObjectives:
        """What the study is of."""
        return self.prepared.objectives

    def take_more_time(self, pending: float = 0.0) -> None:
        """Take over a larger budget where one is wished for.

        Args:
            pending: Seconds that will be added to the budget once the teacher is recognised.
        """
        wished = self.wishes.budget
        if wished is not None and wished > self.clock.budget + pending:
            self.book.grow(wished - pending)
            self.observer.note(f"the budget is {duration(wished)} from now on")

    def beat(self) -> None:
        """Save the time used and renew the lease, at most once a second."""
        self.clock.beat(self.database, self.name, self.lease)

    def tell(
        self,
        phase: str,
        doing: str,
        trials: TrialStore | None = None,
        *,
        done: float | None = None,
        split: Mapping[str, float] | None = None,
    ) -> None:
        """Tell the observer where the study is, and renew its lease.

        Args:
            phase: ``teacher``, ``search`` or ``picks``.
            doing: What is happening, in a few words.
            trials: The candidates, once there are any.
            done: Share of the phase that is done, where it is known.
            split: Seconds planned by phase.
        """
        self.beat()
        self.observer.update(
            Snapshot(
                phase=phase,
                doing=doing,
                spent=self.clock.spent,
                budget=self.clock.budget,
                split=split or {},
                counts={} if trials is None else trials.counts(),
                objectives=self.objectives.all,
                front=() if trials is None else trials.front(),
                done=done,
            )
        )

    def interrupted(self) -> Interrupted:
        """What to raise once the user has asked to stop, or for more time while picks are distilled."""
        if self.stop.for_more_time:
            return Interrupted(
                f"stopped for more time; nothing finished is lost, the same command with a larger --budget goes on with"
                f" another round of study {self.name}"
            )
        again = "the same command goes on" + (" (without --extend: the time is added)" if self.request.extend else "")
        return Interrupted(f"stopped; nothing finished is lost, {again} with study {self.name}")
