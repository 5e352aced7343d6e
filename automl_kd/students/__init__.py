"""Students: the recipe's ``student`` part as a plan of hashable blocks, and the plan as a module."""

from automl_kd.students._plan import PROJECTOR, Block, Plan, Shape
from automl_kd.students._processor import avoid_wrong_gradients
from automl_kd.students._student import StudentModule, build, plan
from automl_kd.students._synflow import synflow
from automl_kd.students._taps import Taps
from automl_kd.students._weights import load_weights, save_weights

__all__ = [
    "PROJECTOR",
    "Block",
    "Plan",
    "Shape",
    "StudentModule",
    "Taps",
    "build",
    "load_weights",
    "plan",
    "save_weights",
    "synflow",
]

avoid_wrong_gradients()
