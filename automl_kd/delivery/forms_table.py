"""The table of picks that ship compressed, each beside the same weights in float32."""

from __future__ import annotations

from automl_kd.core import UNKNOWN, size
from automl_kd.delivery.form_words import operators
from automl_kd.delivery.tables import Row, Table, named
from automl_kd.delivery.text import difference, titled
from automl_kd.objectives import Objective
from automl_kd.results import PickResult, ShippedFile, StudyResult

_NOTHING = "nothing"


def forms_table(result: StudyResult) -> Table | None:
    """Scores, sizes and what computes with floats, by pick; None where none ships compressed."""
    score, picks = result.objective, [pick for pick in result.picks if pick.recipe.compress]
    if not picks:
        return None
    hosted = any(pick.shipped is not None and pick.shipped.on_host for pick in picks)
    heads = ["Form", titled(score), "In float32", "Difference", "Weights", "ONNX file", "Computes with floats"]
    rows = [Row(named(pick), (*_scores(pick, score), *_file(pick.shipped, hosted)), pick.trial) for pick in picks]
    return Table((*heads, *(["Left to the host"] if hosted else [])), tuple(rows))


def _scores(pick: PickResult, score: Objective) -> tuple[str, ...]:
    gain = pick.gain_over_float
    return (
        pick.form,
        score.shown(pick.test_score),
        score.shown(pick.test_score_float),
        UNKNOWN if gain is None else difference(gain, score),
    )


def _file(shipped: ShippedFile | None, hosted: bool) -> tuple[str, ...]:
    if shipped is None:
        return (UNKNOWN,) * (4 if hosted else 3)
    flash, found = shipped.flash, shipped.in_floats
    return (
        f"{size(flash.weights)} of {size(flash.float_weights)}",
        f"{size(flash.file)} of {size(flash.float_file)}",
        UNKNOWN if found is None else operators(found) or _NOTHING,
        *([shipped.on_host or _NOTHING] if hosted else []),
    )
