"""The recipe, the one document that all rooms read, and the search space, the same document with holes."""

from typing import TYPE_CHECKING, Any

from automl_kd.recipes import custom_code, losses, schedules, schema, students
from automl_kd.recipes.augmentations import MODALITIES, mixing_among
from automl_kd.recipes.differences import Difference, differences
from automl_kd.recipes.documents import parse_text, parse_yaml, to_yaml, validate
from automl_kd.recipes.files import custom_files, load_recipe, pin_code, save_recipe
from automl_kd.recipes.holes import Categorical, Float, Hole, Integer, Value
from automl_kd.recipes.losses import FeatureLoss, Loss, LossesPart
from automl_kd.recipes.model_space import frozen_model
from automl_kd.recipes.one_of import OneOf
from automl_kd.recipes.part import Part
from automl_kd.recipes.schedules import Curriculum, HandOver, Schedule
from automl_kd.recipes.schema import (
    FLOAT32,
    SGD,
    STAGES,
    AdamW,
    Distill,
    Precision,
    Recipe,
    StagePart,
    TaskReference,
    TeacherReference,
    Train,
    digest,
)
from automl_kd.recipes.space import Encoding, InvalidCombinationError, Space, describe_space, load_space, space_names
from automl_kd.recipes.students import FAMILIES, ModelSpace, Projector, Start, Student, StudentPart

if TYPE_CHECKING:
    from automl_kd.recipes.losses import LossesPart as Losses

__all__ = [
    "FAMILIES",
    "FLOAT32",
    "MODALITIES",
    "SGD",
    "STAGES",
    "AdamW",
    "Categorical",
    "Curriculum",
    "Difference",
    "Distill",
    "Encoding",
    "FeatureLoss",
    "Float",
    "HandOver",
    "Hole",
    "Integer",
    "InvalidCombinationError",
    "Loss",
    "Losses",
    "LossesPart",
    "ModelSpace",
    "OneOf",
    "Part",
    "Precision",
    "Projector",
    "Recipe",
    "Schedule",
    "Space",
    "StagePart",
    "Start",
    "Student",
    "StudentPart",
    "TaskReference",
    "TeacherReference",
    "Train",
    "Value",
    "custom_code",
    "custom_files",
    "describe_space",
    "differences",
    "digest",
    "frozen_model",
    "load_recipe",
    "load_space",
    "losses",
    "mixing_among",
    "parse_text",
    "parse_yaml",
    "pin_code",
    "save_recipe",
    "schedules",
    "schema",
    "space_names",
    "students",
    "to_yaml",
    "validate",
]


def __getattr__(name: str) -> Any:
    # Losses are registered by a room above: their class is made when it is first asked for.
    if name == "Losses":
        return losses.Losses
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
