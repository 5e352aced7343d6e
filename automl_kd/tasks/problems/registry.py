"""The problem types by name."""

from __future__ import annotations

from automl_kd.core import Registry
from automl_kd.tasks.problems.problem import Problem

PROBLEMS: Registry[type[Problem]] = Registry(
    "problem type", home="automl_kd.tasks.problems", first=("multiclass", "multilabel", "regression")
)
"""What ``problem`` of a task file may name."""
