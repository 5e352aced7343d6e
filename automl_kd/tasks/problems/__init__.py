"""Problem types, one file each: what an output means, the task's own loss, the metrics."""

from automl_kd.tasks.problems.multiclass import Multiclass
from automl_kd.tasks.problems.multilabel import Multilabel
from automl_kd.tasks.problems.problem import Problem, ReadLabels
from automl_kd.tasks.problems.registry import PROBLEMS
from automl_kd.tasks.problems.regression import Regression

__all__ = ["PROBLEMS", "Multiclass", "Multilabel", "Problem", "ReadLabels", "Regression"]
