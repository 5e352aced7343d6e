"""The tables of reports whose columns follow from a study's objectives and metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from automl_kd.compression import computes_as_module
from automl_kd.core import UNKNOWN, count, percent, size
from automl_kd.delivery.arms import Arms
from automl_kd.delivery.facts import Datasheet
from automl_kd.delivery.prices import MEMORY, device_of, is_latency, quantity, reported_prices, shown_price, value_of
from automl_kd.delivery.text import titled
from automl_kd.objectives import Objective
from automl_kd.results import PickResult, StudyResult, TrialResult


@dataclass(frozen=True)
class Row:
    """A line of a table.

    Attributes:
        name: Of what it is about.
        cells: One a column, as text.
        trial: The trial that it is about; None where it is about none.
        below: Whether it tells more of the line before.
    """

    name: str
    cells: tuple[str, ...]
    trial: int | None = None
    below: bool = False


@dataclass(frozen=True)
class Table:
    """A table as text: the heads of its columns without that of the rows' names, and its rows."""

    heads: tuple[str, ...]
    rows: tuple[Row, ...]


def front_table(review: StudyResult) -> Table:
    """The students of the front, the best in the first known objective first: form, scores, prices, sizes."""
    measured = tuple(each for each in review.objectives if not each.known)
    prices = reported_prices(review.objectives)
    several = sum(is_latency(each) for each in prices) > 1
    memory = MEMORY.name not in {each.name for each in prices}
    compressed = any(entry.recipe.compress for entry in review.front)

    def cells(entry: TrialResult) -> tuple[str, ...]:
        return (
            *([entry.recipe.form] if compressed else []),
            *(each.shown(entry.objectives[each.name]) for each in measured),
            *(shown_price(entry, entry.others, each) for each in prices),
            percent(entry.coverage),
            count(entry.params),
            *([size(entry.memory_bytes)] if memory else []),
        )

    first = next((each for each in review.objectives if each.known), prices[0])
    entries = sorted(review.front, key=lambda entry: first.goodness(value_of(entry, first)), reverse=True)
    heads = (
        *(["Form"] if compressed else []),
        *map(titled, measured),
        *(_price_head(each, review.hw, several=several) for each in prices),
        "Coverage",
        "Parameters",
        *(["Memory"] if memory else []),
    )
    return Table(heads, tuple(Row(str(entry.trial), cells(entry), entry.trial) for entry in entries))


def metrics_table(result: StudyResult, recommended: int | None) -> Table | None:
    """All metrics on the test split, of the picks and the teacher; of the recommended pick also those of its arms.

    None where nothing but the score was measured.
    """
    groups = [each for pick in result.picks for each in (pick.test_metrics, pick.float_metrics, pick.deployed_metrics)]
    measured = {name for values in (*groups, result.teacher.metrics) for name in values}
    metrics = tuple(each for each in result.metrics if each.name in measured)
    if not result.picks or len(metrics) < 2:
        return None
    rows: list[Row] = []
    for pick in result.picks:
        rows.append(Row(named(pick), _cells(metrics, pick.test_metrics, pick.test_metrics_std), pick.trial))
        if pick.float_metrics:
            rows.append(Row("in float32", _cells(metrics, pick.float_metrics), pick.trial, below=True))
        if pick.deployed_metrics and computes_as_module(pick.recipe.compress):
            rows.append(Row("as deployed", _cells(metrics, pick.deployed_metrics), pick.trial, below=True))
        if pick.trial == recommended:
            rows += _arm_rows(pick, metrics)
    if result.teacher.metrics:
        rows.append(Row("teacher", _cells(metrics, result.teacher.metrics)))
    return Table(tuple(map(titled, metrics)), tuple(rows))


def test_table(sheet: Datasheet) -> Table:
    """All metrics of one student on the test split: as it is, as deployed, over its seeds, its arms and the teacher."""
    metrics, facts, measured = sheet.metrics, sheet.facts, sheet.measured
    rows = [Row(f"this one, {sheet.form}", _cells(metrics, measured.test_metrics))]
    if computes_as_module(sheet.recipe.compress):
        precision = sheet.profile.target.precision
        rows.append(Row(f"this one as deployed, {precision}", _cells(metrics, measured.deployed_metrics)))
    if measured.float_metrics:
        rows.append(Row("the same weights in float32", _cells(metrics, measured.float_metrics)))
    if facts.test_metrics and len(facts.seeds) > 1:
        name = f"mean ± standard deviation over {len(facts.seeds)} seeds"
        rows.append(Row(name, _cells(metrics, facts.test_metrics, facts.test_metrics_std)))
        if facts.float_metrics:
            rows.append(Row("mean of the same weights in float32", _cells(metrics, facts.float_metrics)))
    rows += [Row(f"same training, {name}", _cells(metrics, result.metrics)) for name, result in facts.arms.others]
    if facts.teacher_metrics:
        rows.append(Row("teacher", _cells(metrics, facts.teacher_metrics)))
    return Table(tuple(map(titled, metrics)), tuple(rows))


def named(pick: PickResult) -> str:
    """A pick in the first column of a table: ``3 · knee``."""
    return f"{pick.trial} · {pick.role}" if pick.role else str(pick.trial)


def _arm_rows(pick: PickResult, metrics: Sequence[Objective]) -> list[Row]:
    return [Row(name, _cells(metrics, result.metrics), pick.trial, below=True) for name, result in Arms.of(pick).others]


def _cells(
    metrics: Sequence[Objective], values: Mapping[str, float], deviations: Mapping[str, float] | None = None
) -> tuple[str, ...]:
    return tuple(_cell(each, values.get(each.name), (deviations or {}).get(each.name)) for each in metrics)


def _cell(metric: Objective, value: float | None, deviation: float | None) -> str:
    shown = metric.shown(value)
    return shown if deviation is None or shown == UNKNOWN else f"{shown} ± {metric.shown_spread(deviation)}"


def _price_head(objective: Objective, hw: str, *, several: bool) -> str:
    device = f" on {device_of(objective, hw)}" if several and is_latency(objective) else ""
    return f"Predicted {quantity(objective)}{device}"
