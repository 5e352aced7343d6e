"""What the numbers say, in plain words: which student to ship, and what distillation was worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from automl_kd.controller import Point, knee
from automl_kd.core import milliseconds, percent
from automl_kd.delivery.arms import Arms
from automl_kd.delivery.text import latency, spread

_REASONS = {
    "knee": "It is the knee of the front: faster students lose much accuracy, slower ones gain little.",
    "best": "It is the most accurate student of the front.",
    "fastest": "It is the fastest student of the front.",
}


@dataclass(frozen=True)
class Verdict:
    """A headline, the sentences below it, and the trial that they recommend, if any."""

    headline: str
    sentences: tuple[str, ...]
    trial: int | None


def verdict(summary: Mapping[str, Any]) -> Verdict:
    """What to take from a study as far as it has come; the summary is that of ``study_report``."""
    picks, front = summary.get("picks") or [], summary.get("front") or []
    device = summary.get("hw") or "the device"
    tested = [pick for pick in picks if pick.get("test_accuracy") is not None]
    if tested:
        return _of_picks(tested, summary.get("teacher") or {}, device, alone=len(front) == 1)
    if front:
        spots = [Point(entry["trial"], entry["accuracy"], entry["latency_ms"]) for entry in front]
        trial = knee(spots).trial
        entry = next(each for each in front if each["trial"] == trial)
        price = latency(entry["latency_ms"], entry.get("latency_low"), entry.get("latency_high"))
        place = "alone on" if len(front) == 1 else "the knee of"
        return Verdict(
            f"Nothing to ship yet; trial {trial} promises most",
            (
                f"It is {place} the front so far: {percent(entry['accuracy'])} on search-validation in a predicted"
                f" {price} on {device}.",
                "No pick has been distilled in full, so nothing here was measured on the test split.",
            ),
            trial,
        )
    return Verdict("No student yet", ("No trial has reached the top rung, so there is no front to choose from.",), None)


def _of_picks(picks: Sequence[Mapping[str, Any]], teacher: Mapping[str, Any], device: str, *, alone: bool) -> Verdict:
    # The role was settled on search-validation. Choosing by test accuracy here would make the test split a second
    # validation split, and its number too good.
    chosen = next((pick for pick in picks if pick.get("role") == "knee"), picks[0])
    accuracy, trial = chosen["test_accuracy"], chosen["trial"]
    price = latency(chosen.get("latency_ms"), chosen.get("latency_low"), chosen.get("latency_high"))
    sentences = [f"It classifies {percent(accuracy)} of the test images correctly{_over_seeds(chosen)}."]
    if alone:
        sentences.append("It is the only student of the front.")
    elif reason := _REASONS.get(str(chosen.get("role"))):
        sentences.append(reason)
    sentences.append(f"One image takes a predicted {price}; the range is the 90 % interval.")
    if (ms := chosen.get("measured_ms")) is not None:
        where = "inside" if chosen.get("measured_inside") else "outside"
        sentences.append(f"Measured on the device it takes {milliseconds(ms)}, {where} that range.")
    if teacher.get("accuracy") is not None:
        gap = 100 * (teacher["accuracy"] - accuracy)
        beside = f"{abs(gap):.1f} points {'more' if gap >= 0 else 'less'}"
        sentences.append(f"The teacher reaches {percent(teacher['accuracy'])}, {beside}.")
    sentences += Arms.of(chosen).sentences()
    if (deployed := chosen.get("test_accuracy_deployed")) is not None:
        sentences.append(f"As deployed, in the device's precision, it reaches {percent(deployed)}.")
    best = next((pick for pick in picks if pick.get("role") == "best"), chosen)
    if best["test_accuracy"] > accuracy:
        cost = milliseconds(best.get("latency_ms"))
        reached = percent(best["test_accuracy"])
        sentences.append(f"Where accuracy matters more: trial {best['trial']} reaches {reached} in a predicted {cost}.")
    headline = (
        f"Ship trial {trial}: {percent(accuracy)} in a predicted {milliseconds(chosen.get('latency_ms'))} on {device}"
    )
    return Verdict(headline, tuple(sentences), trial)


def seed_count(seeds: Sequence[int] | int | None) -> int:
    """How many seeds a pick was trained with; summaries hold their number or list them."""
    return len(seeds) if isinstance(seeds, Sequence) else seeds or 0


def _over_seeds(pick: Mapping[str, Any]) -> str:
    number, std = seed_count(pick.get("seeds")), pick.get("test_accuracy_std")
    return f" (± {spread(std)} points over {number} seeds)" if number > 1 and std is not None else ""
