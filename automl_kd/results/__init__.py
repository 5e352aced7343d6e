"""What a study found, as types: JSON is their dump; report, command line and service read them."""

from automl_kd.results.base import Error, Metrics, defined
from automl_kd.results.delivery import Bench, Check, Outcome, TimedFile, Verification
from automl_kd.results.form import Flash, FloatOperators, ShippedFile
from automl_kd.results.pick import (
    ARMS,
    Arm,
    ArmResult,
    Gain,
    PickResult,
    PlainKdSetting,
    UndistilledPick,
    compared_arms,
)
from automl_kd.results.progress import Observer, Snapshot, naming, sharing
from automl_kd.results.study import (
    CommonValue,
    CommonValues,
    FailureCount,
    HoleImportance,
    LimitsResult,
    PhaseSeconds,
    StudyResult,
    StudyReview,
    StudySummary,
    TeacherResult,
    TrialCounts,
)
from automl_kd.results.trial import HistoryRow, Price, RecipeDocument, StoppedTrial, TrialResult

__all__ = [
    "ARMS",
    "Arm",
    "ArmResult",
    "Bench",
    "Check",
    "CommonValue",
    "CommonValues",
    "Error",
    "FailureCount",
    "Flash",
    "FloatOperators",
    "Gain",
    "HistoryRow",
    "HoleImportance",
    "LimitsResult",
    "Metrics",
    "Observer",
    "Outcome",
    "PhaseSeconds",
    "PickResult",
    "PlainKdSetting",
    "Price",
    "RecipeDocument",
    "ShippedFile",
    "Snapshot",
    "StoppedTrial",
    "StudyResult",
    "StudyReview",
    "StudySummary",
    "TeacherResult",
    "TimedFile",
    "TrialCounts",
    "TrialResult",
    "UndistilledPick",
    "Verification",
    "compared_arms",
    "defined",
    "naming",
    "sharing",
]
