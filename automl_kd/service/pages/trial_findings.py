"""What the pages of trials say, worked out by a helper process: one trial, some side by side, another device."""

from __future__ import annotations

from typing import Any

from automl_kd.core import (
    UNKNOWN,
    count,
    counted,
    duration,
    milliseconds,
    percent,
    size,
    three_digits,
)
from automl_kd.delivery import recipe_sentences, text
from automl_kd.objectives import Objective
from automl_kd.recipes import to_yaml
from automl_kd.results import (
    Arm,
    Breakdown,
    Confusion,
    Estimate,
    PickResult,
    Price,
    PricePart,
    Reading,
    RepricedTrial,
    TrialDetail,
)
from automl_kd.service.pages.curve_svg import curve_svg
from automl_kd.service.pages.findings import pick_form

_ARMS: dict[Arm, str] = {
    "searched": "searched losses",
    "no_distillation": "no distillation",
    "plain_kd": "plain KD",
    "from_scratch": "from scratch",
}
_HEATS = 9
"""Shades of a confusion matrix."""
_MOST_CLASSES = 30
"""Classes of which a matrix is shown; of more the largest confusions tell."""


def trial_words(storage: str, study: str, number: int) -> dict[str, Any]:
    """All that the page of a trial says.

    Raises:
        UserError: If there is no such study or trial.
    """
    from automl_kd.workflows.trial import trial_detail

    found = trial_detail(study, number, storage=storage)
    score = found.objectives[0]
    return {
        "state": found.state,
        "told": found.told,
        "reason": found.reason,
        "on_front": found.on_front,
        "role": None if found.pick is None else found.pick.role,
        "hw": found.hw,
        "score": text.capital(score.title),
        "headline": None if found.score is None else text.scored(found.score, score),
        "epochs": found.epochs,
        "effort": _effort(found),
        "curve": _curve(found, score),
        "points": _points(found, score),
        "scores": _scores(found),
        "test": None if found.pick is None else _test(found.pick, score),
        "form": [] if found.pick is None else pick_form(found.pick, score),
        "cost": [] if found.price is None else _cost(found, found.price),
        "parts": [] if found.breakdown is None else _parts(found.breakdown),
        "on_host": found.breakdown is not None and any(each.on_host for each in found.breakdown.parts),
        "falls_back": _falls_back(found),
        "rests_on": [] if found.breakdown is None else _rests_on(found.breakdown),
        "reading": None if found.reading is None else _reading(found.reading),
        "unread": found.unread,
        "sentences": () if found.recipe is None else recipe_sentences(found.recipe),
        "yaml": None if found.recipe is None else to_yaml(found.recipe.document()),
        "log": found.log,
    }


def _effort(found: TrialDetail) -> str:
    told = [f"{duration(found.seconds)} of training"]
    if found.attempts:
        told.append(f"its worker died {counted(found.attempts, 'time')}")
    if found.origin is not None:
        told.append(f"taken over from trial {found.origin[1]} of {found.origin[0]}")
    return "; ".join(told)


def _curve(found: TrialDetail, score: Objective) -> str | None:
    if not found.curve:
        return None
    rungs = [(each.epochs, each.score) for each in found.curve if each.training == "search"]
    full = [(each.epochs, each.score) for each in found.curve if each.training == "in full"]
    return curve_svg(rungs, full, score)


def _points(found: TrialDetail, score: Objective) -> list[tuple[str, str, str]]:
    """Training, epochs and score, rung by rung; trainings in full by arm, the least and the best of its seeds."""
    rows = [("search", str(each.epochs), score.shown(each.score)) for each in found.curve if each.training == "search"]
    full: dict[tuple[str, int], list[float]] = {}
    for each in found.curve:
        if each.training == "in full":
            full.setdefault((_ARMS[each.arm or "searched"], each.epochs), []).append(each.score)
    return [*rows, *((f"in full, {arm}", str(epochs), _span(values, score)) for (arm, epochs), values in full.items())]


