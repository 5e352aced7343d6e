"""What the numbers say, in plain words: which student to ship, and what distillation was worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from automl_kd.controller import Point, knee
from automl_kd.delivery._text import gain, inconclusive, latency, spread
from automl_kd.words import milliseconds, percent

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


def arm_sentences(
    *,
    no_distillation: float | None,
    gain_over_no_distillation: Mapping[str, float] | None,
    plain_kd: float | None,
    plain_kd_setting: tuple[float, float] | None,
    gain_over_plain_kd: Mapping[str, float] | None,
) -> tuple[str, ...]:
    """What each arm says of the recipe, and which arm was not trained.

    Args:
        no_distillation: Mean test accuracy without the teacher.
        gain_over_no_distillation: Paired difference to it: difference, low, high.
        plain_kd: Mean test accuracy with soft targets alone.
        plain_kd_setting: Its temperature and weight.
        gain_over_plain_kd: Paired difference to it.
    """
    setting = " (temperature {:g}, weight {:g})".format(*plain_kd_setting) if plain_kd_setting else ""
    if no_distillation is None and plain_kd is None:
        return ("It was compared neither with training without distillation nor with plain KD.",)
    return (
        _arm("training without distillation", "Without distillation", no_distillation, gain_over_no_distillation),
        _arm("plain KD", f"With plain KD{setting}", plain_kd, gain_over_plain_kd),
    )


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
    setting = chosen.get("plain_kd_setting")
    sentences += arm_sentences(
        no_distillation=chosen.get("no_distillation"),
        gain_over_no_distillation=chosen.get("gain_over_no_distillation"),
        plain_kd=chosen.get("plain_kd"),
        plain_kd_setting=(setting["temperature"], setting["weight"]) if setting else None,
        gain_over_plain_kd=chosen.get("gain_over_plain_kd"),
    )
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


def _arm(name: str, opening: str, accuracy: float | None, difference: Mapping[str, float] | None) -> str:
    if accuracy is None:
        return f"It was not compared with {name}."
    start = f"{opening} the same network reaches {percent(accuracy)}"
    if not difference:
        return f"{start}; the difference has no interval."
    result = f"{start}; this recipe is worth {gain(difference)}."
    if inconclusive(difference):
        return f"{result} The interval includes 0: the test does not show that it differs from {name}."
    if difference["high"] < 0:
        return f"{result} It does harm here."
    return result
