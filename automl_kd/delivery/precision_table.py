"""What each layer of a student lost in integers, and what it computes with, where that was decided for it."""

from __future__ import annotations

from automl_kd.compression import Loss
from automl_kd.delivery.facts import Datasheet
from automl_kd.delivery.tables import Row, Table
from automl_kd.delivery.text import capital, interval
from automl_kd.objectives import Objective
from automl_kd.results import Gain


def precision_table(sheet: Datasheet) -> Table | None:
    """Layers in their order, then the student as it ships; None where nothing was decided."""
    mixed = sheet.facts.mixed_precision
    if mixed is None:
        return None
    objective = sheet.objective
    heads = ("Computes with", "Divergence alone in integers, nats", f"{capital(objective.title)} alone in integers")
    layers = zip(mixed.layers, mixed.integers, mixed.losses, strict=True)
    rows = [
        Row(name, ("integers" if integer else "floats", *_cells(loss, objective))) for name, integer, loss in layers
    ]
    forms = sorted({row.cells[0] for row in rows}, reverse=True)
    whole = Row("as it ships", (" and ".join(forms), *_cells(mixed.together, objective)))
    return Table(heads, (*rows, whole))


def _cells(loss: Loss, objective: Objective) -> tuple[str, str]:
    score = Gain(**loss.score.as_dict())
    difference = f"{objective.shown_difference(score.difference)} {interval(score, objective)}"
    return f"{loss.nats:.2g} ± {loss.nats_error:.1g}", difference
