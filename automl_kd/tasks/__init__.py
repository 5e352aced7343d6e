"""What is learned: data in three splits, their metrics, and how images reach a network."""

from automl_kd.tasks.metrics import Metric, metric_named, metrics_of
from automl_kd.tasks.modalities import Card, ImageFacts, Images, Mix, Modality, Shown, Transform, Views
from automl_kd.tasks.open import data_place, open_task, task_names
from automl_kd.tasks.problems import Multiclass, Problem
from automl_kd.tasks.randomness import generator
from automl_kd.tasks.reading import DataReading, LeftOut
from automl_kd.tasks.split import Split
from automl_kd.tasks.stored import open_array, writing_array
from automl_kd.tasks.task import Task
from automl_kd.tasks.teacher import (
    TEACHER_FORMS,
    BroughtTeacher,
    OneTeacher,
    OutputKind,
    TeacherInput,
    TeacherSpec,
    TeacherTraining,
    TrainedTeacher,
    moved_to,
    place_of,
)
from automl_kd.tasks.teacher_text import found_anywhere, parse_teacher

__all__ = [
    "TEACHER_FORMS",
    "BroughtTeacher",
    "Card",
    "DataReading",
    "ImageFacts",
    "Images",
    "LeftOut",
    "Metric",
    "Mix",
    "Modality",
    "Multiclass",
    "OneTeacher",
    "OutputKind",
    "Problem",
    "Shown",
    "Split",
    "Task",
    "TeacherInput",
    "TeacherSpec",
    "TeacherTraining",
    "TrainedTeacher",
    "Transform",
    "Views",
    "data_place",
    "found_anywhere",
    "generator",
    "metric_named",
    "metrics_of",
    "moved_to",
    "open_array",
    "open_task",
    "parse_teacher",
    "place_of",
    "task_names",
    "writing_array",
]
