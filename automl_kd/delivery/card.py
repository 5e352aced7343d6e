"""The model card (Mitchell et al. 2019, arXiv:1810.03993), short."""

from __future__ import annotations

from automl_kd.delivery.facts import Datasheet
from automl_kd.delivery.html_page import render
from automl_kd.delivery.precision_table import precision_table
from automl_kd.delivery.recipe_words import recipe_sentences
from automl_kd.delivery.run_script import needs
from automl_kd.delivery.tables import test_table


def model_card(sheet: Datasheet) -> str:
    """What a student is, takes, gives, is worth and is not fit for, as Markdown; equal for equal datasheets."""
    return render(
        "model_card.md",
        sheet=sheet,
        recipe_words=recipe_sentences(sheet.recipe),
        table=test_table(sheet),
        precision=precision_table(sheet),
        needs=needs(sheet.task),
        verdict=sheet.facts.arms.sentences(sheet.objective),
    )
