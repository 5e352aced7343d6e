"""The report of a study, at any point of its search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from automl_kd.delivery.figures import front_figure, growth_figure, progress_figure
from automl_kd.delivery.html_page import embed, render
from automl_kd.delivery.progress import progress
from automl_kd.delivery.understood import understood_rows
from automl_kd.delivery.verdict import seed_count, verdict
from automl_kd.recipes import to_yaml

_TRIAL = ("trial", "accuracy", "latency_ms", "latency_low", "latency_high", "params", "memory_bytes", "coverage")
_PICK = (
    "trial", "role", "origin", "arm", "test_accuracy", "test_accuracy_std", "test_accuracy_deployed", "searched",
    "no_distillation", "plain_kd", "plain_kd_setting", "gain_over_searched", "gain_over_no_distillation",
    "gain_over_plain_kd", "latency_ms", "latency_low", "latency_high", "measured_ms", "measured_inside",
)  # fmt: skip


def study_report(summary: Mapping[str, Any]) -> str:
    """One self-contained HTML page about a study; it loads nothing from a network and is equal for equal summaries.

    Args:
        summary: Plain JSON data; what the search has not reached yet may be missing, None or empty. Accuracies are in
            [0, 1], of the test split in picks and of search-validation elsewhere.

            - ``study``, ``task``, ``hw``, ``space``, ``state``, ``seed``
            - ``teacher``: ``accuracy`` (test), ``validation_accuracy``, ``sha256``
            - ``understood``: what was read of task and teacher (``Understanding.document``)
            - ``limits``: ``max_latency_ms``, ``max_params``, ``max_memory_bytes``
            - ``screened``: a count; ``trials``: counts by state
            - ``front`` and ``complete``: lists of ``trial``, ``accuracy``, ``latency_ms``, ``latency_low``,
              ``latency_high``, ``params``, ``memory_bytes``, ``coverage``, ``recipe``
            - ``stopped``: a list of ``trial``, ``epochs``, ``accuracy``, ``latency_ms``
            - ``picks``: a list of ``trial``, ``role``, ``origin``, ``seeds``, ``test_accuracy``, ``test_accuracy_std``,
              ``test_accuracy_deployed``, ``arm`` (the one delivered: ``searched``, ``no_distillation`` or
              ``plain_kd``), the mean of each, ``plain_kd_setting`` (``temperature``, ``weight``), ``gain_over_…`` each
              (``difference``, ``low``, ``high``),
              ``latency_ms``, ``latency_low``, ``latency_high``, ``measured_ms`` and ``measured_inside``:
              whether that lies in the interval (both None where it was not measured)
            - ``undistilled``: picks that the time left did not hold: ``trial``, ``role`` and ``missing``, why by arm
            - ``seconds``: ``budget``, ``total``, ``teacher``, ``search``, ``picks``, and ``prepare`` before them;
              ``between_ms``: median time between two trainings
            - ``failures``: a list of ``reason``, ``count``
            - ``importance``: a list of ``hole``, ``accuracy`` and ``front`` (shares, None where it could be chance),
              ``trials``
            - ``common``: ``looked_at`` (pairs of hole and value) and ``values``, a list of ``hole``, ``value``,
              ``chosen`` of ``of_chosen`` of the front, ``count`` of ``of_count`` of all complete, ``p`` (corrected)
              and ``sure`` (whether that is beyond chance)
            - ``history``: a list of ``trial``, ``seconds``, ``accuracy``, ``latency_ms``, ``state``
    """
    front, complete = summary.get("front") or [], summary.get("complete") or []
    recommended = verdict(summary)
    picks = summary.get("picks") or []
    # Those of picks last: what is delivered may be another arm than what was searched.
    full = [pick for pick in picks if pick.get("origin") != "search checkpoint"]
    recipes = {entry["trial"]: entry["recipe"] for entry in (*complete, *front, *full) if entry.get("recipe")}
    steps = progress(summary.get("history") or []).steps
    common = summary.get("common") or {}
    drawn = bool(front or complete or summary.get("stopped"))
    context = {
        "name": {key: summary.get(key) for key in ("study", "task", "hw", "space", "state", "seed")},
        "verdict": recommended,
        "teacher": {
            key: (summary.get("teacher") or {}).get(key) for key in ("accuracy", "validation_accuracy", "sha256")
        },
        "understood": understood_rows(summary["understood"]) if summary.get("understood") else [],
        "limits": {
            key: (summary.get("limits") or {}).get(key) for key in ("max_latency_ms", "max_params", "max_memory_bytes")
        },
        "front": sorted((_filled(entry, _TRIAL) for entry in front), key=lambda entry: float(entry["latency_ms"])),
        "picks": [_filled(pick, _PICK) | {"seeds": seed_count(pick.get("seeds"))} for pick in picks],
        "undistilled": summary.get("undistilled") or [],
        "verified": any(pick.get("measured_ms") is not None for pick in picks),
        "front_plot": embed(front_figure(summary), "front") if drawn else None,
        "screened": summary.get("screened"),
        "trials": summary.get("trials") or {},
        "phases": _phases(summary.get("seconds") or {}),
        "between_ms": summary.get("between_ms"),
        "looked_at": common.get("looked_at") or 0,
        "common": [each for each in common.get("values") or [] if each["sure"]],
        "within_chance": [each for each in common.get("values") or [] if not each["sure"]],
        "importance": summary.get("importance") or [],
        "steps": [step for step in steps if step.grew],
        "progress_plots": [
            embed(figure(summary), name)
            for name, figure in (("progress", progress_figure), ("growth", growth_figure))
            if len(steps) > 1
        ],
        "failures": summary.get("failures") or [],
        "recipe_yaml": to_yaml(recipes[recommended.trial]) if recommended.trial in recipes else None,
    }
    return render("study.html", context)


def _filled(entry: Mapping[str, Any], keys: Sequence[str]) -> dict[str, Any]:
    return {key: entry.get(key) for key in keys}


def _phases(seconds: Mapping[str, float | None]) -> dict[str, Any]:
    """Seconds by phase, and their share of the longer of budget and total; phases not timed yet are left out."""
    names = ("prepare", "teacher", "search", "picks")
    spent = [(name, value) for name in names if (value := seconds.get(name)) is not None]
    budget, total = seconds.get("budget"), seconds.get("total")
    whole = max(budget or 0.0, total or 0.0, sum(value for _, value in spent)) or 1.0
    return {"rows": [(name, value, value / whole) for name, value in spent], "budget": budget, "total": total}
