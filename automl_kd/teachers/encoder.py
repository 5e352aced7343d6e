"""A brought network without its classifier: fine-tuned on a task, or asked for its features alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

import torch
from torch import Tensor, nn

from automl_kd.core import Signature, UserError
from automl_kd.recipes import Start, StudentPart
from automl_kd.students import HEAD, Brought, ImageTransform, build, start
from automl_kd.tasks import BroughtTeacher, Card, ImageFacts, Images, Task, place_of
from automl_kd.teachers.form import form_of_spec
from automl_kd.teachers.module import module_teacher
from automl_kd.teachers.teacher import Teacher, Understood
from automl_kd.teachers.transformed import TransformedTeacher

REMEDY = "say fine_tune: {} to train it on the task first, with a classifier of its own, or use: features to learn from its maps alone"
"""What a user does about a teacher that does not answer as the task asks."""
