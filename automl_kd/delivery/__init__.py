"""What the user leaves with: ONNX, weights, recipe, model card, report."""

from automl_kd.delivery.arms import Arms
from automl_kd.delivery.card import model_card
from automl_kd.delivery.delivered import Delivered, deliver
from automl_kd.delivery.facts import Datasheet, Facts, Measured
from automl_kd.delivery.figures import front_figure, growth_figure, progress_figure
from automl_kd.delivery.folder import check_replaceable
from automl_kd.delivery.latency_error_report import latency_error_report
from automl_kd.delivery.student_page import student_report
from automl_kd.delivery.study_page import study_report
from automl_kd.delivery.understood import teacher_rows, understood_rows

__all__ = [
    "Arms",
    "Datasheet",
    "Delivered",
    "Facts",
    "Measured",
    "check_replaceable",
    "deliver",
    "front_figure",
    "growth_figure",
    "latency_error_report",
    "model_card",
    "progress_figure",
    "student_report",
    "study_report",
    "teacher_rows",
    "understood_rows",
]
