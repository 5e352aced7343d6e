"""Students: the recipe's ``student`` part as a plan of hashable blocks, and the plan as a module."""

from automl_kd.recipes.students import PRETRAINED
from automl_kd.students.brought.timm import timm_module, timm_network
from automl_kd.students.brought.transformers import silent, transformers_network
from automl_kd.students.families.brought import Brought
from automl_kd.students.families.mobilenet import MobileNet
from automl_kd.students.families.resnet import ResNet, ResNetStem
from automl_kd.students.family import FAMILIES, Family, Inherited, Published
from automl_kd.students.image_transform import ImageTransform
from automl_kd.students.layers import ConvNorm, LabelUnit, head, label_units
from automl_kd.students.plans import HEAD, PROJECTOR, Block, Plan, Shape
from automl_kd.students.processor import avoid_wrong_gradients
from automl_kd.students.student import StudentModule, build, plan
from automl_kd.students.synflow_score import synflow
from automl_kd.students.taps import Taps
from automl_kd.students.weights import checkpoint
from automl_kd.students.weights.files import (
    MissingWeightsError,
    at_hand,
    find_weights,
    keep_weights,
    weights_in,
)
from automl_kd.students.weights.own import load_weights, save_weights
from automl_kd.students.weights.starting import Beginning, beginning, pinned, start

__all__ = [
    "FAMILIES",
    "HEAD",
    "PRETRAINED",
    "PROJECTOR",
    "Beginning",
    "Block",
    "Brought",
    "ConvNorm",
    "Family",
    "ImageTransform",
    "Inherited",
    "LabelUnit",
    "MissingWeightsError",
    "MobileNet",
    "Plan",
    "Published",
    "ResNet",
    "ResNetStem",
    "Shape",
    "StudentModule",
    "Taps",
    "at_hand",
    "beginning",
    "build",
    "checkpoint",
    "find_weights",
    "head",
    "keep_weights",
    "label_units",
    "load_weights",
    "pinned",
    "plan",
    "save_weights",
    "silent",
    "start",
    "synflow",
    "timm_module",
    "timm_network",
    "transformers_network",
    "weights_in",
]

avoid_wrong_gradients()
