"""What is learned: data in three splits, their metrics, and how images reach a network."""

from automl_kd.tasks.metrics import Metric, metric_named, metrics_of
from automl_kd.tasks.modalities import Images, Mix, Modality, Views
from automl_kd.tasks.open import data_place, open_task, task_names
from automl_kd.tasks.problems import Multiclass, Problem
from automl_kd.tasks.randomness import generator
from automl_kd.tasks.reading import DataReading, LeftOut
from automl_kd.tasks.split import Split
from automl_kd.tasks.stored import open_array, writing_array
from automl_kd.tasks.task import Task
from automl_kd.tasks.teacher import (
    BroughtTeacher,
    CheckpointTeacher,
    OneTeacher,
    OnnxTeacher,
    OutputKind,
    ProgramTeacher,
    TeacherInput,
    TeacherSpec,
    TeacherTraining,
    TimmTeacher,
    TrainedTeacher,
    TransformersTeacher,
    moved_to,
    place_of,
)
from automl_kd.tasks.teacher_text import found_anywhere, parse_teacher

__all__ = [
    "BroughtTeacher",
    "CheckpointTeacher",
    "DataReading",
    "Images",
    "LeftOut",
    "Metric",
    "Mix",
    "Modality",
    "Multiclass",
    "OneTeacher",
    "OnnxTeacher",
    "OutputKind",
    "Problem",
    "ProgramTeacher",
    "Split",
    "Task",
    "TeacherInput",
    "TeacherSpec",
    "TeacherTraining",
    "TimmTeacher",
    "TrainedTeacher",
    "TransformersTeacher",
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
