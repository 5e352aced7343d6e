"""Teachers of any form, the feature maps that they show, and their outputs kept for all who learn from them."""

from automl_kd.teachers._cache import CachedOutputs, cached_outputs
from automl_kd.teachers._load import KeptTeacher, LoadableTeacher, load_teacher
from automl_kd.teachers._module import module_teacher
from automl_kd.teachers._several import MultiTeacher
from automl_kd.teachers._store import TeacherStore
from automl_kd.teachers._teacher import Outputs, Teacher
from automl_kd.teachers._tokens import tokens_to_map

__all__ = [
    "CachedOutputs",
    "KeptTeacher",
    "LoadableTeacher",
    "MultiTeacher",
    "Outputs",
    "Teacher",
    "TeacherStore",
    "cached_outputs",
    "load_teacher",
    "module_teacher",
    "tokens_to_map",
]
