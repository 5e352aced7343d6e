"""Teachers of any form, the feature maps that they show, and their outputs kept for all who learn from them."""

from automl_kd.teachers.answers import Opened, OpenedTeacher
from automl_kd.teachers.cache import DEFAULT_LIMIT, TargetCache
from automl_kd.teachers.encoder import student_of
from automl_kd.teachers.form import TEACHER_FORMS, Source, TeacherForm
from automl_kd.teachers.forms.checkpoint import CheckpointTeacher
from automl_kd.teachers.forms.onnx import OnnxTeacher
from automl_kd.teachers.forms.program import ProgramTeacher
from automl_kd.teachers.forms.timm import TimmTeacher
from automl_kd.teachers.forms.transformers import TransformersTeacher
from automl_kd.teachers.load import KeptTeacher, LoadableTeacher, kept_teacher, load_teacher
from automl_kd.teachers.module import module_teacher
from automl_kd.teachers.rating import EncoderReading, ScoredReading, TeacherReading
from automl_kd.teachers.rating_classes import ClassifierReading
from automl_kd.teachers.reading import read_teacher
from automl_kd.teachers.seen import shown_as_student
from automl_kd.teachers.several import MultiTeacher
from automl_kd.teachers.store import TeacherStore
from automl_kd.teachers.stored_outputs import mean_of
from automl_kd.teachers.targets import OutputCost, TeacherCost, decide_targets, measure_cost
from automl_kd.teachers.teacher import Outputs, Teacher, Understood
from automl_kd.teachers.tokens import tokens_to_map
from automl_kd.teachers.transformed import TransformedTeacher

__all__ = [
    "DEFAULT_LIMIT",
    "TEACHER_FORMS",
    "CheckpointTeacher",
    "ClassifierReading",
    "EncoderReading",
    "KeptTeacher",
    "LoadableTeacher",
    "MultiTeacher",
    "OnnxTeacher",
    "Opened",
    "OpenedTeacher",
    "OutputCost",
    "Outputs",
    "ProgramTeacher",
    "ScoredReading",
    "Source",
    "TargetCache",
    "Teacher",
    "TeacherCost",
    "TeacherForm",
    "TeacherReading",
    "TeacherStore",
    "TimmTeacher",
    "TransformedTeacher",
    "TransformersTeacher",
    "Understood",
    "decide_targets",
    "kept_teacher",
    "load_teacher",
    "mean_of",
    "measure_cost",
    "module_teacher",
    "read_teacher",
    "shown_as_student",
    "student_of",
    "tokens_to_map",
]
