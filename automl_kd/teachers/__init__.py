"""Teachers of any form, the feature maps that they show, and their outputs kept for all who learn from them."""

from automl_kd.teachers._cache import DEFAULT_LIMIT, TargetCache
from automl_kd.teachers._load import KeptTeacher, LoadableTeacher, load_teacher
from automl_kd.teachers._module import module_teacher
from automl_kd.teachers._reading import TeacherReading, read_teacher
from automl_kd.teachers._several import MultiTeacher
from automl_kd.teachers._store import TeacherStore
from automl_kd.teachers._targets import OutputCost, TeacherCost, decide_targets, measure_cost
from automl_kd.teachers._teacher import Outputs, Teacher, Understood
from automl_kd.teachers._tokens import tokens_to_map

__all__ = [
    "DEFAULT_LIMIT",
    "KeptTeacher",
    "LoadableTeacher",
    "MultiTeacher",
    "OutputCost",
    "Outputs",
    "TargetCache",
    "Teacher",
    "TeacherCost",
    "TeacherReading",
    "TeacherStore",
    "Understood",
    "decide_targets",
    "load_teacher",
    "measure_cost",
    "module_teacher",
    "read_teacher",
    "tokens_to_map",
]
