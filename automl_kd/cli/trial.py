"""``automl-kd trial``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from automl_kd.cli.answer import AllowCode, Json, Storage, answer, quiet, table
from automl_kd.cli.front import price_cells, price_header
from automl_kd.cli.hw_words import extrapolation, parts_table
from automl_kd.cli.result_text import ARM_NAMES
from automl_kd.core import DEFAULT_STORAGE, UNKNOWN, counted, duration, three_digits

if TYPE_CHECKING:
    from automl_kd.objectives import Objective
    from automl_kd.results import Estimate, Reading, TrialDetail

_MOST_CLASSES = 20
"""Of more classes only those are listed that are recognised least."""
_CONFUSIONS = 3
_LEAST_SHARE = 1e-3
"""Of the latency: less than that is no part worth a row."""


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("trial")(trial)


def trial(
    number: Annotated[int, typer.Argument(help="The trial's number.")],
    study: Annotated[str | None, typer.Option(help="The study; by default the only one.")] = None,
    allow_code: AllowCode = False,
    storage: Storage = DEFAULT_STORAGE,
    json: Json = False,
) -> None:
    """One trial: how it is made, what became of it, what it costs and why, and where it errs."""
    with quiet(json):
        from automl_kd.workflows.trial import trial_detail

        found = trial_detail(study, number, storage=storage, allow_code=allow_code)
        text = "\n".join(_lines(found))
    answer(found.model_dump(mode="json"), text, json)


def _lines(found: TrialDetail) -> Iterator[str]:
    from automl_kd.recipes import to_yaml

    score, *prices = found.objectives
    role = [] if found.pick is None else [f"delivered as the {found.pick.role}"]
    yield ", ".join([f"trial {found.trial} of study {found.study}: {found.told}", *_front(found), *role])
    if found.origin is not None:
        yield f"taken over from trial {found.origin[1]} of study {found.origin[0]}"
    yield from _scores(found, score)
    if found.price is not None:
        yield from ("", table([price_cells(found.price, prices)], price_header(prices)))
        yield from _parts(found)
    if found.reading is not None:
        yield from ("", *_reading(found.reading, score, found.metric_details))
    elif found.unread is not None:
        yield f"no answers to read: {found.unread}"
    if found.log:
        yield from ("", "log:", *found.log)
    if found.recipe is not None:
        yield from ("", "recipe:", to_yaml(found.recipe.document()).rstrip())


def _front(found: TrialDetail) -> list[str]:
    return ["on the front"] if found.on_front else []


def _scores(found: TrialDetail, score: Objective) -> Iterator[str]:
    searched = [f"{each.epochs} epochs {score.shown(each.score)}" for each in found.curve if each.training == "search"]
    if searched:
        yield f"{score.title} on search-validation: {', '.join(searched)}; {duration(found.seconds)} of training"
    in_full: dict[str, list[float]] = {}
    for each in found.curve:
        if each.training == "in full":
            in_full.setdefault(ARM_NAMES[each.arm or "searched"], []).append(each.score)
    if in_full:
        spans = [f"{arm} {_span(scores, score)}" for arm, scores in in_full.items()]
        yield f"trained in full, on search-validation: {', '.join(spans)}"
    named = {each.name: each for each in found.metric_details}
    values = [f"{named[name].title} {_estimate(each, named[name])}" for name, each in found.metrics.items()]
    if values:
        yield f"with 95 % intervals: {', '.join(values)}"
    if found.pick is not None:
        pick = found.pick
        told = [score.shown(pick.test_score)]
        told += [f"in float32 {score.shown(pick.test_score_float)}"] if pick.test_score_float is not None else []
        told += [f"in the device's precision {score.shown(pick.test_score_deployed)}"]
        yield f"test, read once: {', '.join(told)}"


def _span(scores: list[float], score: Objective) -> str:
    """``95.0 %`` of one training; ``94.0 % to 94.7 % (4 trainings)`` of several."""
    least, most = score.shown(min(scores)), score.shown(max(scores))
    span = least if least == most else f"{least} to {most}"
    return span if len(scores) == 1 else f"{span} ({len(scores)} trainings)"


def _estimate(found: Estimate, metric: Objective) -> str:
    if found.low is None or found.high is None:
        return metric.shown(found.value)
    return f"{metric.shown(found.value)} ({metric.shown(found.low)} to {metric.shown(found.high)})"


def _parts(found: TrialDetail) -> Iterator[str]:
    parts, price = found.breakdown, found.price
    if parts is None or price is None:
        return
    if parts.unexplained is not None:
        yield f"what it consists of: {parts.unexplained}"
    rows = [each.model_dump() for each in parts.parts if abs(each.share) >= _LEAST_SHARE or each.kernels]
    if rows:
        yield from ("", parts_table(rows, price.latency_ms))
    unsure = extrapolation(parts.extrapolated, found.hw, "the time")
    left = sum(each.on_host or 0 for each in parts.parts)
    yield from filter(None, [unsure, f"{counted(left, 'kernel')} left to the host" if left else None])
    if parts.in_floats:
        yield f"in floats: {', '.join(parts.in_floats)}"
    yield from dict.fromkeys(parts.notes)


def _reading(found: Reading, score: Objective, metrics: tuple[Objective, ...]) -> Iterator[str]:
    which = "the delivered student" if found.student == "delivered" else "the student as the search left it"
    yield f"{which}, {found.form}, on {counted(found.examples, 'example')} of search-validation:"
    named = {each.name: each for each in metrics}
    if found.student == "delivered":  # else they stand above
        yield ", ".join(f"{named[name].title} {_estimate(each, named[name])}" for name, each in found.metrics.items())
    if score.name in found.float_metrics:
        yield f"in float32: {score.title} {score.shown(found.float_metrics[score.name])}"
    if found.classes:
        rows = sorted(found.classes, key=lambda row: 1.0 if row.recall is None else row.recall)
        if len(rows) > _MOST_CLASSES:
            yield f"the {_MOST_CLASSES} of {len(rows)} that are recognised least:"
        shown = found.classes if len(rows) <= _MOST_CLASSES else rows[:_MOST_CLASSES]
        cells = [[row.name, f"{row.examples}", _share(row.recall), _share(row.precision)] for row in shown]
        yield table(
            cells, ["class" if found.confusions or found.matrix else "label", "examples", "recall", "precision"]
        )
    for each in found.confusions[:_CONFUSIONS]:
        yield f"{each.label} is taken for {each.answer} in {each.count} of {round(each.count / each.share)}"
    if found.values:
        header = ["value", "mean error", "RMSE", "MAE", "5 %", "median", "95 %", "worst"]
        lines = [
            [row.name, *map(three_digits, (row.bias, row.rmse, row.mae, *row.quantiles[::2], row.worst))]
            for row in found.values
        ]
        yield table(lines, header)


def _share(value: float | None) -> str:
    return UNKNOWN if value is None else f"{100 * value:.1f} %"
