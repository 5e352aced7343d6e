"""Teachers of any form, the feature maps that they show, and their outputs kept for all who learn from them."""

from automl_kd.teachers.cache import DEFAULT_LIMIT, TargetCache
from automl_kd.teachers.load import KeptTeacher, LoadableTeacher, load_teacher
from automl_kd.teachers.module import module_teacher
from automl_kd.teachers.reading import TeacherReading, read_teacher
from automl_kd.teachers.several import MultiTeacher
from automl_kd.teachers.store import TeacherStore
from automl_kd.teachers.targets import OutputCost, TeacherCost, decide_targets, measure_cost
from automl_kd.teachers.teacher import Outputs, Teacher, Understood
from automl_kd.teachers.tokens import tokens_to_map

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