def _span(values: list[float], score: Objective) -> str:
    least, most = score.shown(min(values)), score.shown(max(values))
    span = least if least == most else f"{least} to {most}"
    return span if len(values) == 1 else f"{span} ({len(values)} trainings)"


def _scores(found: TrialDetail) -> list[dict[str, str]]:
    """A row a metric: as the search stored it, as the form that ships answers, and the same weights in float32."""
    read = {} if found.reading is None else found.reading.metrics
    floats = {} if found.reading is None else found.reading.float_metrics
    rows = []
    for metric in found.metric_details:
        if metric.name in found.metrics or metric.name in read:
            rows.append(
                {
                    "title": text.titled(metric),
                    "search": _estimate(found.metrics.get(metric.name), metric),
                    "read": _estimate(read.get(metric.name), metric),
                    "float": metric.shown(floats.get(metric.name)),
                }
            )
    return rows


def _estimate(found: Estimate | None, metric: Objective) -> str:
    if found is None:
        return UNKNOWN
    if found.low is None or found.high is None:
        return metric.shown(found.value)
    return f"{metric.shown(found.value)} ({metric.shown(found.low)} to {metric.shown(found.high)})"


def _test(pick: PickResult, score: Objective) -> list[tuple[str, str]]:
    spread = "" if pick.test_score_std is None else f" ± {score.shown_spread(pick.test_score_std)}"
    rows = [("Delivered", f"{score.shown(pick.test_score)}{spread}, {counted(len(pick.seeds), 'seed')}")]
    if pick.test_score_float is not None:
        rows.append(("The same weights in float32", score.shown(pick.test_score_float)))
    if pick.test_score_deployed is not None:
        rows.append(("Its file, in the device's precision", score.shown(pick.test_score_deployed)))
    return rows


def _cost(found: TrialDetail, price: Price) -> list[tuple[str, str]]:
    rows = [
        ("Latency", f"{text.latency(price.latency_ms, price.latency_low, price.latency_high)}, 90 % interval"),
        *((f"Latency on {device}", text.latency(*ends)) for device, ends in price.others.items()),
        ("RAM", f"{size(price.memory_bytes)}: weights and activations alive at once"),
        ("Weights", size(price.size_bytes)),
    ]
    if found.shipped is not None:
        flash = found.shipped.flash
        limit = "" if flash.limit is None else f", of {size(flash.limit)}"
        rows.append(("Flash", f"{size(flash.file)} for its file{limit}"))
    if price.energy_mj is not None:
        rows.append(("Energy", f"{three_digits(price.energy_mj)} mJ"))
    rows += [
        ("Parameters", count(price.params)),
        ("Operations", count(price.flops)),
        ("Known kernels", percent(price.coverage)),
    ]
    return rows


def _parts(found: Breakdown) -> list[dict[str, Any]]:
    return [_part(each) for each in found.parts if each.kernels or abs(each.share) >= 1e-3]


def _part(part: PricePart) -> dict[str, Any]:
    doubt = "not measured there" if part.extrapolated else ""
    if part.off_by is not None:
        doubt = f"{doubt}{'; ' if doubt else ''}off by up to {three_digits(part.off_by)}×"
    return {
        "name": part.name,
        "kernels": UNKNOWN if part.kernels is None else str(part.kernels),
        "ms": milliseconds(part.ms),
        "share": part.share,
        "shown": percent(part.share),
        "on_host": "" if not part.on_host else f"{part.on_host} on the host",
        "doubt": doubt,
    }


def _falls_back(found: TrialDetail) -> list[str]:
    """What of the student does not run as the rest of it does."""
    parts = found.breakdown
    if parts is None:
        return []
    told = [f"In floats: {', '.join(parts.in_floats)}."] if parts.in_floats else []
    left = sum(each.on_host or 0 for each in parts.parts)
    told += [f"The device's runtime leaves {counted(left, 'kernel')} to its host."] if left else []
    if not told and found.price is not None:
        told = ["Nothing: all of its kernels run in the form that ships, on the device."]
    return told


