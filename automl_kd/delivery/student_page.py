"""The report of one student."""

from __future__ import annotations

from automl_kd.compression import computes_as_module
from automl_kd.delivery.facts import Datasheet
from automl_kd.delivery.html_page import embed, render
from automl_kd.delivery.precision_table import precision_table
from automl_kd.delivery.recipe_words import recipe_sentences
from automl_kd.delivery.tables import test_table
from automl_kd.delivery.training_figure import training_figure
from automl_kd.recipes import to_yaml


def student_report(sheet: Datasheet) -> str:
    """One self-contained HTML page about a student: metrics, predicted latency, arms, recipe, training.

    It loads nothing from a network and is equal for equal datasheets.
    """
    facts, history = sheet.facts, sheet.facts.history
    return render(
        "student.html",
        sheet=sheet,
        verdict=facts.arms.sentences(sheet.objective),
        table=test_table(sheet),
        quantised=not computes_as_module(sheet.recipe.compress),
        precision=precision_table(sheet),
        recipe_words=recipe_sentences(sheet.recipe),
        recipe_yaml=to_yaml(sheet.recipe.document()),
        history=history,
        columns=tuple(dict.fromkeys(name for row in history for name in row)),
        figure=embed(training_figure(history, sheet.metrics), "training") if len(history) > 1 else None,
    )
