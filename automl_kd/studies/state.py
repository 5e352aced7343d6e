"""What a study keeps beside its trials: what was asked for, and how far it is; both typed and versioned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from automl_kd.objectives import Objective
from automl_kd.results import LimitsResult, TeacherResult, UndistilledPick
from automl_kd.storage import StudyRecord

ACCURACY = Objective("accuracy", "maximize", "%")
LATENCY = Objective("latency_ms", "minimize", "ms", known=True)
_PROGRESS = "progress"


class DeployedForm(BaseModel):
    """How a search space was made to ship what its device runs.

    Attributes:
        compress: The stages that it was given, as plain data; None where it was given none.
        without: Options, by the name of their hole, that the device or no student could hold.
    """

    model_config = ConfigDict(frozen=True)

    compress: list[dict[str, Any]] | None = None
    without: dict[str, list[Any]] = Field(default_factory=dict)


class StudySettings(BaseModel):
    """What a study was begun with, so that every verb finds its task, space and device again.

    Attributes:
        task: As the user named it.
        data: Data instead of those that the task names.
        teacher: Teacher instead of the task's.
        space: As the user named it.
        pins: Holes that were filled.
        hw: As the user named it.
        limits: What a candidate may cost.
        seed: Of sampler and students.
        device: Where students train.
        executor: Who trains them.
        objectives: The score first, then prices; what studies of version 0.1 had is the default.
        metrics: All that are reported, the one that is searched first.
        without: Options of the space, by the name of their hole, that no student could start with; None where a
            study was begun before that was kept.
        form: How the space was made to ship what the device runs; None where a study was begun before that was done.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    task: str
    data: str | None = None
    teacher: str | None = None
    space: str
    pins: tuple[str, ...] = ()
    hw: str
    limits: LimitsResult = LimitsResult()
    seed: int = 0
    device: str = "auto"
    executor: str = "process"
    objectives: tuple[Objective, ...] = (ACCURACY, LATENCY)
    metrics: tuple[Objective, ...] = (ACCURACY,)
    without: dict[str, list[Any]] | None = None
    form: DeployedForm | None = None


class FullEpochs(BaseModel):
    """What full distillations of a round were cut to; None where the time left held them as they should be."""

    model_config = ConfigDict(frozen=True)

    round: int
    most: int | None


class StudyProgress(BaseModel):
    """How far a study is.

    Attributes:
        version: Of this layout.
        round: The round under way, from 1; a study that is given more time after its picks begins another.
        searched: The last round whose search came to its end, 0 before the first.
        spent: Seconds of the rounds before, by phase (``search``, ``picks``).
        workers: How many trainings ran at a time when it was driven last.
        understood: What was read of task and teacher.
        teacher: What is known of the teacher.
        teacher_cost: What the teacher costs on this machine, as it was measured.
        full_epochs: What full distillations of the round are cut to, once decided.
        undistilled: Picks of the round that the time did not hold.
        measured: Latency in ms measured on the device, by trial.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    version: Literal[1] = 1
    round: int = 1
    searched: int = 0
    spent: dict[str, float] = Field(default_factory=dict)
    workers: int = 0
    understood: dict[str, Any] | None = None
    teacher: TeacherResult = TeacherResult()
    teacher_cost: dict[str, Any] | None = None
    full_epochs: FullEpochs | None = None
    undistilled: tuple[UndistilledPick, ...] = ()
    measured: dict[int, float] = Field(default_factory=dict)

    @classmethod
    def of(cls, record: StudyRecord) -> Self:
        """That of a study, also of one that version 0.1 began: its rounds were known by their budget."""
        kept = record.settings.get(_PROGRESS)
        return cls.model_validate(kept) if kept is not None else cls._of_0_1(record)

    @classmethod
    def _of_0_1(cls, record: StudyRecord) -> Self:
        kept: Mapping[str, Any] = record.settings
        teacher = kept.get("teacher_facts", {})
        accuracy, validation = teacher.get("accuracy"), teacher.get("validation_accuracy")
        cut = kept.get("full_epochs", {})
        return cls(
            searched=int(kept.get("searched") == record.budget),
            spent=kept.get("rounds", {}),
            workers=kept.get("workers", 0),
            understood=kept.get("understood"),
            teacher=TeacherResult(
                sha256=teacher.get("sha256"),
                score=accuracy,
                metrics={} if accuracy is None else {ACCURACY.name: accuracy},
                validation_score=validation,
                validation_metrics={} if validation is None else {ACCURACY.name: validation},
            ),
            teacher_cost=kept.get("teacher_cost"),
            full_epochs=FullEpochs(round=1, most=cut["most"]) if cut.get("round") == record.budget else None,
            undistilled=kept.get("undistilled", ()),
            measured=kept.get("measured", {}),
        )


def settings_of(record: StudyRecord) -> StudySettings:
    """What a study was begun with."""
    return StudySettings.model_validate(dict(record.settings))


def with_state(record: StudyRecord, settings: StudySettings, progress: StudyProgress) -> StudyRecord:
    """A record that holds these, as they are stored."""
    kept = settings.model_dump(mode="json") | {_PROGRESS: progress.model_dump(mode="json")}
    return replace(record, settings=kept)