def _rests_on(found: Breakdown) -> list[str]:
    unknown = [f"{name} ({percent(share)} of the time)" for name, share in found.extrapolated.items() if share >= 0.01]
    notes = list(dict.fromkeys(found.notes))
    if unknown:
        notes.append(f"No measured network of the device has kernels of these kinds: {', '.join(unknown)}.")
    return [*notes, *([found.unexplained] if found.unexplained else [])]


def _reading(found: Reading) -> dict[str, Any]:
    classes = sorted(found.classes, key=lambda each: 1.0 if each.recall is None else each.recall)
    names = [each.name for each in found.classes]
    matrix = found.matrix if found.matrix is not None and len(names) <= _MOST_CLASSES else None
    return {
        "which": "the delivered student" if found.student == "delivered" else "the student as the search left it",
        "form": found.form,
        "examples": found.examples,
        "names": names,
        "classes": [
            {
                "name": each.name,
                "examples": each.examples,
                "recall": percent(each.recall),
                "share": each.recall or 0.0,
                "precision": percent(each.precision),
            }
            for each in classes
        ],
        "matrix": None if matrix is None else [[_heat(each, sum(row)) for each in row] for row in matrix],
        "confusions": [_confused(each) for each in found.confusions[:5]],
        "values": [
            (each.name, *map(three_digits, (each.bias, each.rmse, each.mae, each.quantiles[2], each.worst)))
            for each in found.values
        ],
    }


def _confused(found: Confusion) -> str:
    return f"{found.label} is taken for {found.answer} in {found.count} of {round(found.count / found.share)}"


def _heat(number: int, of: int) -> tuple[int, int]:
    """A number of a matrix, and its shade by its share of the row."""
    return number, 0 if not number else 1 + min(_HEATS - 1, int(_HEATS * number / max(1, of)))


def comparison_words(storage: str, study: str, trials: list[int]) -> dict[str, Any]:
    """Two or three trials beside each other.

    Raises:
        UserError: If these are not two or three finished trials of the study.
    """
    from automl_kd.workflows.compare import compare

    found = compare(*trials, study=study, storage=storage)
    return {
        "trials": found.trials,
        "names": [
            f"trial {trial}{f' · {role}' if role else ''}"
            for trial, role in zip(found.trials, found.roles, strict=True)
        ],
        "sentences": found.sentences,
        "rows": [(text.capital(each.title), list(map(each.shown, each.values))) for each in found.quantities],
        "differences": [(text.capital(each.title), each.values) for each in found.differences],
        "recipes": found.recipes,
    }


def reprice_words(storage: str, study: str, hw: str, max_latency: str | None) -> dict[str, Any]:
    """The finished trials of a study at another device's prices.

    Raises:
        UserError: If there is no such device, or no trial is finished.
    """
    from automl_kd.workflows.reprice import reprice

    found = reprice(study, hw=hw, max_latency=max_latency, storage=storage)
    score = found.objectives[0]
    reasons: dict[str, list[str]] = {}
    for each in found.unfit:
        reasons.setdefault(each.reason, []).append(str(each.trial))
    return {
        "hw": found.hw,
        "before": found.hw_before,
        "notes": list(found.notes),
        "score": text.capital(score.title),
        "rows": [_repriced_row(each, score) for each in found.trials],
        "front": len(found.front),
        "entered": list(found.entered),
        "left": list(found.left),
        "unfit": [f"Trial{'s' if len(each) > 1 else ''} {', '.join(each)}: {why}" for why, each in reasons.items()],
    }


def _repriced_row(trial: RepricedTrial, score: Objective) -> dict[str, Any]:
    states = {(True, True): "stays on the front", (False, True): "enters the front", (True, False): "leaves the front"}
    price, before = trial.price, trial.before
    return {
        "trial": trial.trial,
        "score": score.shown(trial.score),
        "form": trial.form,
        "latency": text.latency(price.latency_ms, price.latency_low, price.latency_high),
        "before": milliseconds(before.latency_ms),
        "memory": size(price.memory_bytes),
        "place": f"{trial.place_before} → {trial.place}",
        "front": states.get((trial.on_front_before, trial.on_front), ""),
        "chosen": trial.on_front,
    }
