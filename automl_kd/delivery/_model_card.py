"""The model card (Mitchell et al. 2019, arXiv:1810.03993), short."""

from __future__ import annotations

from automl_kd.delivery._facts import Datasheet
from automl_kd.delivery._page import render
from automl_kd.delivery._verdict import arm_sentences


def model_card(sheet: Datasheet) -> str:
    """What a student is, takes, gives, is worth and is not fit for, as Markdown; equal for equal datasheets."""
    facts = sheet.facts
    verdict = arm_sentences(
        no_distillation=facts.no_distillation,
        gain_over_no_distillation=facts.gain_over_no_distillation,
        plain_kd=facts.plain_kd,
        plain_kd_setting=facts.plain_kd_setting,
        gain_over_plain_kd=facts.gain_over_plain_kd,
    )
    return render("model_card.md", {"sheet": sheet, "verdict": verdict})
