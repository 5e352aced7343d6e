"""Problem types, one file each: what an output means, the task's own loss, the metrics."""

from automl_kd.tasks.problems.multiclass import Multiclass
from automl_kd.tasks.problems.problem import Problem

__all__ = ["Multiclass", "Problem"]
