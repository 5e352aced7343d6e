"""What the user leaves with: ONNX, weights, recipe, model card, report."""

from automl_kd.delivery._accuracy_report import accuracy_report
from automl_kd.delivery._arms import Arms
from automl_kd.delivery._deliver import Delivered, deliver
from automl_kd.delivery._facts import Datasheet, Facts, Measured
from automl_kd.delivery._figures import front_figure, growth_figure, progress_figure
from automl_kd.delivery._folder import check_replaceable
from automl_kd.delivery._model_card import model_card
from automl_kd.delivery._student_report import student_report
from automl_kd.delivery._study_report import study_report
from automl_kd.delivery._understood import teacher_rows, understood_rows

__all__ = [
    "Arms",
    "Datasheet",
    "Delivered",
    "Facts",
    "Measured",
    "accuracy_report",
    "check_replaceable",
    "deliver",
    "front_figure",
    "growth_figure",
    "model_card",
    "progress_figure",
    "student_report",
    "study_report",
    "teacher_rows",
    "understood_rows",
]
