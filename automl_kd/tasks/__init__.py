"""What is learned: data in three splits, their metric, and how images reach a network."""

from automl_kd.tasks._augment import Views
from automl_kd.tasks._mix import Mix, draw_mix
from automl_kd.tasks._open import open_task, task_names
from automl_kd.tasks._randomness import generator
from automl_kd.tasks._stored import open_array, writing_array
from automl_kd.tasks._task import Split, Task
from automl_kd.tasks._teacher import (
    CheckpointTeacher,
    OnnxTeacher,
    TeacherSpec,
    TeacherTraining,
    TrainedTeacher,
    parse_teacher,
)

__all__ = [
    "CheckpointTeacher",
    "Mix",
    "OnnxTeacher",
    "Split",
    "Task",
    "TeacherSpec",
    "TeacherTraining",
    "TrainedTeacher",
    "Views",
    "draw_mix",
    "generator",
    "open_array",
    "open_task",
    "parse_teacher",
    "task_names",
    "writing_array",
]
