"""Teachers of any form, the feature maps that they show, and their outputs kept for all who learn from them."""

from automl_kd.teachers._cache import CachedOutputs, cached_outputs
from automl_kd.teachers._load import load_teacher
from automl_kd.teachers._module import module_teacher
from automl_kd.teachers._store import TeacherStore
from automl_kd.teachers._teacher import Outputs, Teacher

__all__ = ["CachedOutputs", "Outputs", "Teacher", "TeacherStore", "cached_outputs", "load_teacher", "module_teacher"]
