"""What the user leaves with: ONNX, weights, recipe, model card, report."""

from automl_kd.delivery import prices, text
from automl_kd.delivery.arms import Arms, arm_heads
from automl_kd.delivery.card import model_card
from automl_kd.delivery.comparison_words import comparison_sentences, recipe_differences
from automl_kd.delivery.delivered import Delivered, deliver
from automl_kd.delivery.facts import Datasheet, Facts, Measured
from automl_kd.delivery.folder import check_replaceable
from automl_kd.delivery.form_words import FloatScore, deployed_score, form_sentences, not_converted
from automl_kd.delivery.front_figure import front_figure
from automl_kd.delivery.hardware_page import hardware_report
from automl_kd.delivery.on_device import of_integers
from automl_kd.delivery.prediction_figure import prediction_figure
from automl_kd.delivery.progress_figures import growth_figure, progress_figure
from automl_kd.delivery.recipe_words import recipe_sentences
from automl_kd.delivery.student_page import student_report
from automl_kd.delivery.study_page import study_report
from automl_kd.delivery.tables import front_table, metrics_table
from automl_kd.delivery.understood import teacher_rows, understood_rows
from automl_kd.delivery.verdict import Verdict, verdict
from automl_kd.delivery.verification import DeliveredFolder, check_folder, check_student

__all__ = [
    "Arms",
    "Datasheet",
    "Delivered",
    "DeliveredFolder",
    "Facts",
    "FloatScore",
    "Measured",
    "Verdict",
    "arm_heads",
    "check_folder",
    "check_replaceable",
    "check_student",
    "comparison_sentences",
    "deliver",
    "deployed_score",
    "form_sentences",
    "front_figure",
    "front_table",
    "growth_figure",
    "hardware_report",
    "metrics_table",
    "model_card",
    "not_converted",
    "of_integers",
    "prediction_figure",
    "prices",
    "progress_figure",
    "recipe_differences",
    "recipe_sentences",
    "student_report",
    "study_report",
    "teacher_rows",
    "text",
    "understood_rows",
    "verdict",
]
