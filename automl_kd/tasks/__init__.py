"""What is learned: data in three splits, of a modality and a problem type, and their metrics."""

from typing import Any

from automl_kd.recipes import MODALITIES
from automl_kd.tasks.data.registry import DATA, DataKind
from automl_kd.tasks.labels import Labels
from automl_kd.tasks.metrics import (
    METRICS,
    MeanMetric,
    Metric,
    MetricSpec,
    RowMetric,
    SumMetric,
    metric_named,
    metrics_of,
)
from automl_kd.tasks.modalities import (
    Card,
    Fit,
    ImageFacts,
    Images,
    Mix,
    Modality,
    Resolution,
    Shown,
    Texts,
    Transform,
    Views,
)
from automl_kd.tasks.names_of_0_1 import teacher_form
from automl_kd.tasks.open import CheckedTask, check_task, data_place, open_task, task_names
from automl_kd.tasks.place import data_at
from automl_kd.tasks.portable import portable_task
from automl_kd.tasks.problems import PROBLEMS, Multiclass, Multilabel, Problem, ReadLabels, Regression
from automl_kd.tasks.randomness import generator
from automl_kd.tasks.reading import DataReading, Found, LeftOut
from automl_kd.tasks.source import Data, Source
from automl_kd.tasks.split import Examples, Split, StoredExamples
from automl_kd.tasks.stored import open_array, writing_array
from automl_kd.tasks.table import Table, is_table
from automl_kd.tasks.task import Task
from automl_kd.tasks.task_text import task_text
from automl_kd.tasks.teacher import (
    TEACHER_FORMS,
    BroughtTeacher,
    FineTuning,
    OneTeacher,
    OutputKind,
    TeacherInput,
    TeacherSpec,
    TeacherTraining,
    TrainedTeacher,
    moved_to,
    place_of,
    shows_features_only,
)
from automl_kd.tasks.teacher_text import found_anywhere, parse_teacher

__all__ = [
    "DATA",
    "METRICS",
    "MODALITIES",
    "PROBLEMS",
    "TEACHER_FORMS",
    "BroughtTeacher",
    "Card",
    "CheckedTask",
    "Data",
    "DataKind",
    "DataReading",
    "Examples",
    "FineTuning",
    "Fit",
    "Found",
    "ImageFacts",
    "Images",
    "Labels",
    "LeftOut",
    "MeanMetric",
    "Metric",
    "MetricSpec",
    "Mix",
    "Modality",
    "Multiclass",
    "Multilabel",
    "OneTeacher",
    "OutputKind",
    "Problem",
    "ReadLabels",
    "Regression",
    "Resolution",
    "RowMetric",
    "Shown",
    "Source",
    "Split",
    "StoredExamples",
    "SumMetric",
    "Table",
    "Task",
    "TeacherInput",
    "TeacherSpec",
    "TeacherTraining",
    "Texts",
    "TrainedTeacher",
    "Transform",
    "Views",
    "check_task",
    "data_at",
    "data_place",
    "found_anywhere",
    "generator",
    "is_table",
    "metric_named",
    "metrics_of",
    "moved_to",
    "open_array",
    "open_task",
    "parse_teacher",
    "place_of",
    "portable_task",
    "shows_features_only",
    "task_names",
    "task_text",
    "writing_array",
]


def __getattr__(name: str) -> Any:
    found = teacher_form(name)
    if found is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return found
