"""A study as a whole: what it is of, how far it is, and what it found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field, computed_field

from automl_kd.objectives import Direction, Objective
from automl_kd.results.base import ACCURACY, Metrics, Result
from automl_kd.results.pick import PickResult, UndistilledPick
from automl_kd.results.trial import HistoryRow, StoppedTrial, TrialResult


class TeacherResult(Result):
    """The teacher of a study."""

    accuracies: ClassVar[Mapping[str, str]] = {"accuracy": "metrics", "validation_accuracy": "validation_metrics"}

    sha256: str | None = Field(None, description="Hash of its weights.")
    score: float | None = Field(None, description="The metric that is searched, on the test split, read at the end.")
    metrics: Metrics = Field(default_factory=dict, description="All metrics on the test split.")
    validation_score: float | None = Field(None, description="The metric that is searched, on search-validation.")
    validation_metrics: Metrics = Field(default_factory=dict, description="All metrics on search-validation.")

    @computed_field(description="Accuracy on the test split, in [0, 1].")  # type: ignore[prop-decorator]
    @property
    def accuracy(self) -> float | None:
        return self.metrics.get(ACCURACY)

    @computed_field(description="Accuracy on search-validation, in [0, 1].")  # type: ignore[prop-decorator]
    @property
    def validation_accuracy(self) -> float | None:
        return self.validation_metrics.get(ACCURACY)


class TrialCounts(Result):
    """Numbers of candidates by what became of them."""

    complete: int = Field(description="Trained as long as a search trains.")
    pruned: int = Field(description="Given up at a lower rung.")
    failed: int = Field(description="Could not be trained.")
    running: int = Field(description="In training, or waiting at a rung.")


class PhaseSeconds(Result):
    """Seconds used, by phase."""

    budget: float = Field(description="Seconds in all.")
    total: float = Field(description="Seconds used.")
    prepare: float = Field(0.0, description="Reading, checking, pricing.")
    teacher: float = Field(0.0, description="Finding or training the teacher.")
    search: float = Field(0.0, description="Trials.")
    picks: float = Field(0.0, description="Full distillation, test and delivery.")


class StudyResult(Result):
    """What a study found: what ``search --json`` prints and ``automl_kd.search`` returns."""

    study: str = Field(description="Its name.")
    task: str = Field(description="What is learned.")
    hw: str = Field(description="The device.")
    space: str = Field(description="What is searched.")
    state: Literal["open", "done"] = Field(description="Whether its last round came to its end.")
    metric: str = Field(description="The metric that is searched: what every score is of.")
    direction: Direction = Field(description="Whether a larger or a smaller score is better.")
    metrics: tuple[Objective, ...] = Field(description="All that are reported, by name; the one searched first.")
    objectives: tuple[Objective, ...] = Field(description="What the front is of: the score first, then prices.")
    teacher: TeacherResult = Field(description="Who teaches.")
    understood: dict[str, Any] | None = Field(description="What was read of task and teacher.")
    screened: int = Field(description="Candidates over a limit, never trained.")
    trials: TrialCounts = Field(description="The others by what became of them.")
    front: tuple[TrialResult, ...] = Field(description="The Pareto front, best in the first known objective first.")
    picks: tuple[PickResult, ...] = Field(description="Points of the front that were distilled in full.")
    undistilled: tuple[UndistilledPick, ...] = Field(description="Picks that the time left did not hold.")
    seconds: PhaseSeconds = Field(description="Time used.")
    between_ms: float | None = Field(description="Median time of a worker between two trainings, ms.")
    storage: str = Field("", exclude=True, repr=False, description="Where the study is; it may hold a password.")

    @property
    def objective(self) -> Objective:
        """What scores are of, and how they are shown."""
        return self.objectives[0]


class LimitsResult(Result):
    """What a candidate may cost; None where anything goes."""

    max_latency_ms: float | None = Field(None, description="Predicted latency, ms.")
    max_params: float | None = Field(None, description="Parameters.")
    max_memory_bytes: float | None = Field(None, description="Weights and activations, bytes.")


class FailureCount(Result):
    """A reason why trials failed."""

    reason: str = Field(description="In one line.")
    count: int = Field(description="How many trials.")


class StudySummary(StudyResult):
    """All that storage says of a study: what ``status --json`` prints."""

    seed: int = Field(description="Of the sampler and the students' weights.")
    limits: LimitsResult = Field(description="What a candidate may cost.")
    complete: tuple[TrialResult, ...] = Field(description="All finished trials.")
    stopped: tuple[StoppedTrial, ...] = Field(description="Trials that ended, or wait, at a lower rung.")
    failures: tuple[FailureCount, ...] = Field(description="Why trials failed, the most frequent first.")
    history: tuple[HistoryRow, ...] = Field(description="Finished trials in the order in which they finished.")


class HoleImportance(Result):
    """How much a hole of the space decides, as shares; None where it could be chance."""

    hole: str = Field(description="Its path.")
    score: float | None = Field(description="Of the score.")
    front: float | None = Field(description="Of the front.")
    trials: int = Field(description="How many trials have it.")


class CommonValue(Result):
    """A value of a hole that the front has more often than all finished trials."""

    hole: str = Field(description="Path of the hole.")
    value: str = Field(description="The value, or the third of the range that it lies in.")
    chosen: int = Field(description="How many of the front have it.")
    of_chosen: int = Field(description="How many of the front have the hole.")
    count: int = Field(description="How many finished trials have it.")
    of_count: int = Field(description="How many finished trials have the hole.")
    p: float = Field(description="Chance of as many by luck, corrected for all that was looked at.")
    sure: bool = Field(description="Whether that is at most 5 %.")


class CommonValues(Result):
    """What the students of a front have in common."""

    looked_at: int = Field(description="Pairs of hole and value that were looked at.")
    values: tuple[CommonValue, ...] = Field(description="Those beyond chance, then those that most of the front share.")


class StudyReview(StudySummary):
    """A summary with what a report adds: which holes decide, and what the front has in common."""

    importance: tuple[HoleImportance, ...] = Field(description="Holes that decide, the most important first.")
    common: CommonValues = Field(description="Values that the front shares.")
